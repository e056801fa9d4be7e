/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* safetensors files: every conversion, and each way a file can lie about itself. */
#include "core/model/half.h"
#include "core/model/safetensors.h"
#include "core/upi.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* A file from its header and its data; length overrides what the first 8 bytes say. */
static UpiSafetensors *
parse (const gchar *header, gconstpointer data, gsize size, const guint64 *length, GError **error)
{
  guint64 n = length != NULL ? *length : strlen (header);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GBytes) file = NULL;

  for (guint i = 0; i < 8; i++) {
    guint8 byte = (guint8) (n >> (8 * i));
    g_byte_array_append (bytes, &byte, 1);
  }
  g_byte_array_append (bytes, (const guint8 *) header, (guint) strlen (header));
  g_byte_array_append (bytes, data, (guint) size);
  file = g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
  return upi_safetensors_parse (file, "the.safetensors", error);
}

static void
test_types (void)
{
  static const guint8 data[] = {
    0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0,                         /* F32 1, -2 */
    0x00, 0x3c, 0x01, 0x00, 0xff, 0x7b,                                     /* F16 1, 2^-24, 65504 */
    0x80, 0x3f, 0x00, 0xc0,                                                 /* BF16 1, -2 */
    0x07, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff,                         /* I32 7, -1 */
    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0, 0, 0, 0, 0, /* I64 -2, 5 */
  };
  static const gchar header[] =
      "{\"__metadata__\":{\"format\":\"pt\"},\"f32\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
      "\"f16\":{\"dtype\":\"F16\",\"shape\":[3,1],\"data_offsets\":[8,14]},"
      "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[14,18]},"
      "\"i32\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[18,26]},"
      "\"i64\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[26,42]},"
      "\"none\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[42,42]}}";
  GError *error = NULL;
  g_autoptr (UpiSafetensors) st = parse (header, data, sizeof data, NULL, &error);
  g_autofree gfloat *f32 = NULL, *f16 = NULL, *bf16 = NULL;
  g_autofree gint32 *i32 = NULL, *i64 = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (upi_safetensors_count (st), ==, 6);
  g_assert_null (upi_safetensors_find (st, "f64"));
  g_assert_cmpuint (upi_safetensors_find (st, "f16")->rank, ==, 2);
  g_assert_cmpuint (upi_safetensors_find (st, "f16")->dim[0], ==, 3);
  g_assert_cmpuint (upi_safetensors_find (st, "none")->count, ==, 0);
  f32 = upi_safetensor_read (upi_safetensors_find (st, "f32"), &error);
  f16 = upi_safetensor_read (upi_safetensors_find (st, "f16"), &error);
  bf16 = upi_safetensor_read (upi_safetensors_find (st, "bf16"), &error);
  i32 = upi_safetensor_read_i32 (upi_safetensors_find (st, "i32"), &error);
  i64 = upi_safetensor_read_i32 (upi_safetensors_find (st, "i64"), &error);
  g_assert_no_error (error);
  g_assert_true (f32[0] == 1 && f32[1] == -2);
  g_assert_true (f16[0] == 1 && f16[1] == 0x1p-24f && f16[2] == 65504);
  g_assert_true (bf16[0] == 1 && bf16[1] == -2);
  g_assert_true (i32[0] == 7 && i32[1] == -1);
  g_assert_true (i64[0] == -2 && i64[1] == 5);
  g_assert_null (upi_safetensor_read (upi_safetensors_find (st, "i32"), &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_clear_error (&error);
  g_assert_null (upi_safetensor_read_i32 (upi_safetensors_find (st, "f32"), &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_clear_error (&error);
}

/* All 65536 float16 numbers, by the fast way and one by one, and back. */
static void
test_half (void)
{
  g_autofree guint8 *bytes = g_malloc (65536 * 2 + 1);
  g_autofree gfloat *fast = g_new (gfloat, 65536);

  for (guint i = 0; i < 65536; i++) {
    bytes[1 + 2 * i] = (guint8) i; /* not aligned */
    bytes[2 + 2 * i] = (guint8) (i >> 8);
  }
  upi_convert_f16 (fast, bytes + 1, 65536);
  for (guint i = 0; i < 65536; i++) {
    guint exponent = (i >> 10) & 31, mantissa = i & 1023;
    gdouble value = exponent ? ldexp (1024 + mantissa, (gint) exponent - 25) : ldexp (mantissa, -24);
    gfloat expected = (gfloat) (i & 0x8000 ? -value : value), slow = upi_half_to_float ((guint16) i);
    if (exponent == 31 && mantissa) {
      g_assert_true (isnan (fast[i]) && isnan (slow));
      continue;
    }
    if (exponent == 31)
      expected = i & 0x8000 ? -INFINITY : INFINITY;
    g_assert_true (fast[i] == expected && slow == expected);
    g_assert_true (!!signbit (fast[i]) == (i >> 15) && !!signbit (slow) == (i >> 15));
    g_assert_cmpuint (upi_float_to_half (expected), ==, i);
  }
  /* to nearest, ties to even */
  g_assert_cmpuint (upi_float_to_half (1 + 0x1p-11f), ==, 0x3c00);
  g_assert_cmpuint (upi_float_to_half (1 + 3 * 0x1p-11f), ==, 0x3c02);
  g_assert_cmpuint (upi_float_to_half (1 + 0x1p-11f + 0x1p-20f), ==, 0x3c01);
  g_assert_cmpuint (upi_float_to_half (65519), ==, 0x7bff);
  g_assert_cmpuint (upi_float_to_half (65520), ==, 0x7c00);
  g_assert_cmpuint (upi_float_to_half (0x1p-25f), ==, 0);
  g_assert_cmpuint (upi_float_to_half (0x1.8p-24f), ==, 2);
}

#define ENTRY(name, dtype, shape, offsets)                                                                             \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
  const gchar *what, *header;
  gsize size;
  const gchar *says; /* "" where json-glib or we may refuse first */
} wrong[] = {
  { "truncated-data", "{" ENTRY ("a", "F32", "[4]", "[0,16]") "}", 12, "a: lies at 0..16, but the file has 12" },
  { "beyond-the-end", "{" ENTRY ("a", "F32", "[4]", "[100,116]") "}", 16, "a: lies at 100..116" },
  { "backwards", "{" ENTRY ("a", "F32", "[4]", "[16,0]") "}", 16, "a: lies at 16..0" },
  { "negative-offset", "{" ENTRY ("a", "F32", "[4]", "[-16,0]") "}", 16, "data_offsets" },
  { "huge-offset", "{" ENTRY ("a", "F32", "[4]", "[0,18446744073709551615]") "}", 16, "" },
  { "one-offset", "{" ENTRY ("a", "F32", "[4]", "[16]") "}", 16, "data_offsets" },
  { "too-short-for-shape", "{" ENTRY ("a", "F32", "[5]", "[0,16]") "}", 16, "a: has 16 bytes" },
  { "overlap", "{" ENTRY ("a", "F32", "[2]", "[0,8]") "," ENTRY ("b", "F32", "[2]", "[4,12]") "}", 12,
      "b: overlaps a" },
  { "same-place", "{" ENTRY ("a", "F32", "[2]", "[0,8]") "," ENTRY ("b", "F32", "[2]", "[0,8]") "}", 8, "overlaps" },
  { "gap", "{" ENTRY ("a", "F32", "[2]", "[0,8]") "," ENTRY ("b", "F32", "[2]", "[12,20]") "}", 20,
      "b: 4 bytes before it" },
  { "unused-end", "{" ENTRY ("a", "F32", "[2]", "[0,8]") "}", 12, "4 bytes at the end" },
  { "overflowing-shape", "{" ENTRY ("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0,
      "more elements than can be counted" },
  { "wrapping-bytes", "{" ENTRY ("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, "a: has 0 bytes" },
  { "negative-shape", "{" ENTRY ("a", "F32", "[-4]", "[0,16]") "}", 16, "shape" },
  { "fractional-shape", "{" ENTRY ("a", "F32", "[4.0]", "[0,16]") "}", 16, "shape" },
  { "nine-dimensions", "{" ENTRY ("a", "F32", "[1,1,1,1,1,1,1,1,4]", "[0,16]") "}", 16, "shape" },
  { "unknown-type", "{" ENTRY ("a", "F64", "[2]", "[0,16]") "}", 16, "a: dtype is not one of" },
  { "type-is-a-number", "{\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype" },
  { "no-shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "shape" },
  { "entry-is-an-array", "{\"a\":[]}", 0, "a: its header entry" },
  { "header-is-an-array", "[]", 0, "object" },
  { "header-is-not-json", "{\"a\":", 0, "not JSON" },
  { "header-is-binary", "\x01\x02\x03", 0, "not JSON" },
  { "header-nests", "{\"a\":[[[[[[]]]]]]}", 0, "deep" },
  { "twice-the-same-name", "{" ENTRY ("a", "F32", "[2]", "[0,8]") "," ENTRY ("a", "F32", "[2]", "[8,16]") "}", 16, "" },
};

static void
test_wrong (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autofree guint8 *zeros = g_malloc0 (wrong[i].size + 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiSafetensors) st = parse (wrong[i].header, zeros, wrong[i].size, NULL, &error);

  g_assert_null (st);
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_true (g_str_has_prefix (error->message, "the.safetensors: "));
  if (strstr (error->message, wrong[i].says) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, wrong[i].says);
}

static void
test_header_length (void)
{
  static const guint64 lengths[] = { 3, 1000, G_MAXUINT64, G_MAXUINT64 - 8, (guint64) 1 << 63 };

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_null (parse ("{}", "", 0, lengths + i, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
    g_assert_nonnull (strstr (error->message, "truncated"));
  }
  for (gsize size = 0; size < 8; size++) {
    g_autoptr (GBytes) bytes = g_bytes_new ("\2\0\0\0\0\0\0", size);
    g_autoptr (GError) error = NULL;
    g_assert_null (upi_safetensors_parse (bytes, "short", &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  }
}

/* NaN and infinity, in each type, wherever they stand. */
static void
test_not_finite (void)
{
  static const guint32 bad[] = { 0x7fc00000, 0xffc00001, 0x7f800000, 0xff800000, 0x7f800001 };
  static const guint16 bad_half[] = { 0x7e00, 0xfc00 }, bad_bf16[] = { 0x7fc0, 0xff80 };
  static const gchar header[] = "{" ENTRY ("a", "F32", "[9000]", "[0,36000]") "," ENTRY (
      "h", "F16", "[100]", "[36000,36200]") "," ENTRY ("b", "BF16", "[100]", "[36200,36400]") "}";
  static const gsize places[] = { 0, 4095, 4096, 8999 };

  for (guint p = 0; p < G_N_ELEMENTS (places); p++) {
    for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
      g_autofree guint8 *data = g_malloc0 (36400);
      g_autofree gchar *element = g_strdup_printf ("element %" G_GSIZE_FORMAT " ", places[p]);
      g_autoptr (GError) error = NULL;
      g_autoptr (UpiSafetensors) st = NULL;
      memcpy (data + 4 * places[p], bad + i, 4);
      st = parse (header, data, 36400, NULL, &error);
      g_assert_no_error (error);
      g_assert_null (upi_safetensor_read (upi_safetensors_find (st, "a"), &error));
      g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
      g_assert_nonnull (strstr (error->message, "tensor a"));
      g_assert_nonnull (strstr (error->message, element));
    }
  }
  for (guint i = 0; i < 2; i++) {
    g_autofree guint8 *data = g_malloc0 (36400);
    g_autoptr (GError) error = NULL;
    g_autoptr (UpiSafetensors) st = NULL;
    memcpy (data + 36000 + 2 * 99, bad_half + i, 2);
    memcpy (data + 36200 + 2 * 42, bad_bf16 + i, 2);
    st = parse (header, data, 36400, NULL, &error);
    g_assert_null (upi_safetensor_read (upi_safetensors_find (st, "h"), &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
    g_clear_error (&error);
    g_assert_null (upi_safetensor_read (upi_safetensors_find (st, "b"), &error));
    g_assert_nonnull (strstr (error->message, "element 42 "));
  }
}

static void
test_wide_integer (void)
{
  gint64 wide[] = { 1, (gint64) 1 << 31 };
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiSafetensors) st =
      parse ("{" ENTRY ("ids", "I64", "[2]", "[0,16]") "}", wide, sizeof wide, NULL, &error);

  g_assert_no_error (error);
  g_assert_null (upi_safetensor_read_i32 (upi_safetensors_find (st, "ids"), &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_nonnull (strstr (error->message, "2147483648"));
}

/* Written files are read back from the mapping, in place where they can be; reading twice gives the same. */
static void
test_file (void)
{
  g_autofree gchar *directory = g_dir_make_tmp ("upi-safetensors-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (directory, "x.safetensors", NULL);
  g_autofree gfloat *numbers = g_new (gfloat, 20000);
  const gint32 ids[] = { 3, -4 };
  const UpiSafetensorOut out[] = {
    { "whole", UPI_TENSOR_F32, 2, { 100, 200 }, numbers },
    { "half", UPI_TENSOR_F16, 1, { 20000 }, numbers },
    { "ids", UPI_TENSOR_I32, 1, { 2 }, ids },
  };
  GError *error = NULL;

  for (guint i = 0; i < 20000; i++)
    numbers[i] = (i % 2048) / 64.0f - 16; /* exact in float16 */
  g_assert_true (upi_safetensors_write (path, out, G_N_ELEMENTS (out), &error));
  g_assert_no_error (error);
  {
    g_autoptr (UpiSafetensors) st = upi_safetensors_open (path, &error);
    const gfloat *view;
    g_assert_no_error (error);
    view = upi_safetensor_view (upi_safetensors_find (st, "whole"), &error);
    g_assert_no_error (error);
    g_assert_nonnull (view);
    g_assert_cmpmem (view, 80000, numbers, 80000);
    g_assert_null (upi_safetensor_view (upi_safetensors_find (st, "half"), &error));
    g_assert_no_error (error);
    for (guint twice = 0; twice < 2; twice++) {
      g_autofree gfloat *half = upi_safetensor_read (upi_safetensors_find (st, "half"), &error);
      g_autofree gfloat *whole = upi_safetensor_read (upi_safetensors_find (st, "whole"), &error);
      g_autofree gint32 *found = upi_safetensor_read_i32 (upi_safetensors_find (st, "ids"), &error);
      g_assert_no_error (error);
      g_assert_cmpmem (half, 80000, numbers, 80000);
      g_assert_cmpmem (whole, 80000, numbers, 80000);
      g_assert_cmpmem (found, 8, ids, 8);
    }
  }
  g_unlink (path);
  g_assert_null (upi_safetensors_open (path, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_clear_error (&error);
  g_rmdir (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/safetensors/types", test_types);
  g_test_add_func ("/safetensors/half", test_half);
  g_test_add_func ("/safetensors/header-length", test_header_length);
  g_test_add_func ("/safetensors/not-finite", test_not_finite);
  g_test_add_func ("/safetensors/wide-integer", test_wide_integer);
  g_test_add_func ("/safetensors/file", test_file);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree gchar *path = g_strconcat ("/safetensors/wrong/", wrong[i].what, NULL);
    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_wrong);
  }
  return g_test_run ();
}
