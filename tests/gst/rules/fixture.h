/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.h: upirules in a stream, with rules in a file. */
#pragma once

#include "tests/gst/stream.h"

#define SQUARE "\"type\": \"zone\", \"polygon\": [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]"
#define ONE(rule) "{\"rules\": {\"r\": {" rule "}}}"

typedef struct {
  gchar *folder, *path;
  Stream *stream;
} Fixture;

/* Replaced in one step, as a careful editor does it; a new file each time. */
void write_rules (Fixture *fixture, const gchar *text);

void fixture_open (Fixture *fixture, const gchar *rules, const gchar *before, const gchar *behind);

void fixture_close (Fixture *fixture);

/* Frame @number, at @number × 40 ms, with an object that stands at each place: "7@0.5,0.5"; 0: no track. What happened
 * in it: "1 new enter 7 r". "7@0.5,0.5<0.1,0.5/800": its track began there, so many milliseconds ago. */
gchar *push (Fixture *fixture, guint number, const gchar *places);

void expect (Fixture *fixture, guint number, const gchar *places, const gchar *events);

/* The next upi-event on the bus. (transfer full) (nullable) */
GstStructure *pop_event (Fixture *fixture);

void expect_message (Fixture *fixture, const gchar *expected);
