// The .approx functions. Their bits are not published; the results here lie inside the error bounds and obey the
// special-case tables of the ISA (section 9.7.3; the tests check every bound), so code that relies on no more than
// those behaves as on the device. Most results are closer: rcp, sqrt and div.full are the correctly rounded ones.
#pragma once

#include "arith/float_arithmetic.h"

namespace simgpu::arith {

/**
 * ex2.approx: 2^n * 2^r with r in [-1/2, 1/2], in double so that one final rounding remains. The degree-7 Taylor
 * polynomial of e^(r ln 2) errs by less than 6e-12.
 */
inline float exp2Approx(float value) {
  constexpr double ln2 = 0.69314718055994530942;
  constexpr double magic = 6755399441055744.0; // 1.5 * 2^52: adding it leaves round(x) in the low bits
  const float limited = value > 130.0f ? 130.0f : (value < -160.0f ? -160.0f : value);
  const double x = static_cast<double>(limited);
  const double shifted = x + magic;
  const double t = (x - (shifted - magic)) * ln2;
  const double power =
      1 + t * (1 + t * (1.0 / 2 + t * (1.0 / 6 + t * (1.0 / 24 + t * (1.0 / 120 + t * (1.0 / 720 + t * (1.0 / 5040)))))));
  // The integer sits in the low bits of `shifted`; moving it to the exponent field multiplies by 2^n.
  const double scaled = doubleOf(bitsOf(power) + (bitsOf(shifted) << 52));
  return value != value ? floatOf(canonicalNanF32) : static_cast<float>(scaled);
}

inline float log2Approx(float value) { return canonical(std::log2(value)); }
inline float sinApprox(float value) { return canonical(std::sin(value)); }
inline float cosApprox(float value) { return canonical(std::cos(value)); }
inline float tanhApprox(float value) { return canonical(std::tanh(value)); }
inline float rcpApprox(float value) { return canonical(1.0f / value); }
inline float sqrtApprox(float value) { return canonical(std::sqrt(value)); }
inline float rsqrtApprox(float value) { return canonical(1.0f / std::sqrt(value)); }

/** div.approx: a * (1/b); a divisor above 2^126 has a reciprocal of zero. */
inline float divApprox(float a, float b) {
  const float reciprocal = std::fabs(b) > 0x1p126f ? copySign(b, 0.0f) : 1.0f / b;
  return canonical(a * reciprocal);
}

/** div.full. */
inline float divFull(float a, float b) { return canonical(a / b); }

/** An .approx function with .ftz: subnormal operands and results become zeros. */
template <class Function> float flushed(Function function, float value) { return flush(function(flush(value))); }

inline double rsqrtApprox(double value) { return 1.0 / std::sqrt(value); }

namespace detail {

/** The high word of a double with subnormals as zeros, for the 32-bit "gross" approximations. */
inline double grossOperand(double value) {
  const std::uint64_t high = bitsOf(value) & 0xffffffff00000000;
  return doubleOf((high & 0x7ff0000000000000) == 0 ? high & 0x8000000000000000 : high);
}
inline double grossResult(double value) {
  return value != value ? doubleOf(0x7fffffff00000000) : grossOperand(value);
}

} // namespace detail

/** rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64: 20 fraction bits in, 20 out. */
inline double rcpGross(double value) { return detail::grossResult(1.0 / detail::grossOperand(value)); }
inline double rsqrtGross(double value) { return detail::grossResult(1.0 / std::sqrt(detail::grossOperand(value))); }

} // namespace simgpu::arith
