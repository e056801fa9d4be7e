/* Boxes: sine position embedding of (cx, cy, w, h), iterative refinement. */

#include "core/backends/ref/ref.h"

/* [N,Q,4] → [N,Q,4·F], coordinates in the order (cy, cx, w, h): feature k of coordinate c has the angle 2π·c / 10000^(2·⌊k/2⌋/F), even k
 * sine, odd k cosine */
void
upi_ref_sine_position (const UpiStep *step)
{
  static const gint order[4] = { 1, 0, 2, 3 };
  gint features = step->op->u.sine.features;

  for (gint n = 0; n < step->out.shape.dim[0]; n++) {
    for (gint q = 0; q < step->out.shape.dim[1]; q++) {
      const gfloat *box = upi_ref_token (&step->in[0], n, q);
      gfloat *y = upi_ref_token (&step->out, n, q);

      for (gint i = 0; i < 4; i++) {
        for (gint k = 0; k < features; k++) {
          gdouble angle = 2 * G_PI * (gdouble) box[order[i]] / pow (10000., (gdouble) (k / 2 * 2) / features);

          y[i * features + k] = (gfloat) (k % 2 == 0 ? sin (angle) : cos (angle));
        }
      }
    }
  }
}

/* sigmoid (delta + inverse_sigmoid (reference)) */
void
upi_ref_box_refine (const UpiStep *step)
{
  const gdouble eps = 1e-5;

  for (gint n = 0; n < step->out.shape.dim[0]; n++) {
    for (gint q = 0; q < step->out.shape.dim[1]; q++) {
      const gfloat *delta = upi_ref_token (&step->in[0], n, q), *reference = upi_ref_token (&step->in[1], n, q);
      gfloat *y = upi_ref_token (&step->out, n, q);

      for (gint i = 0; i < 4; i++) {
        gdouble r = CLAMP ((gdouble) reference[i], eps, 1 - eps);

        y[i] = upi_ref_act (UPI_ACT_SIGMOID, (gdouble) delta[i] + log (r / (1 - r)));
      }
    }
  }
}
