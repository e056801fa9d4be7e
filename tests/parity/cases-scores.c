/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cases of a detector's scores: the largest of a row, what two scores say together. */

#include "tests/parity/parity.h"

typedef struct {
  ParityBig big;
  gint n, t, k;
  ParityFill fill;
  gfloat scale;
} Scores;

static const Scores row_max_cases[] = {
  { FALSE, 1, 1, 1, PARITY_FILL_NORMAL, 1 },
  { FALSE, 1, 9, 80, PARITY_FILL_NORMAL, 1 },
  { FALSE, 3, 13, 37, PARITY_FILL_NORMAL, 10 },
  { FALSE, 3, 21, 3, PARITY_FILL_TIES, 1 },
  { FALSE, 3, 40, 5, PARITY_FILL_BROKEN, 1 },  /* rows of nothing but what is no number */
  { FALSE, 1, 7, 131, PARITY_FILL_BROKEN, 1 }, /* more than a warp */
  { TRUE, 1, 2577, 80, PARITY_FILL_NORMAL, 1 },
};

static void
build_row_max (Parity *parity, const void *data)
{
  const Scores *c = data;

  parity_name (parity, "n%d %dx%d fill%d", c->n, c->t, c->k, c->fill);
  parity_output (parity,
      upi_row_max (parity_program (parity), parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->k), c->fill, c->scale)));
}

static const Scores joint_logit_cases[] = {
  { FALSE, 1, 1, 1, PARITY_FILL_NORMAL, 1 },
  { FALSE, 1, 100, 1, PARITY_FILL_NORMAL, 3 }, /* a column */
  { FALSE, 3, 37, 1, PARITY_FILL_WIDE, 1 },
  { FALSE, 3, 11, 80, PARITY_FILL_NORMAL, 3 },
  { FALSE, 3, 5, 21, PARITY_FILL_NORMAL, 20 },
  { FALSE, 1, 9, 33, PARITY_FILL_WIDE, 2 }, /* beyond both ends */
  { FALSE, 3, 20, 7, PARITY_FILL_BROKEN, 1 },
  { TRUE, 1, 100, 80, PARITY_FILL_NORMAL, 3 },
  { TRUE, 1, 2577, 1, PARITY_FILL_NORMAL, 3 },
};

static void
build_joint_logit (Parity *parity, const void *data)
{
  const Scores *c = data;
  UpiValue a = parity_input (parity, UPI_SHAPE3 (c->n, c->t, c->k), c->fill, c->scale);
  UpiValue b = parity_input (parity, UPI_SHAPE3 (c->n, c->t, 1), c->fill, c->scale);

  parity_name (parity, "n%d %dx%d fill%d scale%g", c->n, c->t, c->k, c->fill, (gdouble) c->scale);
  parity_output (parity, upi_joint_logit (parity_program (parity), a, b));
}

#define FAMILY(name, tolerance)                                                                                        \
  {                                                                                                                    \
#name, name##_cases, G_N_ELEMENTS(name##_cases), sizeof name##_cases[0], tolerance, build_##name                   \
  }

const ParityFamily parity_score_families[] = {
  FAMILY (row_max, 0),
  FAMILY (joint_logit, 1e-11),
};
const guint parity_n_score_families = G_N_ELEMENTS (parity_score_families);
