// f32 and f64 arithmetic of PTX: every rounding mode, .ftz, .sat, canonical NaN. All functions are inline and, for
// round-to-nearest, free of branches, so a loop over 32 lanes vectorises; the modes are meant to be compile-time
// constants there. Build with -ffp-contract=off: a contracted multiply-add would round once instead of twice.
#pragma once

#include "arith/rounding.h"
#include "arith/soft_float.h"

#include <cmath>
#include <concepts>

namespace simgpu::arith {

inline std::uint32_t bitsOf(float value) { return std::bit_cast<std::uint32_t>(value); }
inline std::uint64_t bitsOf(double value) { return std::bit_cast<std::uint64_t>(value); }
inline float floatOf(std::uint32_t bits) { return std::bit_cast<float>(bits); }
inline double doubleOf(std::uint64_t bits) { return std::bit_cast<double>(bits); }

inline constexpr std::uint32_t canonicalNanF32 = 0x7fffffff;

/** f32 NaNs lose their payload on the device; f64 NaNs keep it. */
inline float canonical(float value) { return value != value ? floatOf(canonicalNanF32) : value; }
inline double canonical(double value) { return value; }

/** Subnormal to zero of the same sign. */
inline float flush(float value) {
  const std::uint32_t bits = bitsOf(value);
  return floatOf((bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits);
}
inline double flush(double value) { return value; } // .ftz does not exist for f64

/** .sat: clamps to [0, 1]; NaN and -0 become +0. */
template <std::floating_point T> T saturate(T value) { return value > T(0) ? (value < T(1) ? value : T(1)) : T(0); }

template <std::floating_point T> T prepare(T operand, FloatMode mode) { return mode.flush ? flush(operand) : operand; }

template <std::floating_point T> T finish(T result, FloatMode mode) {
  const T flushed = mode.flush ? flush(canonical(result)) : canonical(result);
  return mode.saturate ? saturate(flushed) : flushed;
}

/**
 * Moves `nearest`, the nearest float of some exact value, to the directed rounding of that value. `error` has the
 * sign of (exact value - nearest); it is zero when `nearest` is exact.
 */
inline float direct(float nearest, double error, Rounding rounding) {
  const bool negative = std::signbit(nearest);
  const bool above = error > 0;
  const bool below = error < 0;
  const bool up = above && (rounding == Rounding::towardPositive || (rounding == Rounding::towardZero && negative));
  const bool down = below && (rounding == Rounding::towardNegative || (rounding == Rounding::towardZero && !negative));
  // Bit patterns of one sign are ordered like magnitudes. A zero carries the sign of the value that underflowed to it.
  const std::uint32_t step = up ? 1 : down ? -1u : 0;
  return floatOf(bitsOf(nearest) + (negative ? -step : step));
}

/** A sum of two doubles and the exact error of its rounding (Knuth's TwoSum). */
struct DoubleSum {
  double sum;
  double error;
};

inline DoubleSum twoSum(double a, double b) {
  const double sum = a + b;
  const double bPart = sum - a;
  return {sum, (a - (sum - bPart)) + (b - bPart)};
}

/** a + b for operands of which doubles hold the exact values (floats, or products of two floats). */
inline float addDirected(double a, double b, Rounding rounding) {
  const DoubleSum exact = twoSum(a, b);
  if (!std::isfinite(exact.sum)) {
    return static_cast<float>(exact.sum);
  }
  if (exact.sum == 0 && exact.error == 0) {
    const bool negative = std::signbit(a) == std::signbit(b) ? std::signbit(a) : rounding == Rounding::towardNegative;
    return negative ? -0.0f : 0.0f;
  }
  const float nearest = static_cast<float>(exact.sum);
  const double visible = exact.sum - static_cast<double>(nearest);
  return direct(nearest, visible != 0 ? visible : exact.error, rounding);
}

inline float addRounded(float a, float b, Rounding rounding) {
  return rounding == Rounding::nearestEven ? a + b : addDirected(a, b, rounding);
}

inline float mulRounded(float a, float b, Rounding rounding) {
  if (rounding == Rounding::nearestEven) {
    return a * b;
  }
  const double exact = static_cast<double>(a) * static_cast<double>(b);
  const float nearest = static_cast<float>(exact);
  return std::isfinite(exact) ? direct(nearest, exact - static_cast<double>(nearest), rounding) : nearest;
}

inline float fmaRounded(float a, float b, float c, Rounding rounding) {
  return rounding == Rounding::nearestEven ? std::fma(a, b, c)
                                           : addDirected(static_cast<double>(a) * static_cast<double>(b), c, rounding);
}

inline float divRounded(float a, float b, Rounding rounding) {
  const float nearest = a / b;
  if (rounding == Rounding::nearestEven || !std::isfinite(a) || !std::isfinite(b) || b == 0 || a == 0) {
    return nearest;
  }
  // The remainder a - q*b is exact in double, and its sign against b's is the sign of the quotient's error.
  const double remainder =
      std::isinf(nearest) ? -std::copysign(1.0, a)
                          : static_cast<double>(a) - static_cast<double>(nearest) * static_cast<double>(b);
  return direct(nearest, std::signbit(b) ? -remainder : remainder, rounding);
}

inline float sqrtRounded(float a, Rounding rounding) {
  const float nearest = std::sqrt(a);
  if (rounding == Rounding::nearestEven || !std::isfinite(nearest) || a == 0) {
    return nearest;
  }
  return direct(nearest, static_cast<double>(a) - static_cast<double>(nearest) * static_cast<double>(nearest), rounding);
}

inline double addRounded(double a, double b, Rounding rounding) {
  return rounding == Rounding::nearestEven ? a + b : doubleOf(softAdd(f64Format, bitsOf(a), bitsOf(b), rounding));
}
inline double mulRounded(double a, double b, Rounding rounding) {
  return rounding == Rounding::nearestEven ? a * b : doubleOf(softMul(f64Format, bitsOf(a), bitsOf(b), rounding));
}
inline double fmaRounded(double a, double b, double c, Rounding rounding) {
  return rounding == Rounding::nearestEven ? std::fma(a, b, c)
                                           : doubleOf(softFma(f64Format, bitsOf(a), bitsOf(b), bitsOf(c), rounding));
}
inline double divRounded(double a, double b, Rounding rounding) {
  return rounding == Rounding::nearestEven ? a / b : doubleOf(softDiv(f64Format, bitsOf(a), bitsOf(b), rounding));
}
inline double sqrtRounded(double a, Rounding rounding) {
  return rounding == Rounding::nearestEven ? std::sqrt(a) : doubleOf(softSqrt(f64Format, bitsOf(a), rounding));
}

/** The instructions add, sub, mul, fma (and mad), div, rcp, sqrt of .f32 and .f64. */
template <std::floating_point T> T add(T a, T b, FloatMode mode) {
  return finish(addRounded(prepare(a, mode), prepare(b, mode), mode.rounding), mode);
}
template <std::floating_point T> T sub(T a, T b, FloatMode mode) {
  return finish(addRounded(prepare(a, mode), -prepare(b, mode), mode.rounding), mode);
}
template <std::floating_point T> T mul(T a, T b, FloatMode mode) {
  return finish(mulRounded(prepare(a, mode), prepare(b, mode), mode.rounding), mode);
}
template <std::floating_point T> T fma(T a, T b, T c, FloatMode mode) {
  return finish(fmaRounded(prepare(a, mode), prepare(b, mode), prepare(c, mode), mode.rounding), mode);
}
template <std::floating_point T> T div(T a, T b, FloatMode mode) {
  return finish(divRounded(prepare(a, mode), prepare(b, mode), mode.rounding), mode);
}
template <std::floating_point T> T rcp(T a, FloatMode mode) {
  return finish(divRounded(T(1), prepare(a, mode), mode.rounding), mode);
}
template <std::floating_point T> T sqrt(T a, FloatMode mode) {
  return finish(sqrtRounded(prepare(a, mode), mode.rounding), mode);
}

/** neg, abs and copysign act on the sign bit alone, of NaN too; .ftz still flushes. */
inline float neg(float a, FloatMode mode) { return prepare(floatOf(bitsOf(a) ^ 0x80000000), mode); }
inline double neg(double a, FloatMode) { return doubleOf(bitsOf(a) ^ (std::uint64_t{1} << 63)); }
inline float abs(float a, FloatMode mode) { return prepare(floatOf(bitsOf(a) & 0x7fffffff), mode); }
inline double abs(double a, FloatMode) { return doubleOf(bitsOf(a) & ~(std::uint64_t{1} << 63)); }

/** copysign d, a, b: the magnitude of b with the sign of a. */
inline float copySign(float sign, float magnitude) {
  return floatOf((bitsOf(sign) & 0x80000000) | (bitsOf(magnitude) & 0x7fffffff));
}
inline double copySign(double sign, double magnitude) { return std::copysign(magnitude, sign); }

/** How min and max treat NaN and signs. */
struct ExtremumMode {
  bool flush = false;
  bool propagateNan = false; // .NaN: a NaN operand makes the result NaN; otherwise the other operand is the result
  bool xorSignAbs = false;   // .xorsign.abs: magnitudes are compared, the sign is the exclusive or of both signs

  constexpr bool operator==(const ExtremumMode&) const = default;
};

/** The smaller (or larger) operand, with -0 < +0. */
template <bool Larger, std::floating_point T> T extremum(T a, T b, ExtremumMode mode) {
  T left = mode.flush ? flush(a) : a;
  T right = mode.flush ? flush(b) : b;
  const bool negative = std::signbit(left) != std::signbit(right);
  if (mode.xorSignAbs) {
    left = std::fabs(left);
    right = std::fabs(right);
  }
  const auto leftBits = bitsOf(left);
  const auto rightBits = bitsOf(right);
  // Equal operands differ at most in the sign of zero: and picks +0, or picks -0.
  const T equal = std::bit_cast<T>(Larger ? leftBits & rightBits : leftBits | rightBits);
  T result = Larger ? (left > right ? left : right) : (left < right ? left : right);
  result = left == right ? equal : result;
  result = right != right ? left : result;
  result = left != left ? right : result;
  result = mode.propagateNan && left != left ? left : result;
  result = mode.propagateNan && right != right ? right : result;
  if (mode.xorSignAbs) {
    result = negative ? -result : result;
  }
  return canonical(result);
}

template <std::floating_point T> T min(T a, T b, ExtremumMode mode) { return extremum<false>(a, b, mode); }
template <std::floating_point T> T max(T a, T b, ExtremumMode mode) { return extremum<true>(a, b, mode); }

} // namespace simgpu::arith
