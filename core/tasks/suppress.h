/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which objects of a list are the same thing. */
#pragma once

#include "core/tasks/labels.h"

G_BEGIN_DECLS

/* Of objects [n], best first and candidates last, those that stay move to the front, in order; their number. Of at most
 * options->max_objects objects, and as many candidates. */
guint upi_suppress (UpiObject *objects, guint n, const UpiLabels *labels, const UpiDetectOptions *options);

G_END_DECLS
