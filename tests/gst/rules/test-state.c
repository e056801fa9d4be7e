/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-state.c: each kind of rule on tracks made up here, with every event that it is to make and none besides. */
#include <math.h>
#include <string.h>

#include "tests/gst/rules/steps.h"

static void
test_zone_enter_leave (void)
{
  static const Step steps[] = {
    { 0, "7@0.1,0.5", "" },
    { 100, "7@0.3,0.5", "1 new enter 7 n1 +1-0" },
    { 200, "7@0.5,0.5 8@0.9,0.9", "" },
    { 300, "7@0.6,0.5 8@0.7,0.7", "2 new enter 8 n2 +2-0" },
    { 400, "7@0.8,0.5 8@0.7,0.7", "1 end leave 7 n1 +2-1" },
    { 500, "7@0.7,0.5 8@0.7,0.8", "3 new enter 7 n2 +3-1; 2 end leave 8 n1 +3-2" }, /* in the objects' order */
    { 600, "7@0.7,0.5", "" },
  };
  RUN (ONE (SQUARE), steps);
}

static void
test_zone_touching_edges (void)
{
  static const Step steps[] = {
    { 0, "7@0.1,0.5", "" },
    { 100, "7@0.25,0.5", "1 new enter 7 n1 +1-0" }, /* on an edge is inside */
    { 200, "7@0.2499,0.5", "1 end leave 7 n0 +1-1" },
    { 300, "7@0.25,0.25", "2 new enter 7 n1 +2-1" }, /* on a corner */
    { 400, "7@0.24,0.24", "2 end leave 7 n0 +2-2" },
    { 500, "7@0.75,0.75", "3 new enter 7 n1 +3-2" },
    { 600, "7@0.5,0.75", "" }, /* along the lower edge */
    { 700, "7@0.5,0.7501", "3 end leave 7 n0 +3-3" },
    { 800, "7@0.9,0.25", "" }, /* level with the upper edge, beside it */
    { 900, "7@0.1,0.75", "" },
  };
  RUN (ONE (SQUARE), steps);
}

/* A U, and a bow tie, which has two halves. */
static void
test_zone_not_convex (void)
{
  static const Step u[] = {
    { 0, "7@0.5,0.3", "" }, /* between its arms */
    { 100, "7@0.2,0.3", "1 new enter 7 n1 +1-0" },
    { 200, "7@0.2,0.8", "" },
    { 300, "7@0.8,0.8", "" },
    { 400, "7@0.8,0.2", "" },
    { 500, "7@0.5,0.2", "1 end leave 7 n0 +1-1" },
    { 600, "7@0.5,0.7", "2 new enter 7 n1 +2-1" }, /* the inner edge */
    { 700, "7@0.5,0.69", "2 end leave 7 n0 +2-2" },
  };
  static const Step tie[] = {
    { 0, "1@0.5,0.2 2@0.2,0.5 3@0.8,0.5 4@0.5,0.5",
        "1 new appear 2 n1 +1-0; 2 new appear 3 n2 +2-0; 3 new appear 4 n3 +3-0" },
    { 100, "1@0.5,0.9 2@0.2,0.5 3@0.8,0.5 4@0.5,0.55", "3 end leave 4 n2 +3-1" },
  };

  RUN (ONE ("\"type\": \"zone\", \"polygon\": [[0.1, 0.1], [0.3, 0.1], [0.3, 0.7], [0.7, 0.7], [0.7, 0.1], [0.9, 0.1], "
            "[0.9, 0.9], [0.1, "
            "0.9]]"),
      u);
  RUN (ONE ("\"type\": \"zone\", \"polygon\": [[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]"), tie);
}

static void
test_zone_start_inside (void)
{
  static const Step steps[] = {
    { 0, "7@0.5,0.5", "1 new appear 7 n1 +1-0" },
    { 100, "7@0.9,0.5", "1 end leave 7 n0 +1-1" },
    { 200, "7@0.5,0.5", "2 new enter 7 n1 +2-1" },
  };
  RUN (ONE (SQUARE), steps);
}

/* Who is given a number late has come from where its track began. */
static void
test_zone_late_number (void)
{
  static const Step steps[] = {
    { 0, "7@0.5,0.5<0.5,0.9/800 8@0.5,0.5<0.5,0.51/800 9@0.9,0.5<0.9,0.6/800",
        "1 new enter 7 n1 +1-0; 2 new appear 8 n2 +2-0" },
    { 100, "7@0.5,0.5 8@0.5,0.5 10@0.9,0.5<0.5,0.5/400", "3 new appear 10 n3 +3-0; 3 end leave 10 n2 +3-1" },
    { 200, "7@0.5,0.5 8@0.5,0.5 11@0.9,0.5<0.5,0.5/1600", "" }, /* long there */
  };
  RUN (ONE (SQUARE), steps);
}

static void
test_zone_lost_and_found (void)
{
  static const Step steps[] = {
    { 0, "7@0.5,0.5", "1 new appear 7 n1 +1-0" }, { 1000, "", "" }, /* still counted */
    { 2000, "7@0.5,0.6", "" }, { 4000, "", "" },
    { 4001, "", "1 end vanish 7 n0 +1-1" }, /* more than lost_time after it was seen */
    { 5000, "7@0.5,0.5", "2 new appear 7 n1 +2-1" }, { 6000, "", "" },
    { 7000, "7@0.1,0.5", "2 end leave 7 n0 +2-2" }, /* it left while nobody saw it */
  };
  RUN (ONE (SQUARE), steps);
}

static void
test_zone_time (void)
{
  static const Step steps[] = {
    { 0, "7@0.1,0.5", "" },
    { 100, "7@0.3,0.5", "" },
    { 1000, "7@0.3,0.5", "" },
    { 1050, "7@0.1,0.5", "" }, /* too short */
    { 1100, "7@0.3,0.5", "" },
    { 2099, "7@0.3,0.5", "" },
    { 2100, "7@0.3,0.5", "1 new enter 7 n1 +1-0" },
    { 6099, "7@0.3,0.5", "" },
    { 6100, "7@0.3,0.5", "1 update dwell 7 n1 +1-0" }, /* since it came in */
    { 9000, "7@0.3,0.5", "" },
    { 9100, "7@0.1,0.5", "1 end leave 7 n0 +1-1" },
  };
  RUN (ONE (SQUARE ", \"min_time\": 1, \"dwell\": 5"), steps);

  g_autoptr (RulesState) state = state_of (ONE (SQUARE ", \"min_time\": 1"));
  take (state, &(Step){ 500, "7@0.5,0.5", "" }, NULL);
  const GArray *events = take (state, &(Step){ 1600, "7@0.5,0.5", "" }, NULL);
  g_assert_cmpuint (events->len, ==, 1);
  g_assert_cmpuint (g_array_index (events, RulesEvent, 0).time, ==, 1600 * G_GUINT64_CONSTANT (1000000));
  g_assert_cmpuint (g_array_index (events, RulesEvent, 0).since, ==, 500 * G_GUINT64_CONSTANT (1000000));
  g_assert_cmpstr (g_array_index (events, RulesEvent, 0).object.label, ==, "person");
  g_assert_cmpfloat_with_epsilon (g_array_index (events, RulesEvent, 0).object.x, 0.45, 1e-9);
}

static void
test_zone_counts (void)
{
  static const Step steps[] = {
    { 0, "", "1 new below n0" },
    { 100, "7@0.5,0.5", "2 new appear 7 n1 +1-0; 1 end below n1" },
    { 200, "7@0.5,0.5 8@0.6,0.5", "3 new appear 8 n2 +2-0; 4 new above n2" },
    { 300, "7@0.5,0.5 8@0.6,0.5 9@0.7,0.5", "5 new appear 9 n3 +3-0; 4 update above n3" },
    { 400, "7@0.5,0.5 8@0.6,0.5 9@0.7,0.5", "" },
    { 500, "7@0.9,0.5 8@0.9,0.5 9@0.7,0.5", "2 end leave 7 n2 +3-1; 3 end leave 8 n1 +3-2; 4 end above n1" },
    { 600, "7@0.9,0.5 8@0.9,0.5 9@0.9,0.5", "5 end leave 9 n0 +3-3; 6 new below n0" },
  };
  g_autoptr (RulesState) state = state_of (ONE (SQUARE ", \"above\": 1, \"below\": 1"));

  for (guint i = 0; i < G_N_ELEMENTS (steps);
       i++) { /* a level's events tell the totals too, which are left out above */
    const GArray *events = take (state, &steps[i], NULL);
    g_autoptr (GString) text = g_string_new (NULL);
    for (guint j = 0; j < events->len; j++) {
      const RulesEvent *event = &g_array_index (events, RulesEvent, j);
      g_string_append_printf (
          text, "%s%" G_GUINT64_FORMAT " %s %s", j > 0 ? "; " : "", event->id, event_types[event->type], event->what);
      if (event->object.track != 0)
        g_string_append_printf (text, " %" G_GUINT64_FORMAT " n%u +%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
            event->object.track, event->count, event->total_in, event->total_out);
      else
        g_string_append_printf (text, " n%u", event->count);
    }
    g_assert_cmpstr (text->str, ==, steps[i].events);
  }
}

/* A cooldown keeps quiet, it does not keep from counting; what began ends. */
static void
test_cooldown (void)
{
  static const Step zone[] = {
    { 0, "7@0.5,0.5", "1 new appear 7 n1 +1-0" },
    { 100, "7@0.5,0.5 8@0.5,0.5", "" },
    { 200, "7@0.9,0.5 8@0.9,0.5", "1 end leave 7 n1 +2-1" },
    { 9999, "9@0.5,0.5", "" },
    { 10000, "9@0.5,0.5 10@0.5,0.5", "2 new appear 10 n2 +4-2" },
  };
  static const Step count[] = {
    { 0, "0@0.5,0.5", "1 new above n1" }, { 100, "", "1 end above n0" }, { 200, "0@0.5,0.5", "" },
    { 10000, "0@0.5,0.5", "2 new above n1" }, /* it still holds */
  };
  static const Step dwell[] = {
    { 0, "7@0.5,0.5 8@0.5,0.5", "1 new appear 7 n1 +1-0" },
    { 12000, "7@0.5,0.5 8@0.5,0.5", "1 update dwell 7 n2 +2-0; 2 new dwell 8 n2 +2-0" },
    { 12100, "7@0.9,0.5 8@0.9,0.5", "1 end leave 7 n1 +2-1; 2 end leave 8 n0 +2-2" },
  };

  RUN (ONE (SQUARE ", \"cooldown\": 10"), zone);
  RUN (ONE ("\"type\": \"count\", \"above\": 0, \"cooldown\": 10"), count);
  RUN (ONE (SQUARE ", \"cooldown\": 10, \"dwell\": 12"), dwell);
}

static void
test_predicted (void)
{
  static const Step zone[] = {
    { 0, "7@0.1,0.5", "" },
    { 100, "7p@0.5,0.5 8p@0.5,0.5", "" }, /* a guess makes no event */
    { 200, "7@0.5,0.5", "1 new enter 7 n1 +1-0" },
    { 300, "7p@0.9,0.5", "" },
    { 5000, "7p@0.9,0.5", "" }, /* and loses nobody */
    { 5100, "7@0.5,0.5", "" },
    { 7101, "", "1 end vanish 7 n0 +1-1" },
  };
  static const Step line[] = {
    { 0, "7@0.5,0.2", "" },
    { 100, "7p@0.5,0.8", "" },
    { 200, "7@0.5,0.3", "" },
    { 300, "7p@0.5,0.6", "" },
    { 400, "7@0.5,0.8", "1 new forward 7 +1-0" },
  };

  RUN (ONE (SQUARE), zone);
  RUN (ONE ("\"type\": \"line\", \"points\": [[0, 0.5], [1, 0.5]]"), line);
}

static void
test_filters (void)
{
  static const Step steps[] = {
    { 0, "1@0.5,0.5=car 2@0.5,0.5:0.5 0@0.5,0.5 3@0.5,0.5=dog", "1 new appear 3 n1 +1-0" },
    { 100, "1@0.5,0.5=car 2@0.5,0.5:0.6 3@0.5,0.5:0.1=dog", "2 new enter 2 n2 +2-0" }, /* 3 was sure once */
    { 200, "2@0.9,0.5 3@0.5,0.5:0.1=dog", "2 end leave 2 n1 +2-1" },
    { 2201, "3@0.5,0.5=car", "1 end vanish 3 n0 +2-2" }, /* no dog any more: nobody sees it */
  };
  static const Step area[] = { /* boxes are 0.1 by 0.2 */
    { 0, "7@0.5,0.5", "1 new appear 7 n1 +1-0" }
  };
  static const Step small[] = { { 0, "7@0.5,0.5", "" } };

  RUN (ONE (SQUARE ", \"labels\": [\"person\", \"dog\"], \"min_score\": 0.6"), steps);
  RUN (ONE (SQUARE ", \"min_area\": 0.02"), area);
  RUN (ONE (SQUARE ", \"min_area\": 0.021"), small);
}

static void
test_count (void)
{
  static const Step steps[] = {
    { 0, "0@0.5,0.5", "1 new below n1" },
    { 100, "0@0.5,0.5 0@0.6,0.5 5@0.1,0.1", "1 end below n3; 2 new above n3" },
    { 200, "0@0.5,0.5 0@0.6,0.5 5p@0.1,0.1 6@0.2,0.2", "2 update above n4" },
    { 300, "0@0.5,0.5 0@0.6,0.5 6@0.2,0.2=car", "2 end above n2" },
  };
  RUN (ONE ("\"type\": \"count\", \"labels\": [\"person\"], \"above\": 2, \"below\": 2"), steps);
}

/* A count that wavers is no news; one that stays is. */
static void
test_count_time (void)
{
  static const Step steps[] = {
    { 0, "0@0.5,0.5 0@0.6,0.5", "" },
    { 900, "0@0.5,0.5", "" },
    { 1000, "0@0.5,0.5 0@0.6,0.5", "1 new above n2" },
    { 1100, "0@0.5,0.5", "" },
    { 1200, "0@0.5,0.5 0@0.6,0.5", "" },
    { 1300, "0@0.5,0.5", "" },
    { 2200, "0@0.5,0.5 0@0.6,0.5", "" },
    { 2300, "0@0.5,0.5", "" },
    { 3300, "0@0.5,0.5", "1 update above n1" },
    { 3400, "0@0.5,0.5", "" },
    { 3500, "", "1 end above n0" },
  };
  RUN (ONE ("\"type\": \"count\", \"above\": 0, \"min_time\": 1"), steps);
}

static void
test_phrase (void)
{
  static const struct {
    guint time_ms;
    gfloat first, second;
    const gchar *events;
  } steps[] = {
    { 0, NAN, NAN, "" },
    { 100, 0.7f, 0.6f, "wet: 1 new phrase" },
    { 200, 0.7f, NAN, "" },
    { 1099, 0.7f, 0.6f, "" },
    { 1100, 0.7f, 0.4f, "fire: 2 new phrase; wet: 1 end phrase" },
    { 1200, NAN, NAN, "" }, /* not known: as before */
    { 1300, 0.69f, 0.5f, "fire: 2 end phrase; wet: 3 new phrase" },
  };
  g_autoptr (RulesState) state = state_of (
      "{\"rules\": {\"fire\": {\"type\": \"phrase\", \"text\": \"smoke\", \"threshold\": 0.7, \"min_time\": 1},"
      "\"all\": {\"type\": \"count\"}, \"wet\": {\"type\": \"phrase\", \"text\": \"a wet road\"}}}");
  RulesView view;

  rules_state_view (state, 0, &view);
  g_assert_cmpfloat (view.score, <, 0);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    const gfloat phrases[] = { steps[i].first, steps[i].second };
    g_autofree gchar *events = describe (state, take (state, &(Step){ steps[i].time_ms, "", "" }, phrases));
    g_assert_cmpstr (events, ==, steps[i].events);
  }
  rules_state_view (state, 0, &view);
  g_assert_cmpfloat_with_epsilon (view.score, 0.69, 1e-6);
  g_assert_false (view.active);
  rules_state_view (state, 2, &view);
  g_assert_true (view.active);
}

/* Whatever goes on ends, once; afterwards nothing is known, times may begin anew, numbers go on. */
static void
test_stop (void)
{
  static const Step before[] = {
    { 5000, "7@0.5,0.5 8@0.1,0.5", "z: 1 new appear 7 n1 +1-0; c: 2 new above n2" },
    { 5100, "7@0.5,0.5 8@0.5,0.5", "z: 3 new enter 8 n2 +2-0" },
    { 5200, "7@0.9,0.5 8@0.5,0.5", "z: 1 end leave 7 n1 +2-1" },
  };
  static const Step after[] = {
    { 0, "7@0.9,0.5 8@0.5,0.5", "z: 4 new appear 8 n1 +1-0; c: 5 new above n2" },
  };
  g_autoptr (RulesState) state =
      state_of ("{\"rules\": {\"z\": {" SQUARE "}, \"c\": {\"type\": \"count\", \"above\": 1}}}");

  run_steps (state, before, G_N_ELEMENTS (before));
  const GArray *events = rules_state_stop (state);
  g_autofree gchar *text = describe (state, events);
  g_assert_cmpstr (text, ==, "z: 3 end stop 8 n1 +2-1; c: 2 end stop n2");
  g_assert_cmpuint (g_array_index (events, RulesEvent, 0).time, ==, 5200 * G_GUINT64_CONSTANT (1000000));
  g_assert_cmpuint (g_array_index (events, RulesEvent, 0).since, ==, 5100 * G_GUINT64_CONSTANT (1000000));
  g_assert_cmpuint (rules_state_stop (state)->len, ==, 0);
  run_steps (state, after, G_N_ELEMENTS (after));
}

/* New rules: one that stays as it was goes on with what it knows, wherever it stands in the file. */
static void
test_replace (void)
{
  static const Step before[] = {
    { 0, "7@0.5,0.5 8@0.1,0.5", "z: 1 new appear 7 n1 +1-0; c: 2 new above n2" },
  };
  static const Step after[] = {
    { 100, "7@0.5,0.5 8@0.5,0.5", "new: 3 new above n2; z: 4 new enter 8 n2 +2-0" },
    { 200, "7@0.9,0.5 8@0.5,0.5", "z: 1 end leave 7 n1 +2-1" },
  };
  static const gchar text[] = "{\"rules\": {\"new\": {\"type\": \"count\", \"above\": 0}, \"z\": {" SQUARE "}}}";
  g_autoptr (RulesState) state =
      state_of ("{\"rules\": {\"z\": {" SQUARE "}, \"c\": {\"type\": \"count\", \"above\": 1}}}");
  g_autoptr (Rules) rules = rules_parse (text, strlen (text), "test", NULL);

  run_steps (state, before, G_N_ELEMENTS (before));
  g_autofree gchar *events = describe (state, rules_state_replace (state, rules));
  g_assert_cmpstr (events, ==, "c: 2 end stop n2");
  run_steps (state, after, G_N_ELEMENTS (after));
  g_autofree gchar *none = describe (state, rules_state_replace (state, rules));
  g_assert_cmpstr (none, ==, "");
}

/* Two objects with one number: the first one is it. */
static void
test_same_track_twice (void)
{
  static const Step steps[] = {
    { 0, "7@0.5,0.5 7@0.9,0.5", "1 new appear 7 n1 +1-0" },
    { 100, "7@0.5,0.5 7@0.9,0.5", "" },
  };
  RUN (ONE (SQUARE), steps);
}

/* By random polygons and points, against how often the boundary turns around the point. */
static void
test_polygons (void)
{
  guint n_inside = 0;

  for (guint n = 0; n < 2000; n++) {
    g_autoptr (GArray) points = g_array_new (FALSE, FALSE, sizeof (RulePoint));
    guint n_points = (guint) g_test_rand_int_range (3, 9);
    for (guint i = 0; i < n_points; i++) {
      RulePoint corner = { g_test_rand_double (), g_test_rand_double () };
      g_array_append_val (points, corner);
    }
    RulePoint point = { g_test_rand_double (), g_test_rand_double () };
    gint crossings = 0; /* of a ray upwards */
    for (guint i = 0; i < n_points; i++) {
      RulePoint a = g_array_index (points, RulePoint, i), b = g_array_index (points, RulePoint, (i + 1) % n_points);
      crossings += rules_segments_meet (a, b, point, (RulePoint){ point.x, -1 });
    }
    g_assert_cmpint (rules_polygon_contains (points, point), ==, crossings % 2);
    n_inside += (guint) crossings % 2;
  }
  g_assert_cmpuint (n_inside, >, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rules-state/zone-enter-leave", test_zone_enter_leave);
  g_test_add_func ("/rules-state/zone-touching-edges", test_zone_touching_edges);
  g_test_add_func ("/rules-state/zone-not-convex", test_zone_not_convex);
  g_test_add_func ("/rules-state/zone-start-inside", test_zone_start_inside);
  g_test_add_func ("/rules-state/zone-late-number", test_zone_late_number);
  g_test_add_func ("/rules-state/zone-lost-and-found", test_zone_lost_and_found);
  g_test_add_func ("/rules-state/zone-time", test_zone_time);
  g_test_add_func ("/rules-state/zone-counts", test_zone_counts);
  g_test_add_func ("/rules-state/cooldown", test_cooldown);
  g_test_add_func ("/rules-state/predicted", test_predicted);
  g_test_add_func ("/rules-state/filters", test_filters);
  g_test_add_func ("/rules-state/count", test_count);
  g_test_add_func ("/rules-state/count-time", test_count_time);
  g_test_add_func ("/rules-state/phrase", test_phrase);
  g_test_add_func ("/rules-state/stop", test_stop);
  g_test_add_func ("/rules-state/replace", test_replace);
  g_test_add_func ("/rules-state/same-track-twice", test_same_track_twice);
  g_test_add_func ("/rules-state/polygons", test_polygons);
  return g_test_run ();
}
