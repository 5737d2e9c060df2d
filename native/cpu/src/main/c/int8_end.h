// Ends of sums of 8-bit integers: every sum is exact, then y = activation(sum * (scale of token * scale of row) + bias
// + residual), each operation rounded by itself as ONNX's Mul and Add do. Included after the vectors of some width.
#include "linear.h"

#define FG_SUM vi
#define FG_ZERO i_set(0)

// Ends a vector of sums of a row; `ends` are the scales of the panel's tokens and then their zero points.
FG_INLINE void fg_end(vi sum, const struct fg_linear *l, int64_t row, int64_t width, const uint8_t *ends, float *y,
                      const float *residual) {
  vf scale = f_load((const float *)ends);
  vi zero = i_load(ends + 4 * width);
  vi centred = i_sub(sum, i_mul(zero, i_set(l->sums[row])));
  vf value = f_mul(f_of(centred), f_mul(scale, f_set(l->scales[row])));
  value = f_add(value, f_set(l->bias ? l->bias[row] : 0));
  if (residual) value = f_add(value, f_load(residual));
  f_store(y, value);
}
#define FG_END(sum, row, at)                                                              \
  fg_end(sum, l, row, width, ends + 4 * (at), y + (row) * width + (at),                   \
         residual ? residual + (row) * width + (at) : 0);
