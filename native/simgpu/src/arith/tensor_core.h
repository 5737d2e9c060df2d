// The rounding of the A100 tensor core, as measured. The multiply-add of one output adds eight products and the
// accumulator at once: every term is aligned to the largest exponent among them, cut to 24 bits below it (one bit more
// than a float keeps), summed exactly, and the sum is cut to a float. Longer dot products repeat that step in
// ascending k with the result as the accumulator.
//
// Source: Khattak and Mikaitis, github.com/north-numerical-computing/MATLAB-tensor-core (models and measurements of
// fp16 products of length 8; tests/data/tensorcore holds the 5,000 of the A100). Assumed, not measured: that bf16
// takes steps of eight and tf32 steps of four with the same alignment, the ascending order of steps, and that an fp16
// result is the fp32 result rounded to nearest once.
#pragma once

#include "arith/fragment.h"

namespace simgpu::arith {

inline constexpr int tensorColumns = 8;

/** Products per step of the adder. */
constexpr int tensorStep(Element element) { return element == Element::tf32 ? 4 : 8; }

/**
 * One step for one output: c + sum of a[i] * b[i], i < count <= 8. The operands are floats that hold values of
 * `element`. Slow and plain; tensorDotRow is its fast twin.
 */
float tensorDot(Element element, const float* a, const float* b, int count, float c);

/** A finite operand as an integer and an exponent: what one product needs, taken apart once for many products. */
struct TensorTerm {
  std::int32_t significand;
  std::int32_t exponent;
};
struct TensorRow {
  alignas(32) std::int32_t significand[tensorColumns];
  alignas(32) std::int32_t exponent[tensorColumns];
};

TensorTerm splitOperand(Element element, float value);
TensorRow splitOperands(Element element, const float* row);

/** Whether no value is infinite or NaN. */
bool allFinite(const float* values, int count);

/**
 * One step for the eight columns of a row, all operands finite: c[n] += a . b[.][n]. `b[i]` is the row of B that a[i]
 * multiplies. Results equal tensorDot's, column by column.
 */
void tensorDotRow(Element element, const TensorTerm* a, const TensorRow* const* b, int count, float* c);

} // namespace simgpu::arith
