/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small random models with the table of grounded captions (tests/tiny-config.h), and captions by them. */
#pragma once

#include "tests/core/engine-fixture.h"

/* `more` begins with a comma. */
#define RANKING(more) "\"ranking\": { \"candidates\": 6, \"sharpness\": 2" more " }"

/* A model with a ranking, and with a determiner other than "a"; fixture_remove_model() takes it away. (transfer
 * full) */
gchar *grounded_model (const gchar *ranking);
gchar *grounded_model_with (const gchar *ranking, const gchar *determiner);
/* On one thread. */
UpiEngine *grounded_open (const gchar *model);
/* Waits, aborts on error. */
UpiCaption *grounded_caption (
    UpiEngine *engine, UpiEncoding *encoding, UpiCaptionOptions options, UpiPartialFunc partial, gpointer user_data);
