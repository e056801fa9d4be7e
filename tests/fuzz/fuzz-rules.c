/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzes the rules of upirules: any bytes. What is accepted takes frames. */
#include "gst/rules/state.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
check (Rules *rules)
{
  g_autoptr (RulesState) state = rules_state_new (rules);
  RulesObject object = { .track = 1, .label = "person", .score = 0.9, .width = 0.1, .height = 0.2 };

  object.age = 500 * G_GUINT64_CONSTANT (1000000);
  object.begin_x = object.begin_y = 0.5;

  for (guint i = 0; i < 20; i++) {
    object.x = object.y = i * 0.05;
    const RulesFrame frame = {
      .time = i * G_GUINT64_CONSTANT (1000000000), .objects = &object, .n_objects = i % 3 != 0
    };
    const GArray *events = rules_state_take_frame (state, &frame);
    for (guint k = 0; k < events->len; k++)
      if (g_array_index (events, RulesEvent, k).since > frame.time)
        abort ();
  }
  rules_state_replace (state, rules);
  rules_state_stop (state);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Rules) rules = rules_parse ((const gchar *) data, size, "fuzzed", &error);

  if ((rules == NULL) != (error != NULL))
    abort ();
  if (rules != NULL)
    check (rules);
  return 0;
}
