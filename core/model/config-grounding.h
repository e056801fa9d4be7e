/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * config-grounding.h: `caption.grounding` of config.json, for config.c alone. */
#pragma once

#include "core/model/config-reader.h"
#include "core/model/config.h"

G_BEGIN_DECLS

/* The table of a config whose labels have been read; NULL: it has none, or after an error. (transfer full) */
UpiGroundingTable *upi_config_read_grounding (UpiReader *root, const UpiConfig *config);

G_END_DECLS
