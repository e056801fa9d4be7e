/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Structs that callers fill carry their size: those of an older header are taken, those of a newer one too as long as
 * they ask for nothing new, and a size that was forgotten is an error that says so. */
#include "core/engine/engine-private.h"
#include "tests/core/engine-fixture.h"

#include <string.h>

typedef struct {
  gsize size;
  guint first, second;
} Old;

typedef struct {
  Old old;
  guint third, fourth;
} New;

static gboolean
read_old (const New *from, Old *to, GError **error)
{
  return upi_sized_read (to, sizeof *to, from, sizeof (Old), "Old", error);
}

static void
test_read (void)
{
  g_autoptr (GError) error = NULL;
  New source = { .old = { .size = sizeof (Old), .first = 1, .second = 2 }, .third = 3 };
  Old old;
  New read;

  g_assert_true (upi_sized_read (&read, sizeof read, &source, sizeof (Old), "New", &error)); /* an older program */
  g_assert_cmpuint (read.old.second, ==, 2);
  g_assert_cmpuint (read.third, ==, 0);
  source.old.size = sizeof (New);
  g_assert_false (read_old (&source, &old, &error)); /* a newer program asks for what is not there */
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, upi_version ()));
  g_clear_error (&error);
  source.third = 0;
  g_assert_true (read_old (&source, &old, &error)); /* a newer program that does not */
  g_assert_cmpuint (old.first, ==, 1);
  for (gsize size = 0; size < sizeof (Old); size++) {
    source.old.size = size;
    g_assert_false (read_old (&source, &old, &error));
    g_assert_nonnull (strstr (error->message, "sizeof (Old)"));
    g_assert_cmpuint (old.first, ==, 0);
    g_clear_error (&error);
  }
  source.old.size = (gsize) -1;
  g_assert_false (read_old (&source, &old, &error));
}

static void
test_write (void)
{
  const Old known = { .size = sizeof known, .first = 1, .second = 2 };
  New result = { .old = { .size = sizeof (New) }, .third = 77 };

  g_assert_true (upi_sized_write (&result, sizeof (Old), &known, sizeof known));
  g_assert_cmpuint (result.old.size, ==, sizeof (New));
  g_assert_cmpuint (result.old.second, ==, 2);
  g_assert_cmpuint (result.third, ==, 0); /* not counted */
  result = (New){ .old = { .size = G_STRUCT_OFFSET (Old, second), .second = 55 }, .third = 77 };
  g_assert_true (upi_sized_write (&result, G_STRUCT_OFFSET (Old, second), &known, sizeof known));
  g_assert_cmpuint (result.old.first, ==, 1);
  g_assert_cmpuint (result.old.second, ==, 55); /* behind the older program's struct */
  result.old.size = 0;
  g_assert_false (upi_sized_write (&result, sizeof (Old), &known, sizeof known));
}

/* A struct whose size was forgotten, in each function that takes one. */
static void
assert_size_error (GError **error, const gchar *name)
{
  g_assert_error (*error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr ((*error)->message, name));
  g_assert_nonnull (strstr ((*error)->message, "sizeof"));
  g_clear_error (error);
}

static void
count_release (gpointer data)
{
  ++*(guint *) data;
}

static void
test_forgotten (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog");
  const UpiEngineOptions options = { .model = fixture_model () };
  const UpiDetectOptions detect = { .threshold = 0.5f };
  const UpiCaptionOptions caption = { .max_tokens = 2 };
  guint released = 0;
  struct {
    UpiImage image;
    guint8 unknown;
  } image = { { .size = sizeof image, .release = count_release, .user_data = &released }, 1 };

  g_assert_null (upi_engine_open (&options, NULL, &error));
  assert_size_error (&error, "UpiEngineOptions");
  g_autofree gchar *conflict = upi_engine_options_conflict (engine, &options);
  g_assert_nonnull (strstr (conflict, "UpiEngineOptions.size"));
  g_assert_null (upi_engine_detect (engine, encoding, labels, &detect, &error));
  assert_size_error (&error, "UpiDetectOptions");
  g_assert_null (upi_engine_caption (engine, encoding, &caption, NULL, NULL, NULL, &error));
  assert_size_error (&error, "UpiCaptionOptions");
  g_assert_null (upi_engine_encode (engine, &image.image, 0, 0, 0, NULL, NULL, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_cmpuint (released, ==, 1);
  g_clear_error (&error);
  image.image.size = 0;
  g_assert_null (upi_engine_encode (engine, &image.image, 0, 0, 0, NULL, NULL, &error));
  assert_size_error (&error, "UpiImage");

  UpiEngineStats stats = { 0 };
  g_test_expect_message ("upi", G_LOG_LEVEL_CRITICAL, "*sizeof (UpiEngineStats)*");
  upi_engine_get_stats (engine, &stats);
  g_test_assert_expected_messages ();
}

/* Nothing but the model's defaults. */
static void
test_no_options (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  g_autoptr (UpiTicket) ticket = upi_engine_caption (engine, encoding, NULL, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (upi_ticket_wait (ticket, &error));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/sizes/read", test_read);
  g_test_add_func ("/engine/sizes/write", test_write);
  g_test_add_func ("/engine/sizes/forgotten", test_forgotten);
  g_test_add_func ("/engine/sizes/no-options", test_no_options);
  gint status = g_test_run ();
  fixture_clear ();
  return status;
}
