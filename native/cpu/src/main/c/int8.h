// Linear layers of 8-bit integers. Included after the vectors of some width and FG_DOT(sum, x, w), which adds to each
// lane the products of four u8 of x and four s8 of w; or of more, and then FG_DOT_ONE does that.
#include "int8_end.h"

#ifndef FG_DOT_ONE
#define FG_DOT_ONE(sum, x, w) FG_DOT(sum, x, w)
#define FG_REST_OF_TOKEN(l, codes, row) 0
#endif

// One token: vectors along the features of four rows at a time, and then along rows.
static void fg_token(const struct fg_linear *l, const uint8_t *codes, int64_t from, int64_t to, float *y,
                     const float *residual) {
  int32_t sums[FG_BLOCK + 4];
  float values[FG_BLOCK + FG_LANES] = {0};
  float scale = *(const float *)(codes + l->row_bytes);
  int32_t zero = *(const int32_t *)(codes + l->row_bytes + 4);
  for (int64_t row = from; row < to; row += 4) {
    const uint8_t *w = l->weights + row * l->row_bytes;
    vi a = i_set(0), b = a, c = a, d = a;
    // rows are filled up, so the last ones may be beyond the weights
    for (int64_t k = 0; k < l->row_bytes; k += 4 * FG_LANES) {
      vi x = i_load(codes + k);
      a = FG_DOT_ONE(a, x, i_load(w + k));
      b = FG_DOT_ONE(b, x, i_load(w + l->row_bytes + k));
      c = FG_DOT_ONE(c, x, i_load(w + 2 * l->row_bytes + k));
      d = FG_DOT_ONE(d, x, i_load(w + 3 * l->row_bytes + k));
    }
    sums[row - from] = i_sum(a);
    sums[row - from + 1] = i_sum(b);
    sums[row - from + 2] = i_sum(c);
    sums[row - from + 3] = i_sum(d);
  }
  for (int64_t row = from; row < to; row++) {
    int32_t sum = sums[row - from] + FG_REST_OF_TOKEN(l, codes, row);
    float value = (float)(sum - zero * l->sums[row]) * (scale * l->scales[row]);
    value += l->bias ? l->bias[row] : 0;
    values[row - from] = residual ? value + residual[row] : value;
  }
  fg_activate(l->activation, values, to - from);
  for (int64_t row = from; row < to; row++) y[row] = values[row - from];
}

#include "tile.h"
