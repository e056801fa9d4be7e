/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device=auto where cuda may be missing: it takes a GPU that answers, else the processor; device=cuda then says what is
 * missing. Run without the module, and with the module built for the real libraries, which on most machines finds no
 * driver. */
#include "tests/core/engine-fixture.h"

#include "core/backends/backend.h"

#include <string.h>

static void
test_auto (void)
{
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cuda" };
  g_autoptr (GError) missing = NULL;
  gboolean there = upi_backend_find ("cuda", &missing) != NULL;
  g_autoptr (UpiEngine) engine = fixture_engine ("auto", 1, 1, 0, NULL);
  g_autoptr (UpiEngine) asked = NULL;
  g_autoptr (GError) error = NULL;

  g_test_message ("%s", there ? "there is a GPU" : missing->message);
  g_assert_cmpstr (upi_engine_info (engine)->device, ==, there ? "cuda:0" : "cpu");
  asked = upi_engine_open (&options, NULL, &error);
  if (there) {
    g_assert_no_error (error);
    return;
  }
  g_assert_null (asked);
  g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_nonnull (strstr (error->message, missing->message));
  g_assert_nonnull (strstr (error->message, "use device=cpu"));
  if (g_getenv ("UPI_TEST_WITHOUT_MODULE") != NULL)
    g_assert_nonnull (strstr (error->message, "libupi-cuda.so was not found"));
}

int
main (int argc, char **argv)
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/device/auto", test_auto);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
