// Ends of sums of bf16 products, in f32: y = activation(sum + bias + residual). Included after the vectors of some
// width.
#include "linear.h"

#define FG_SUM vf
#define FG_ZERO f_set(0)

FG_INLINE void fg_end(vf value, const struct fg_linear *l, int64_t row, float *y, const float *residual) {
  value = f_add(value, f_set(l->bias ? l->bias[row] : 0));
  if (residual) value = f_add(value, f_load(residual));
  f_store(y, value);
}
#define FG_END(sum, row, at) \
  fg_end(sum, l, row, y + (row) * width + (at), residual ? residual + (row) * width + (at) : 0);
