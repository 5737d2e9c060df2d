// Linear layers of bf16. Included after the vectors of some width and FG_DOT(sum, x, w), which adds to each lane the
// products of two bf16 of x and two of w.
#include "bf16_end.h"

// One token: vectors along the features of four rows at a time, and then along rows.
static void fg_token(const struct fg_linear *l, const uint8_t *codes, int64_t from, int64_t to, float *y,
                     const float *residual) {
  float values[FG_BLOCK + FG_LANES] = {0};
  for (int64_t row = from; row < to; row += 4) {
    const uint8_t *w = l->weights + row * l->row_bytes;
    vf a = f_set(0), b = a, c = a, d = a;
    // rows are filled up, so the last ones may be beyond the weights
    for (int64_t k = 0; k < l->row_bytes; k += 4 * FG_LANES) {
      vi x = i_load(codes + k);
      a = FG_DOT(a, x, i_load(w + k));
      b = FG_DOT(b, x, i_load(w + l->row_bytes + k));
      c = FG_DOT(c, x, i_load(w + 2 * l->row_bytes + k));
      d = FG_DOT(d, x, i_load(w + 3 * l->row_bytes + k));
    }
    values[row - from] = f_sum(a);
    values[row - from + 1] = f_sum(b);
    values[row - from + 2] = f_sum(c);
    values[row - from + 3] = f_sum(d);
  }
  for (int64_t row = from; row < to; row++) {
    float value = values[row - from] + (l->bias ? l->bias[row] : 0);
    values[row - from] = residual ? value + residual[row] : value;
  }
  fg_activate(l->activation, values, to - from);
  for (int64_t row = from; row < to; row++) y[row] = values[row - from];
}

#include "tile.h"
