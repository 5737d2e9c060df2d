#include "arith/tensor_core.h"

#include "arith/float_arithmetic.h"

#include <algorithm>
#include <cstdlib>

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
struct Term {
  std::int32_t significand;
  std::int32_t exponent;
};

Term split(float value, OperandFormat format) {
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

bool allFinite(const float* values, int count) {
  std::uint32_t special = 0;
  for (int i = 0; i < count; i++) {
    special |= (bitsOf(values[i]) & 0x7f800000) == 0x7f800000 ? 1 : 0;
  }
  return special == 0;
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
  Term products[8];
  const Term accumulator = split(c, accumulatorFormat);
  int largest = accumulator.significand != 0 ? accumulator.exponent : noExponent;
  for (int i = 0; i < count; i++) {
    const Term left = split(a[i], format);
    const Term right = split(b[i], format);
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

void tensorDotRow(Element element, const float* a, const float* const* bRows, int count, float* c) {
  bool finite = allFinite(a, count) && allFinite(c, tensorColumns);
  for (int i = 0; i < count; i++) {
    finite = finite && allFinite(bRows[i], tensorColumns);
  }
  if (!finite) {
    for (int column = 0; column < tensorColumns; column++) {
      float b[8];
      for (int i = 0; i < count; i++) {
        b[i] = bRows[i][column];
      }
      c[column] = tensorDot(element, a, b, count, c[column]);
    }
    return;
  }
  // The same steps as tensorDot, with a loop over columns innermost so that each line is a vector instruction.
  const OperandFormat format = operandFormat(element);
  std::int32_t significands[8][tensorColumns];
  std::int32_t exponents[8][tensorColumns];
  std::int32_t largest[tensorColumns];
  Term accumulators[tensorColumns];
  for (int n = 0; n < tensorColumns; n++) {
    accumulators[n] = split(c[n], accumulatorFormat);
    largest[n] = accumulators[n].significand != 0 ? accumulators[n].exponent : noExponent;
  }
  for (int i = 0; i < count; i++) {
    const Term left = split(a[i], format);
    for (int n = 0; n < tensorColumns; n++) {
      const Term right = split(bRows[i][n], format);
      significands[i][n] = left.significand * right.significand;
      exponents[i][n] = left.exponent + right.exponent;
      largest[n] = std::max(largest[n], significands[i][n] != 0 ? exponents[i][n] : noExponent);
    }
  }
  std::int32_t sums[tensorColumns];
  for (int n = 0; n < tensorColumns; n++) {
    sums[n] = align(accumulators[n].significand, accumulatorFormat.fractionBits, largest[n] - accumulators[n].exponent);
  }
  for (int i = 0; i < count; i++) {
    for (int n = 0; n < tensorColumns; n++) {
      sums[n] += align(significands[i][n], 2 * format.fractionBits, largest[n] - exponents[i][n]);
    }
  }
  for (int n = 0; n < tensorColumns; n++) {
    c[n] = cutToFloat(sums[n], largest[n]);
  }
}

} // namespace simgpu::arith
