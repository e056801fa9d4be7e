/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-properties.c: what the properties of all elements promise is what they take: with every number at both ends of
 * its range, every choice of an enumeration and both values of a switch, frames pass without an error or a warning. */
#include "tests/gst/stream.h"

/* All elements of the plugin, each named as its factory; upicaption, which takes most of the time, where it is the one
 * that is tried. A length penalty counts only with more than one beam, candidates only without one and with a model
 * that has grounded captions. */
#define CAPTION(beam_size) "upicaption name=upicaption interval=0 beam-size=" beam_size " ! "
#define ALL(model, caption)                                                                                            \
  "upiencoder name=upiencoder model=" model                                                                            \
  " device=cpu threads=1 policy=block ! upidetect name=upidetect ! upitrack name=upitrack ! "                          \
  "upirules name=upirules rules=\"{\\\"rules\\\":{\\\"n\\\":{\\\"type\\\":\\\"count\\\",\\\"above\\\":1}}}\" ! "       \
  "upiclassify name=upiclassify labels=\"night, day\" ! " caption                                                      \
  "upijson name=upijson location=/dev/null ! upioverlay name=upioverlay"

/* Sets one property and runs frames; the end of the stream finds errors and warnings, and names what was set. */
static void
run_in (const gchar *description, const gchar *name, const gchar *property, const GValue *value)
{
  Stream *stream = stream_new (description, FALSE);
  GstElement *element = stream_get (stream, name);
  g_autofree gchar *text = g_strdup_value_contents (value);

  g_test_message ("%s %s=%s", name, property, text);
  gst_element_set_state (
      element, GST_STATE_READY); /* before what is fixed from PAUSED on; the harness has set it playing */
  g_object_set_property (G_OBJECT (element), property, value);
  gst_element_sync_state_with_parent (element);
  stream_format (stream, "I420", 64, 48);
  for (guint i = 0; i < 3; i++) {
    g_assert_cmpint (stream_push (stream, i), ==, GST_FLOW_OK);
    gst_buffer_unref (stream_pull (stream));
  }
  gst_object_unref (element);
  stream_free (stream);
}

static void
run_with (const gchar *name, const gchar *property, const GValue *value)
{
  if (g_str_equal (name, "upicaption")) {
    run_in (ALL ("tiny", CAPTION ("2")), name, property, value);
    if (!g_str_equal (property, "beam-size"))
      run_in (ALL ("grounded", CAPTION ("1")), name, property, value);
  } else {
    /* upiclassify scores=independent needs a calibrated model */
    run_in (g_str_equal (name, "upiclassify") ? ALL ("calibrated", "") : ALL ("tiny", ""), name, property, value);
  }
}

static guint
run_number (const gchar *name, GParamSpec *pspec, gdouble minimum, gdouble maximum)
{
  const gdouble ends[] = { minimum, maximum };

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    GValue number = G_VALUE_INIT, value = G_VALUE_INIT;
    g_value_init (&number, G_TYPE_DOUBLE);
    g_value_set_double (&number, ends[i]);
    g_value_init (&value, pspec->value_type);
    g_assert_true (g_value_transform (&number, &value));
    run_with (name, pspec->name, &value);
    g_value_unset (&value);
  }
  return 1;
}

/* The number of properties tried: 0 or 1. */
static guint
run_property (const gchar *name, GParamSpec *pspec)
{
  GValue low = G_VALUE_INIT, high = G_VALUE_INIT;

  if (G_IS_PARAM_SPEC_FLOAT (pspec))
    return run_number (name, pspec, G_PARAM_SPEC_FLOAT (pspec)->minimum, G_PARAM_SPEC_FLOAT (pspec)->maximum);
  if (G_IS_PARAM_SPEC_DOUBLE (pspec))
    return run_number (name, pspec, G_PARAM_SPEC_DOUBLE (pspec)->minimum, G_PARAM_SPEC_DOUBLE (pspec)->maximum);
  if (G_IS_PARAM_SPEC_ENUM (pspec)) {
    const GEnumClass *choices = G_PARAM_SPEC_ENUM (pspec)->enum_class;
    for (guint i = 0; i < choices->n_values; i++) {
      GValue value = G_VALUE_INIT;
      g_value_init (&value, pspec->value_type);
      g_value_set_enum (&value, choices->values[i].value);
      run_with (name, pspec->name, &value);
    }
    return 1;
  }
  g_value_init (&low, pspec->value_type);
  g_value_init (&high, pspec->value_type);
  if (G_IS_PARAM_SPEC_BOOLEAN (pspec)) {
    g_value_set_boolean (&high, TRUE);
  } else if (G_IS_PARAM_SPEC_UINT (pspec)) {
    g_value_set_uint (&low, G_PARAM_SPEC_UINT (pspec)->minimum);
    g_value_set_uint (&high, G_PARAM_SPEC_UINT (pspec)->maximum);
  } else if (G_IS_PARAM_SPEC_INT (pspec)) {
    g_value_set_int (&low, G_PARAM_SPEC_INT (pspec)->minimum);
    g_value_set_int (&high, G_PARAM_SPEC_INT (pspec)->maximum);
  } else if (G_IS_PARAM_SPEC_UINT64 (pspec)) {
    g_value_set_uint64 (&low, G_PARAM_SPEC_UINT64 (pspec)->minimum);
    g_value_set_uint64 (&high, G_PARAM_SPEC_UINT64 (pspec)->maximum);
  } else if (G_IS_PARAM_SPEC_INT64 (pspec)) {
    g_value_set_int64 (&low, G_PARAM_SPEC_INT64 (pspec)->minimum);
    g_value_set_int64 (&high, G_PARAM_SPEC_INT64 (pspec)->maximum);
  } else { /* words and structures have no range; what they take is each element's own test */
    g_assert_true (G_IS_PARAM_SPEC_STRING (pspec) || G_IS_PARAM_SPEC_BOXED (pspec) || G_IS_PARAM_SPEC_OBJECT (pspec));
    return 0;
  }
  run_with (name, pspec->name, &low);
  run_with (name, pspec->name, &high);
  return 1;
}

static void
test_ranges (void)
{
  GList *features = gst_registry_get_feature_list_by_plugin (gst_registry_get (), "upi");
  guint n_elements = 0, n_properties = 0;

  for (GList *l = features; l != NULL; l = l->next) {
    if (!GST_IS_ELEMENT_FACTORY (l->data))
      continue;
    const gchar *name = GST_OBJECT_NAME (l->data);
    GstElement *element = gst_element_factory_create (l->data, NULL);
    guint n = 0;
    g_assert_nonnull (element);
    gst_object_ref_sink (element);
    if (element->numsinkpads == 0) { /* no frames can be given to a source: its own test tries its ranges */
      gst_object_unref (element);
      continue;
    }
    g_autofree GParamSpec **pspecs = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);
    for (guint i = 0; i < n; i++)
      if ((pspecs[i]->flags & G_PARAM_WRITABLE) && pspecs[i]->owner_type == G_OBJECT_TYPE (element))
        n_properties += run_property (name, pspecs[i]);
    n_elements++;
    gst_object_unref (element);
  }
  g_assert_cmpuint (n_elements, >=, 5);
  g_assert_cmpuint (n_properties, >=, 20);
  gst_plugin_feature_list_free (features);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/properties/ranges", test_ranges);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
