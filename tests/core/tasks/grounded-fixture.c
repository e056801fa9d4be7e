/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See grounded-fixture.h. */
#include "tests/core/tasks/grounded-fixture.h"

#include "core/model/model.h"
#include "tests/tiny-config.h"

gchar *
grounded_model_with (const gchar *ranking, const gchar *determiner)
{
  g_autofree gchar *caption = g_strdup_printf (UPI_TINY_GROUNDING ("%s", "%s", "e"), ranking, determiner);
  g_auto (GStrv) parts = g_strsplit (UPI_TINY_MOBILENET_CONFIG, "\"max_tokens\": 12", 2);
  g_autofree gchar *config = g_strconcat (parts[0], caption, parts[1], NULL);
  g_autoptr (GError) error = NULL;
  gchar *directory = g_dir_make_tmp ("upi-engine-XXXXXX", &error);

  g_assert_no_error (error);
  upi_model_write_random (directory, config, 11, &error);
  g_assert_no_error (error);
  return directory;
}

gchar *
grounded_model (const gchar *ranking)
{
  return grounded_model_with (ranking, "a");
}

UpiEngine *
grounded_open (const gchar *model)
{
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = model, .device = "cpu", .threads = 1 };
  g_autoptr (GError) error = NULL;
  UpiEngine *engine = upi_engine_open (&options, NULL, &error);

  g_assert_no_error (error);
  return engine;
}

UpiCaption *
grounded_caption (
    UpiEngine *engine, UpiEncoding *encoding, UpiCaptionOptions options, UpiPartialFunc partial, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiTicket) ticket = NULL;

  options.size = sizeof options;
  ticket = upi_engine_caption (engine, encoding, &options, partial, NULL, user_data, &error);
  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  return upi_ticket_get_caption (ticket);
}
