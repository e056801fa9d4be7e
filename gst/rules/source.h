/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source.h: where the rules come from, a file that may change at any time or a text, and which were taken last. */
#pragma once

#include "gst/rules/rules.h"

G_BEGIN_DECLS

typedef struct _RulesSource RulesSource;

/* Any thread; all functions lock it. */
RulesSource *rules_source_new (void);
void rules_source_free (RulesSource *source);

/* One of them holds, the one set last. @path, @text: (nullable) */
void rules_source_set_file (RulesSource *source, const gchar *path);
void rules_source_set_text (RulesSource *source, const gchar *text);
/* (transfer full) (nullable): what was set */
gchar *rules_source_get_file (RulesSource *source);
gchar *rules_source_get_text (RulesSource *source);

/**
 * rules_source_read: whatever is there now.
 * Returns: (transfer full) (nullable): NULL and @error: that neither was set, too
 */
Rules *rules_source_read (RulesSource *source, GError **error);

/**
 * rules_source_poll: what came since they were read last. A file is read once it has been the same twice in a row: who
 * writes it may not be done. A file that has gone changes nothing.
 * Returns: (transfer full) (nullable): other rules; NULL: none, or @error, once for each that cannot be taken
 */
Rules *rules_source_poll (RulesSource *source, GError **error);

G_END_DECLS
