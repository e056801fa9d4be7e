/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read-rules.c: what the reader of rules says of files: a line each, "good" or what is wrong. */
#include "gst/rules/rules.h"

int
main (int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (Rules) rules = rules_load (argv[i], NULL, &error);
    g_assert_true ((rules != NULL) == (error == NULL));
    g_print ("%s\n", rules != NULL ? "good" : error->message);
  }
  return 0;
}
