/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device's in place of the toolkit's. */
#pragma once

#include "cuda-api.h"
