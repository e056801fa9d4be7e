/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch.h: upiencoder as tests of it have it made. */
#pragma once

#include "tests/gst/stream.h"

#define BLOCK "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16 "
#define LATEST "upiencoder name=e model=tiny device=cpu threads=1 policy=latest max-in-flight=16 "

#define ENCODER "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=4"
