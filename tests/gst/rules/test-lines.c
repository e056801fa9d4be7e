/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-lines.c: who crosses a line of the rules, which way and when, without GStreamer. */
#include "tests/gst/rules/steps.h"

#define LINE "\"type\": \"line\", \"points\": [[0.2, 0.5], [0.8, 0.5]]"

static void
test_line_modes (void)
{
  /* Boxes are 0.2 high: clear of the line is 0.02 away. */
  static const Step loose[] = {
    { 0, "7@0.5,0.4", "" },
    { 100, "7@0.5,0.501", "1 new forward 7 +1-0" },
    { 200, "7@0.5,0.499", "2 new backward 7 +1-1" },
    { 300, "7@0.5,0.6", "3 new forward 7 +2-1" },
  };
  static const Step balanced[] = {
    { 0, "7@0.5,0.499", "" }, /* it begins near the line, and counts to that side */
    { 100, "7@0.5,0.51", "" },
    { 200, "7@0.5,0.49", "" },
    { 300, "7@0.5,0.52", "1 new forward 7 +1-0" },
    { 400, "7@0.5,0.49", "" },
    { 500, "7@0.5,0.53", "" },
    { 600, "7@0.5,0.48", "2 new backward 7 +1-1" },
  };
  static const Step strict[] = {
    { 0, "7@0.5,0.499 8@0.3,0.4 9@0.3,0.4", "" },
    { 100, "7@0.5,0.6 8@0.4,0.6 9@0.6,0.6",
        "1 new forward 8 +1-0" }, /* 7 was never clear on the one side, 9 goes along the line more than across */
    { 200, "7@0.5,0.45 8@0.4,0.55 9@0.65,0.4", "2 new backward 7 +1-1; 3 new backward 9 +1-2" },
  };

  RUN (ONE (LINE ", \"mode\": \"loose\""), loose);
  RUN (ONE (LINE), balanced);
  RUN (ONE (LINE ", \"mode\": \"strict\""), strict);
}

static void
test_line_touching (void)
{
  static const Step steps[] = {
    { 0, "7@0.5,0.4 8@0.5,0.5 9@0.9,0.4", "" },
    { 100, "7@0.5,0.5 8@0.5,0.6 9@0.9,0.5", "" }, /* on the line is on neither side; 8 began there */
    { 200, "7@0.5,0.4 8@0.5,0.5 9@0.7,0.6", "" }, /* 7 went back; 9 came around the end */
    { 300, "7@0.5,0.5 8@0.5,0.4 9@0.8,0.4", "1 new backward 8 +0-1; 2 new backward 9 +0-2" }, /* 9 between the ends */
    { 400, "7@0.6,0.5 8@0.5,0.4 9@0.8,0.5", "" },                                             /* along it */
    { 500, "7@0.6,0.6 8@0.5,0.4 9@0.8,0.6", "3 new forward 7 +1-2; 4 new forward 9 +2-2" },   /* an end is on it */
  };
  RUN (ONE (LINE), steps);
}

/* Who is given a number late has come from where its track began, and may have crossed on the way. */
static void
test_line_late_number (void)
{
  static const Step steps[] = {
    { 0, "7@0.5,0.6<0.5,0.4/800 8@0.5,0.6<0.5,0.58/800", "1 new forward 7 +1-0" },
    { 100, "7@0.5,0.4<0.5,0.4/900 8@0.5,0.4<0.5,0.58/900", "2 new backward 7 +1-1; 3 new backward 8 +1-2" }, /* once */
    { 200, "9@0.5,0.6<0.5,0.4/1600", "" },   /* long there: the rules are new, or it was out of sight */
    { 300, "10@0.75,0.6<0.95,0.4/500", "" }, /* beside the end */
    { 400, "11p@0.5,0.6<0.5,0.4/500", "" },  /* nobody sees it, */
    { 500, "11@0.5,0.6<0.5,0.4/600", "4 new forward 11 +2-2" },
    { 550, "13@0.5,0.6<0,0/500", "" },         /* another's track: nobody knows */
    { 600, "12@0.5,0.6:0.1<0.5,0.4/500", "" }, /* too uncertain */
  };
  RUN (ONE (LINE ", \"min_score\": 0.5"), steps);
}

static void
test_line_around_the_end (void)
{
  static const Step steps[] = {
    { 0, "7@0.5,0.4", "" },
    { 100, "7@0.9,0.45", "" },
    { 200, "7@0.9,0.6", "" },
    { 300, "7@0.5,0.6", "" },
    { 400, "7@0.5,0.4", "1 new backward 7 +0-1" },
    { 500, "7@0.5,0.51", "" }, /* across, not clear, */
    { 600, "7@0.9,0.51", "" },
    { 700, "7@0.9,0.4", "" }, /* around the end, */
    { 800, "7@0.9,0.6", "" }, /* and around it back */
    { 900, "7@0.5,0.4", "2 new backward 7 +0-2" },
  };
  RUN (ONE (LINE), steps);
}

static void
test_line_direction (void)
{
  static const Step forward[] = {
    { 0, "7@0.5,0.4", "" },
    { 100, "7@0.5,0.6", "1 new forward 7 +1-0" },
    { 200, "7@0.5,0.4", "" },
    { 300, "7@0.5,0.6", "2 new forward 7 +2-0" },
  };
  static const Step upright[] = {
    /* from below to above: the right hand is to the right */
    { 0, "7@0.4,0.5", "" },
    { 100, "7@0.6,0.5", "1 new forward 7 +1-0" },
    { 200, "7@0.4,0.5", "2 new backward 7 +1-1" },
  };

  RUN (ONE (LINE ", \"direction\": \"forward\""), forward);
  RUN (ONE ("\"type\": \"line\", \"points\": [[0.5, 0.9], [0.5, 0.1]]"), upright);
}

static void
test_line_time_and_gaps (void)
{
  static const Step time[] = {
    { 0, "7@0.5,0.4", "" },
    { 100, "7@0.5,0.6", "" },
    { 600, "7@0.5,0.6", "" },
    { 700, "7@0.5,0.4", "" }, /* back before a second was over: neither counts */
    { 2000, "7@0.5,0.4", "" },
    { 2100, "7@0.5,0.6", "" },
    { 3100, "7@0.5,0.7", "1 new forward 7 +1-0" },
    { 3200, "7@0.5,0.4", "" },
    { 3300, "", "" },
    { 5300, "", "" }, /* lost before its second was over */
    { 5400, "7@0.5,0.4", "" },
  };
  static const Step gap[] = {
    { 0, "7@0.5,0.4", "" },
    { 100, "", "" },
    { 1900, "7@0.5,0.6", "1 new forward 7 +1-0" }, /* found on the other side */
    { 4000, "", "" },
    { 4100, "7@0.5,0.4", "" }, /* gone for too long: it begins anew */
    { 4200, "7@0.5,0.6", "2 new forward 7 +2-0" },
  };

  RUN (ONE (LINE ", \"min_time\": 1"), time);
  RUN (ONE (LINE), gap);
}

static void
test_two_lines (void)
{
  static const Step steps[] = {
    { 0, "7@0.5,0.1 8@0.3,0.5", "" },
    { 100, "7@0.5,0.9", "a: 1 new forward 7 +1-0; b: 2 new forward 7 +1-0" }, /* in one step */
    { 200, "7@0.5,0.5 8@0.4,0.5", "b: 3 new backward 7 +1-1" },
    { 300, "7@0.5,0.1 8@0.5,0.5", "a: 4 new backward 7 +1-1" },
  };
  RUN ("{\"rules\": {\"a\": {\"type\": \"line\", \"points\": [[0, 0.3], [1, 0.3]]}, \"b\": {\"type\": \"line\", "
       "\"points\": [[0, 0.7], [1, "
       "0.7]]}}}",
      steps);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rules-state/line-modes", test_line_modes);
  g_test_add_func ("/rules-state/line-touching", test_line_touching);
  g_test_add_func ("/rules-state/line-late-number", test_line_late_number);
  g_test_add_func ("/rules-state/line-around-the-end", test_line_around_the_end);
  g_test_add_func ("/rules-state/line-direction", test_line_direction);
  g_test_add_func ("/rules-state/line-time-and-gaps", test_line_time_and_gaps);
  g_test_add_func ("/rules-state/two-lines", test_two_lines);
  return g_test_run ();
}
