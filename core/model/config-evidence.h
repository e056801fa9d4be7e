/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `evidence` and `detector` of config.json, for config.c alone. */
#pragma once

#include "core/model/config-reader.h"
#include "core/model/config.h"

G_BEGIN_DECLS

/* Whichever the config has, once its labels have been read. */
void upi_config_read_evidence (UpiReader *root, UpiConfig *config);
/* A detector and the parts that it is made of come together, once backbone, levels and pixel encoder have been read. */
void upi_config_check_detector (UpiReader *root, const UpiConfig *config);

G_END_DECLS
