// The comparison operators of set, setp and slct, and testp.
#pragma once

#include "arith/float_arithmetic.h"

#include <concepts>

namespace simgpu::arith {

/**
 * Comparison operators. lo, ls, hi, hs are the unsigned spellings of lt, le, gt, ge; equ ... geu are also true when
 * an operand is NaN; num and nan only ask whether operands are numbers.
 */
enum class Comparison : std::uint8_t { eq, ne, lt, le, gt, ge, lo, ls, hi, hs, equ, neu, ltu, leu, gtu, geu, num, nan };

/** Integers: the type carries the signedness. */
template <Comparison C, std::integral T> bool compare(T a, T b) {
  if constexpr (C == Comparison::eq) {
    return a == b;
  } else if constexpr (C == Comparison::ne) {
    return a != b;
  } else if constexpr (C == Comparison::lt || C == Comparison::lo) {
    return a < b;
  } else if constexpr (C == Comparison::le || C == Comparison::ls) {
    return a <= b;
  } else if constexpr (C == Comparison::gt || C == Comparison::hi) {
    return a > b;
  } else {
    static_assert(C == Comparison::ge || C == Comparison::hs, "an unordered comparison needs a floating-point type");
    return a >= b;
  }
}

/** Floating point: f16 and bf16 operands are widened to float first, which changes no comparison. */
template <Comparison C, std::floating_point T> bool compare(T a, T b) {
  if constexpr (C == Comparison::eq) {
    return a == b;
  } else if constexpr (C == Comparison::ne) {
    return a < b || a > b;
  } else if constexpr (C == Comparison::lt) {
    return a < b;
  } else if constexpr (C == Comparison::le) {
    return a <= b;
  } else if constexpr (C == Comparison::gt) {
    return a > b;
  } else if constexpr (C == Comparison::ge) {
    return a >= b;
  } else if constexpr (C == Comparison::equ) {
    return !(a < b || a > b);
  } else if constexpr (C == Comparison::neu) {
    return a != b;
  } else if constexpr (C == Comparison::ltu) {
    return !(a >= b);
  } else if constexpr (C == Comparison::leu) {
    return !(a > b);
  } else if constexpr (C == Comparison::gtu) {
    return !(a <= b);
  } else if constexpr (C == Comparison::geu) {
    return !(a < b);
  } else if constexpr (C == Comparison::num) {
    return a == a && b == b;
  } else {
    static_assert(C == Comparison::nan, "an unsigned comparison needs an integer type");
    return a != a || b != b;
  }
}

/** The properties testp asks for. */
enum class FloatProperty : std::uint8_t { finite, infinite, number, notanumber, normal, subnormal };

/** testp: zero is neither normal nor subnormal, hence `normal` counts it as the ISA does: true for zero. */
template <std::floating_point T> bool hasProperty(FloatProperty property, T value) {
  switch (property) {
  case FloatProperty::finite:
    return std::isfinite(value);
  case FloatProperty::infinite:
    return std::isinf(value);
  case FloatProperty::number:
    return !std::isnan(value);
  case FloatProperty::notanumber:
    return std::isnan(value);
  case FloatProperty::normal:
    return std::isnormal(value) || value == 0;
  case FloatProperty::subnormal:
    return std::fpclassify(value) == FP_SUBNORMAL;
  }
  return false;
}

} // namespace simgpu::arith
