#include "arith/soft_float.h"

#include <algorithm>

namespace simgpu::arith {
namespace {

__extension__ using Bits128 = unsigned __int128;

enum class Kind { zero, finite, infinity, nan };

/** A decoded operand: (-1)^negative * significand * 2^exponent when finite. */
struct Value {
  Kind kind;
  bool negative;
  int exponent;
  Bits128 significand;
};

int topBit(Bits128 value) {
  const auto high = static_cast<std::uint64_t>(value >> 64);
  return high != 0 ? 127 - std::countl_zero(high) : 63 - std::countl_zero(static_cast<std::uint64_t>(value));
}

Value decode(Format format, std::uint64_t bits) {
  const bool negative = (bits & format.signBit()) != 0;
  const std::uint64_t magnitude = bits & (format.signBit() - 1);
  if (magnitude > format.infinity()) {
    return {Kind::nan, negative, 0, 0};
  }
  if (magnitude == format.infinity()) {
    return {Kind::infinity, negative, 0, 0};
  }
  const std::uint64_t fraction = magnitude & ((std::uint64_t{1} << format.fractionBits) - 1);
  const int biased = static_cast<int>(magnitude >> format.fractionBits);
  if (biased == 0) {
    const Kind kind = fraction == 0 ? Kind::zero : Kind::finite;
    return {kind, negative, format.smallestExponent() - format.fractionBits, fraction};
  }
  return {Kind::finite, negative, biased - format.bias() - format.fractionBits,
          fraction | (std::uint64_t{1} << format.fractionBits)};
}

std::uint64_t withSign(Format format, bool negative, std::uint64_t magnitude) {
  return negative ? magnitude | format.signBit() : magnitude;
}

/** Whether the kept part grows by one unit, given what was cut off relative to half a unit (-1 below, 0 tie, 1 above). */
bool roundsUp(Rounding rounding, bool negative, bool odd, bool inexact, int againstHalf) {
  switch (rounding) {
  case Rounding::nearestEven:
    return againstHalf > 0 || (againstHalf == 0 && odd);
  case Rounding::nearestAway:
    return againstHalf >= 0;
  case Rounding::towardZero:
    return false;
  case Rounding::towardNegative:
    return negative && inexact;
  case Rounding::towardPositive:
    return !negative && inexact;
  }
  return false;
}

/** floor(significand * 2^-shift), and how the rest compares with half a unit. `sticky` stands for bits below bit 0. */
struct Cut {
  Bits128 kept;
  bool inexact;
  int againstHalf;
};

Cut cut(Bits128 significand, int shift, bool sticky) {
  if (shift <= 0) {
    return {significand << -shift, sticky, -1};
  }
  if (shift > 127) {
    return {0, significand != 0 || sticky, -1};
  }
  const Bits128 half = Bits128{1} << (shift - 1);
  const Bits128 rest = significand & ((half << 1) - 1);
  const int against = rest > half || (rest == half && sticky) ? 1 : rest == half ? 0 : -1;
  return {significand >> shift, rest != 0 || sticky, against};
}

/** Rounds (-1)^negative * (significand + epsilon if sticky) * 2^exponent, significand > 0, into the format. */
std::uint64_t encode(Format format, bool negative, Bits128 significand, int exponent, bool sticky, Rounding rounding) {
  const int leading = topBit(significand) + exponent;
  int unit = std::max(leading, format.smallestExponent()) - format.fractionBits;
  const Cut parts = cut(significand, unit - exponent, sticky);
  auto kept = static_cast<std::uint64_t>(parts.kept);
  if (roundsUp(rounding, negative, (kept & 1) != 0, parts.inexact, parts.againstHalf)) {
    kept++;
  }
  // A carry out of the significand turns into the next exponent by plain addition of the two fields.
  const int biased = unit + format.fractionBits + format.bias();
  const std::uint64_t magnitude = (static_cast<std::uint64_t>(biased - 1) << format.fractionBits) + kept;
  if (biased >= (1 << format.exponentBits) - 1 || magnitude >= format.infinity()) {
    const bool toInfinity = rounding == Rounding::nearestEven || rounding == Rounding::nearestAway ||
                            rounding == (negative ? Rounding::towardNegative : Rounding::towardPositive);
    return withSign(format, negative, toInfinity ? format.infinity() : format.largestFinite());
  }
  return withSign(format, negative, magnitude);
}

std::uint64_t zeroOfSum(Format format, bool aNegative, bool bNegative, Rounding rounding) {
  const bool negative = aNegative == bNegative ? aNegative : rounding == Rounding::towardNegative;
  return withSign(format, negative, 0);
}

/** The sum of two finite values, each of at most 106 significant bits. */
std::uint64_t addFinite(Format format, Value a, Value b, Rounding rounding) {
  if (a.kind == Kind::zero && b.kind == Kind::zero) {
    return zeroOfSum(format, a.negative, b.negative, rounding);
  }
  if (a.kind == Kind::zero || b.kind == Kind::zero) {
    const Value& only = a.kind == Kind::zero ? b : a;
    return encode(format, only.negative, only.significand, only.exponent, false, rounding);
  }
  if (topBit(a.significand) + a.exponent < topBit(b.significand) + b.exponent) {
    std::swap(a, b);
  }
  // The larger operand goes to bit 125: a carry still fits, and no bit of the smaller one is lost unless it is at
  // least 2^19 times smaller, when cancellation cannot bring the lost bits near the rounding position.
  const int up = 125 - topBit(a.significand);
  a.significand <<= up;
  a.exponent -= up;
  const int shift = a.exponent - b.exponent;
  bool sticky = false;
  if (shift <= 0) {
    b.significand <<= -shift;
  } else if (shift > 127) {
    sticky = true;
    b.significand = 0;
  } else {
    sticky = (b.significand & ((Bits128{1} << shift) - 1)) != 0;
    b.significand >>= shift;
  }
  if (a.negative == b.negative) {
    return encode(format, a.negative, a.significand + b.significand, a.exponent, sticky, rounding);
  }
  // a - (b + epsilon) = (a - b - 1) + (1 - epsilon): the rest is still a positive fraction of the last bit.
  const bool negative = a.significand >= b.significand ? a.negative : b.negative;
  const Bits128 difference = a.significand >= b.significand ? a.significand - b.significand - (sticky ? 1 : 0)
                                                         : b.significand - a.significand;
  if (difference == 0 && !sticky) {
    return zeroOfSum(format, a.negative, b.negative, rounding);
  }
  return encode(format, negative, difference, a.exponent, sticky, rounding);
}

std::uint64_t addValues(Format format, const Value& a, const Value& b, Rounding rounding) {
  if (a.kind == Kind::infinity || b.kind == Kind::infinity) {
    if (a.kind == b.kind && a.negative != b.negative) {
      return format.nan();
    }
    return withSign(format, a.kind == Kind::infinity ? a.negative : b.negative, format.infinity());
  }
  return addFinite(format, a, b, rounding);
}

/** The exact product; infinity times zero gives a NaN kind. */
Value multiply(const Value& a, const Value& b) {
  const bool negative = a.negative != b.negative;
  const bool zero = a.kind == Kind::zero || b.kind == Kind::zero;
  if (a.kind == Kind::infinity || b.kind == Kind::infinity) {
    return {zero ? Kind::nan : Kind::infinity, negative, 0, 0};
  }
  return {zero ? Kind::zero : Kind::finite, negative, a.exponent + b.exponent, a.significand * b.significand};
}

Bits128 squareRoot(Bits128 value) {
  Bits128 root = 0;
  for (Bits128 bit = Bits128{1} << 63; bit != 0; bit >>= 1) {
    const Bits128 candidate = root | bit;
    if (candidate * candidate <= value) {
      root = candidate;
    }
  }
  return root;
}

} // namespace

std::uint64_t softAdd(Format format, std::uint64_t a, std::uint64_t b, Rounding rounding) {
  const Value left = decode(format, a);
  const Value right = decode(format, b);
  if (left.kind == Kind::nan || right.kind == Kind::nan) {
    return format.nan();
  }
  return addValues(format, left, right, rounding);
}

std::uint64_t softFma(Format format, std::uint64_t a, std::uint64_t b, std::uint64_t c, Rounding rounding) {
  const Value left = decode(format, a);
  const Value right = decode(format, b);
  const Value addend = decode(format, c);
  if (left.kind == Kind::nan || right.kind == Kind::nan || addend.kind == Kind::nan) {
    return format.nan();
  }
  const Value product = multiply(left, right);
  return product.kind == Kind::nan ? format.nan() : addValues(format, product, addend, rounding);
}

std::uint64_t softMul(Format format, std::uint64_t a, std::uint64_t b, Rounding rounding) {
  const Value left = decode(format, a);
  const Value right = decode(format, b);
  if (left.kind == Kind::nan || right.kind == Kind::nan) {
    return format.nan();
  }
  const Value product = multiply(left, right);
  switch (product.kind) {
  case Kind::nan:
    return format.nan();
  case Kind::infinity:
    return withSign(format, product.negative, format.infinity());
  case Kind::zero:
    return withSign(format, product.negative, 0);
  case Kind::finite:
    break;
  }
  return encode(format, product.negative, product.significand, product.exponent, false, rounding);
}

std::uint64_t softDiv(Format format, std::uint64_t a, std::uint64_t b, Rounding rounding) {
  const Value left = decode(format, a);
  const Value right = decode(format, b);
  const bool negative = left.negative != right.negative;
  if (left.kind == Kind::nan || right.kind == Kind::nan ||
      (left.kind == right.kind && (left.kind == Kind::infinity || left.kind == Kind::zero))) {
    return format.nan();
  }
  if (left.kind == Kind::infinity || right.kind == Kind::zero) {
    return withSign(format, negative, format.infinity());
  }
  if (left.kind == Kind::zero || right.kind == Kind::infinity) {
    return withSign(format, negative, 0);
  }
  const int up = 126 - topBit(left.significand);
  const Bits128 dividend = left.significand << up;
  const Bits128 quotient = dividend / right.significand;
  const bool sticky = dividend % right.significand != 0;
  return encode(format, negative, quotient, left.exponent - up - right.exponent, sticky, rounding);
}

std::uint64_t softSqrt(Format format, std::uint64_t a, Rounding rounding) {
  const Value value = decode(format, a);
  if (value.kind == Kind::nan || (value.negative && value.kind != Kind::zero)) {
    return format.nan();
  }
  if (value.kind != Kind::finite) {
    return a;
  }
  int up = 126 - topBit(value.significand);
  up -= (value.exponent - up) & 1; // the exponent must stay even to be halved
  const Bits128 radicand = value.significand << up;
  const Bits128 root = squareRoot(radicand);
  return encode(format, false, root, (value.exponent - up) / 2, root * root != radicand, rounding);
}

std::uint64_t softConvert(Format from, Format to, std::uint64_t bits, Rounding rounding) {
  const Value value = decode(from, bits);
  switch (value.kind) {
  case Kind::nan:
    return to.nan();
  case Kind::infinity:
    return withSign(to, value.negative, to.infinity());
  case Kind::zero:
    return withSign(to, value.negative, 0);
  case Kind::finite:
    break;
  }
  return encode(to, value.negative, value.significand, value.exponent, false, rounding);
}

std::uint64_t softFromInteger(Format to, bool negative, std::uint64_t magnitude, Rounding rounding) {
  return magnitude == 0 ? 0 : encode(to, negative, magnitude, 0, false, rounding);
}

IntegerValue softToInteger(Format from, std::uint64_t bits, Rounding rounding) {
  const Value value = decode(from, bits);
  if (value.kind == Kind::nan) {
    return {true, false, false, 0};
  }
  if (value.kind == Kind::infinity || topBit(value.significand | 1) + value.exponent > 63) {
    return {false, value.negative, true, 0};
  }
  const Cut parts = cut(value.significand, -value.exponent, false);
  const bool up = roundsUp(rounding, value.negative, (parts.kept & 1) != 0, parts.inexact, parts.againstHalf);
  return {false, value.negative, false, static_cast<std::uint64_t>(parts.kept) + (up ? 1 : 0)};
}

std::uint64_t softRoundToIntegral(Format format, std::uint64_t bits, Rounding rounding) {
  const Value value = decode(format, bits);
  if (value.kind == Kind::nan) {
    return format.nan();
  }
  if (value.kind != Kind::finite || value.exponent >= 0) {
    return bits;
  }
  const IntegerValue integer = softToInteger(format, bits, rounding);
  return withSign(format, integer.negative, softFromInteger(format, false, integer.magnitude, rounding));
}

} // namespace simgpu::arith
