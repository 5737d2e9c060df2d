// f16 and bf16 arithmetic: one rounding per operation, on arrays of bit patterns. A packed f16x2 register of a warp is
// 64 consecutive f16 values, so the packed instructions are the scalar ones with twice the count.
#pragma once

#include "arith/float_arithmetic.h"

#include <immintrin.h>

namespace simgpu::arith {

inline constexpr std::uint16_t canonicalNan16 = 0x7fff; // the same pattern in f16 and bf16

inline float f16ToFloat(std::uint16_t bits) { return _cvtsh_ss(bits); }
inline float bf16ToFloat(std::uint16_t bits) { return floatOf(static_cast<std::uint32_t>(bits) << 16); }

/** Round to nearest even with the canonical NaN. */
inline std::uint16_t floatToF16(float value) {
  return value != value ? canonicalNan16 : static_cast<std::uint16_t>(_cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT));
}
inline std::uint16_t floatToBf16(float value) {
  const std::uint32_t bits = bitsOf(value);
  const std::uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? canonicalNan16 : rounded);
}

/** The two 16-bit formats: how to widen, how to round a double once, and how to recognise a subnormal. */
struct F16 {
  static constexpr Format format = f16Format;
  static float widen(std::uint16_t bits) { return f16ToFloat(bits); }
  static std::uint16_t narrow(float value) { return floatToF16(value); }
};
struct Bf16 {
  static constexpr Format format = bf16Format;
  static float widen(std::uint16_t bits) { return bf16ToFloat(bits); }
  static std::uint16_t narrow(float value) { return floatToBf16(value); }
};

/**
 * A double rounded to nearest even at the precision of H, still as a float, so that narrowing it is exact. Adding and
 * subtracting 1.5 * 2^(exponent + 52 - fractionBits) makes the addition itself round at the wanted bit.
 */
template <class H> float roundToHalf(double value) {
  constexpr std::uint64_t exponentOne = std::uint64_t{1} << 52;
  constexpr auto smallest = static_cast<std::uint64_t>(1023 + H::format.smallestExponent());
  constexpr std::uint64_t overflowing = 1023 + 130; // infinite in both formats, whatever the low bits are
  std::uint64_t exponent = (bitsOf(value) >> 52) & 0x7ff;
  exponent = exponent < smallest ? smallest : exponent;
  exponent = exponent > overflowing ? overflowing : exponent;
  const double magic = doubleOf((exponent + 52 - H::format.fractionBits) * exponentOne | exponentOne / 2);
  const double rounded = (value + magic) - magic;
  return static_cast<float>(std::copysign(rounded, value));
}

/** What a half-precision instruction does besides its operation. */
struct HalfMode {
  bool flush = false;    // .ftz: f16 only
  bool saturate = false; // .sat: f16 only
  bool relu = false;     // .relu: negative results become +0, NaN stays NaN

  constexpr bool operator==(const HalfMode&) const = default;
};

template <class H> std::uint16_t flushHalf(std::uint16_t bits) {
  return static_cast<std::uint16_t>((bits & H::format.infinity()) == 0 ? bits & 0x8000 : bits);
}

template <class H> std::uint16_t finishHalf(std::uint16_t bits, HalfMode mode) {
  if (mode.flush) {
    bits = flushHalf<H>(bits);
  }
  const bool nan = (bits & 0x7fff) > H::format.infinity();
  if (mode.saturate) {
    constexpr auto one = static_cast<std::uint16_t>(H::format.bias() << H::format.fractionBits);
    bits = static_cast<std::uint16_t>(nan || (bits & 0x8000) != 0 ? 0 : bits > one ? one : bits);
  }
  if (mode.relu) {
    bits = static_cast<std::uint16_t>(nan ? canonicalNan16 : (bits & 0x8000) != 0 ? 0 : bits);
  }
  return bits;
}

/**
 * a * b + c rounded to odd: when the double sum is inexact, its last bit is set. A later rounding to 16 bits then sees
 * that the value is no tie. A bf16 product can be a tie while c is 2^-100 of it, and would be rounded twice otherwise.
 */
inline double fmaToOdd(float a, float b, float c) {
  const DoubleSum exact = twoSum(static_cast<double>(a) * static_cast<double>(b), static_cast<double>(c));
  const bool inexact = exact.error > 0 || exact.error < 0; // false for the NaN an infinite sum leaves
  const std::uint64_t bits = bitsOf(exact.sum);
  const bool outward = (exact.error > 0) == (exact.sum > 0);
  const std::uint64_t step = inexact && (bits & 1) == 0 ? (outward ? 1 : ~std::uint64_t{0}) : 0;
  return doubleOf(bits + step);
}

/**
 * Operations on floats that hold 16-bit values. add, sub and mul round twice (to f32, then to 16 bits), which is
 * harmless: 24 bits are at least twice the 11 (or 8) plus two. fma has no such reserve and goes through double.
 */
template <class H> struct HalfAdd {
  static float apply(float a, float b) { return a + b; }
};
template <class H> struct HalfSub {
  static float apply(float a, float b) { return a - b; }
};
template <class H> struct HalfMul {
  static float apply(float a, float b) { return a * b; }
};
template <class H> struct HalfMin {
  static float apply(float a, float b) { return min(a, b, ExtremumMode{}); }
};
template <class H> struct HalfMax {
  static float apply(float a, float b) { return max(a, b, ExtremumMode{}); }
};
template <class H> struct HalfFma {
  static float apply(float a, float b, float c) {
    return roundToHalf<H>(fmaToOdd(a, b, c));
  }
};

/** Values a conversion instruction takes at a time. */
inline constexpr int halfBlock = 8;

/** Eight operands as floats. */
template <class H> void widenBlock(float* to, const std::uint16_t* from, HalfMode mode) {
  std::uint16_t flushed[halfBlock];
  if (mode.flush) {
    for (int i = 0; i < halfBlock; i++) {
      flushed[i] = flushHalf<H>(from[i]);
    }
    from = flushed;
  }
  if constexpr (std::is_same_v<H, F16>) {
    _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
  } else {
    for (int i = 0; i < halfBlock; i++) {
      to[i] = H::widen(from[i]);
    }
  }
}

/** Eight results rounded to nearest even, with canonical NaN, flushed and clamped as the mode says. */
template <class H> void narrowBlock(std::uint16_t* to, const float* from, HalfMode mode) {
  std::uint16_t bits[halfBlock];
  if constexpr (std::is_same_v<H, F16>) {
    const __m128i packed = _mm256_cvtps_ph(_mm256_loadu_ps(from), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bits), packed);
    for (int i = 0; i < halfBlock; i++) {
      bits[i] = (bits[i] & 0x7fff) > F16::format.infinity() ? canonicalNan16 : bits[i];
    }
  } else {
    for (int i = 0; i < halfBlock; i++) {
      bits[i] = H::narrow(from[i]);
    }
  }
  for (int i = 0; i < halfBlock; i++) {
    to[i] = finishHalf<H>(bits[i], mode);
  }
}

/** d[i] = Op(a[i], b[i]) for count values, count a multiple of 8 (32 lanes of .f16, 64 halves of .f16x2). */
template <class H, template <class> class Op>
void halfBinary(std::uint16_t* d, const std::uint16_t* a, const std::uint16_t* b, int count, HalfMode mode) {
  for (int block = 0; block < count; block += halfBlock) {
    float left[halfBlock];
    float right[halfBlock];
    float result[halfBlock];
    widenBlock<H>(left, a + block, mode);
    widenBlock<H>(right, b + block, mode);
    for (int i = 0; i < halfBlock; i++) {
      result[i] = Op<H>::apply(left[i], right[i]);
    }
    narrowBlock<H>(d + block, result, mode);
  }
}

/** d[i] = a[i] * b[i] + c[i] with one rounding. */
template <class H>
void halfFma(std::uint16_t* d, const std::uint16_t* a, const std::uint16_t* b, const std::uint16_t* c, int count,
             HalfMode mode) {
  for (int block = 0; block < count; block += halfBlock) {
    float left[halfBlock];
    float right[halfBlock];
    float addend[halfBlock];
    float result[halfBlock];
    widenBlock<H>(left, a + block, mode);
    widenBlock<H>(right, b + block, mode);
    widenBlock<H>(addend, c + block, mode);
    for (int i = 0; i < halfBlock; i++) {
      result[i] = HalfFma<H>::apply(left[i], right[i], addend[i]);
    }
    narrowBlock<H>(d + block, result, mode);
  }
}

/** neg and abs act on the sign bit alone. */
template <class H> std::uint16_t halfNeg(std::uint16_t a, bool flushSubnormals) {
  const auto bits = static_cast<std::uint16_t>(a ^ 0x8000);
  return flushSubnormals ? flushHalf<H>(bits) : bits;
}
template <class H> std::uint16_t halfAbs(std::uint16_t a, bool flushSubnormals) {
  const auto bits = static_cast<std::uint16_t>(a & 0x7fff);
  return flushSubnormals ? flushHalf<H>(bits) : bits;
}

/** min and max of one pair with all modifiers. */
template <class H, bool Larger> std::uint16_t halfExtremum(std::uint16_t a, std::uint16_t b, ExtremumMode mode) {
  const float left = H::widen(mode.flush ? flushHalf<H>(a) : a);
  const float right = H::widen(mode.flush ? flushHalf<H>(b) : b);
  return H::narrow(extremum<Larger>(left, right, {false, mode.propagateNan, mode.xorSignAbs}));
}

/** ex2.approx and tanh.approx: the f32 function rounded to the format. */
template <class H> std::uint16_t halfExp2(std::uint16_t a) { return H::narrow(std::exp2(H::widen(a))); }
template <class H> std::uint16_t halfTanh(std::uint16_t a) { return H::narrow(std::tanh(H::widen(a))); }

} // namespace simgpu::arith
