#include "arith/tensor_core.h"

#include "arith/float_arithmetic.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace simgpu::arith {
namespace {

constexpr int keptBits = 24;       // fraction bits kept below the largest exponent: 23 of a float and one more
constexpr int noExponent = -10000; // of a zero: smaller than any other

/** How operands of a type split into integer significand and exponent. Subnormals keep the smallest exponent. */
struct OperandFormat {
  int fractionBits;
  int smallestExponent;
};

constexpr OperandFormat operandFormat(Element element) {
  switch (element) {
  case Element::f16:
    return {10, -14};
  case Element::bf16:
    return {7, -126};
  default:
    return {10, -126}; // tf32
  }
}
constexpr OperandFormat accumulatorFormat{23, -126};

/** value = significand * 2^(exponent - fractionBits). */
TensorTerm split(float value, OperandFormat format) {
  const std::uint32_t bits = bitsOf(value);
  const auto biased = static_cast<std::int32_t>((bits >> 23) & 0xff);
  const auto fraction = static_cast<std::int32_t>(bits & 0x7fffff);
  const std::int32_t whole = biased == 0 ? fraction : fraction | 0x800000;
  const std::int32_t exponent = std::max(biased == 0 ? -126 : biased - 127, format.smallestExponent);
  // An f16 subnormal is a normal float: shifting it down to the exponent -14 restores its f16 significand.
  const std::int32_t lowered = exponent - (biased == 0 ? -126 : biased - 127);
  const std::int32_t magnitude = whole >> std::min(23 - format.fractionBits + lowered, 31);
  return {static_cast<std::int32_t>(bits) < 0 ? -magnitude : magnitude, exponent};
}

/** A term's value in units of 2^(largest - keptBits), cut toward zero. A zero may lie above the largest exponent. */
std::int32_t align(std::int32_t significand, int fractionBits, int below) {
  const std::int32_t magnitude = std::abs(significand) << (keptBits - fractionBits);
  const std::int32_t cut = magnitude >> std::clamp(below, 0, 31);
  return significand < 0 ? -cut : cut;
}

/** sum * 2^(largest - keptBits) cut to a float; beyond the range it is infinite. */
float cutToFloat(std::int32_t sum, int largest) {
  // Both the sum and the power of two are exact in double, whose exponent range covers products of two floats.
  const auto biased = static_cast<std::uint64_t>(std::max(largest - keptBits, -1000) + 1023);
  const double exact = static_cast<double>(sum) * doubleOf(biased << 52);
  const float nearest = static_cast<float>(exact);
  const bool overflow = std::fabs(exact) >= 0x1p128;
  const float cut = direct(nearest, exact - static_cast<double>(nearest), Rounding::towardZero);
  return overflow ? nearest : cut;
}

/** Infinities and NaN follow the ordinary rules; no order of the sum changes which of them comes out. */
float specialSum(const float* a, const float* b, int count, float c) {
  double sum = static_cast<double>(c);
  for (int i = 0; i < count; i++) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return canonical(static_cast<float>(sum));
}

} // namespace

float tensorDot(Element element, const float* a, const float* b, int count, float c) {
  if (!allFinite(a, count) || !allFinite(b, count) || !allFinite(&c, 1)) {
    return specialSum(a, b, count, c);
  }
  const OperandFormat format = operandFormat(element);
  TensorTerm products[8];
  const TensorTerm accumulator = split(c, accumulatorFormat);
  int largest = accumulator.significand != 0 ? accumulator.exponent : noExponent;
  for (int i = 0; i < count; i++) {
    const TensorTerm left = split(a[i], format);
    const TensorTerm right = split(b[i], format);
    products[i] = {left.significand * right.significand, left.exponent + right.exponent};
    if (products[i].significand != 0) {
      largest = std::max(largest, products[i].exponent);
    }
  }
  if (largest == noExponent) {
    return 0.0f;
  }
  std::int32_t sum = align(accumulator.significand, accumulatorFormat.fractionBits, largest - accumulator.exponent);
  for (int i = 0; i < count; i++) {
    sum += align(products[i].significand, 2 * format.fractionBits, largest - products[i].exponent);
  }
  return cutToFloat(sum, largest);
}

TensorTerm splitOperand(Element element, float value) { return split(value, operandFormat(element)); }

TensorRow splitOperands(Element element, const float* row) {
  TensorRow result;
  for (int n = 0; n < tensorColumns; n++) {
    const TensorTerm term = split(row[n], operandFormat(element));
    result.significand[n] = term.significand;
    result.exponent[n] = term.exponent;
  }
  return result;
}

bool allFinite(const float* values, int count) {
  std::uint32_t special = 0;
  for (int i = 0; i < count; i++) {
    special |= (bitsOf(values[i]) & 0x7f800000) == 0x7f800000 ? 1 : 0;
  }
  return special == 0;
}

namespace {

/** Eight columns at once; comparisons give masks of ones. */
using Lanes [[gnu::vector_size(32)]] = std::int32_t;
using WideLanes [[gnu::vector_size(32)]] = std::int64_t;
using Doubles [[gnu::vector_size(32)]] = double;

Lanes loadLanes(const void* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

Lanes largerOf(Lanes a, Lanes b) { return a > b ? a : b; }

/** align() for eight columns. */
Lanes alignLanes(Lanes significand, int fractionBits, Lanes below) {
  const Lanes limit = below > 31 ? Lanes{} + 31 : below;
  const Lanes magnitude = (significand < 0 ? -significand : significand) << (keptBits - fractionBits);
  const Lanes cut = magnitude >> (limit < 0 ? Lanes{} : limit);
  return significand < 0 ? -cut : cut;
}

} // namespace

void tensorDotRow(Element element, const TensorTerm* a, const TensorRow* const* b, int count, float* c) {
  const OperandFormat format = operandFormat(element);
  const Lanes bits = loadLanes(c);
  const Lanes biased = (bits >> 23) & 0xff;
  const Lanes fraction = bits & 0x7fffff;
  const Lanes magnitude = biased == 0 ? fraction : fraction | 0x800000;
  const Lanes accumulator = bits < 0 ? -magnitude : magnitude;
  const Lanes accumulatorExponent = biased == 0 ? Lanes{} - 126 : biased - 127;
  const Lanes never = Lanes{} + noExponent;
  Lanes largest = magnitude != 0 ? accumulatorExponent : never;
  Lanes significands[8];
  Lanes exponents[8];
  for (int i = 0; i < count; i++) {
    significands[i] = loadLanes(b[i]->significand) * a[i].significand;
    exponents[i] = loadLanes(b[i]->exponent) + a[i].exponent;
    largest = largerOf(largest, significands[i] != 0 ? exponents[i] : never);
  }
  Lanes sum = alignLanes(accumulator, accumulatorFormat.fractionBits, largest - accumulatorExponent);
  for (int i = 0; i < count; i++) {
    sum += alignLanes(significands[i], 2 * format.fractionBits, largest - exponents[i]);
  }
  // Normal results: as doubles the sums are exact; clearing the 29 low bits cuts them to the precision of a float.
  std::int32_t sums[tensorColumns];
  std::int32_t exponentsOf[tensorColumns];
  std::memcpy(sums, &sum, sizeof sums);
  std::memcpy(exponentsOf, &largest, sizeof exponentsOf);
  for (int half = 0; half < 2; half++) {
    Doubles values;
    WideLanes scales;
    for (int n = 0; n < 4; n++) {
      values[n] = sums[4 * half + n];
      scales[n] = exponentsOf[4 * half + n];
    }
    WideLanes cut;
    std::memcpy(&cut, &values, sizeof cut);
    cut &= ~((std::int64_t{1} << 29) - 1);
    scales = (scales < -900 ? WideLanes{} - 900 : scales) - keptBits + 1023; // a sum of zeros has no exponent
    scales <<= 52;
    Doubles scale;
    std::memcpy(&scale, &scales, sizeof scale);
    std::memcpy(&values, &cut, sizeof values);
    values *= scale;
    for (int n = 0; n < 4; n++) {
      const bool subnormal = values[n] != 0 && std::fabs(values[n]) < 0x1p-126;
      c[4 * half + n] = subnormal ? cutToFloat(sums[4 * half + n], exponentsOf[4 * half + n])
                                  : static_cast<float>(values[n]) + 0.0f;
    }
  }
}

} // namespace simgpu::arith
