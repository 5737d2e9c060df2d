// Integer arithmetic of PTX, exact for every type: products and their halves, carries, division, absolute
// differences, 24-bit products. Inline and, division apart, free of branches.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace simgpu::arith {

namespace detail {

__extension__ using Int128 = __int128;
__extension__ using Uint128 = unsigned __int128;

template <int Bytes, bool Signed> struct WiderInteger;
template <> struct WiderInteger<1, true> { using Type = std::int16_t; };
template <> struct WiderInteger<1, false> { using Type = std::uint16_t; };
template <> struct WiderInteger<2, true> { using Type = std::int32_t; };
template <> struct WiderInteger<2, false> { using Type = std::uint32_t; };
template <> struct WiderInteger<4, true> { using Type = std::int64_t; };
template <> struct WiderInteger<4, false> { using Type = std::uint64_t; };
template <> struct WiderInteger<8, true> { using Type = Int128; };
template <> struct WiderInteger<8, false> { using Type = Uint128; };

} // namespace detail

/** The integer type of twice the width. */
template <std::integral T> using Wide = typename detail::WiderInteger<sizeof(T), std::is_signed_v<T>>::Type;
template <std::integral T> using Unsigned = std::make_unsigned_t<T>;
template <std::integral T> inline constexpr int bitsIn = static_cast<int>(sizeof(T) * 8);

/** Addition, subtraction and products wrap around; computing in the unsigned type keeps that defined. */
template <std::integral T> T wrappingAdd(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
}
template <std::integral T> T wrappingSub(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b));
}
template <std::integral T> T mulLow(T a, T b) {
  // 16-bit operands would be promoted to int, where their product can overflow.
  using Work = std::conditional_t<(sizeof(T) < 4), std::uint32_t, Unsigned<T>>;
  return static_cast<T>(static_cast<Work>(a) * static_cast<Work>(b));
}
template <std::integral T> T mulHigh(T a, T b) {
  return static_cast<T>((static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b)) >> bitsIn<T>);
}
template <std::integral T> Wide<T> mulWide(T a, T b) { return static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b); }

template <std::integral T> T madLow(T a, T b, T c) { return wrappingAdd(mulLow(a, b), c); }
template <std::integral T> T madHigh(T a, T b, T c) { return wrappingAdd(mulHigh(a, b), c); }
template <std::integral T> Wide<T> madWide(T a, T b, Wide<T> c) {
  using Result = Unsigned<Wide<T>>;
  return static_cast<Wide<T>>(static_cast<Result>(mulWide(a, b)) + static_cast<Result>(c));
}

/** .sat of add.s32, sub.s32 and mad.hi.s32: clamps to MININT..MAXINT. */
inline std::int32_t saturateToS32(std::int64_t value) {
  constexpr std::int64_t low = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t high = std::numeric_limits<std::int32_t>::max();
  return static_cast<std::int32_t>(value < low ? low : value > high ? high : value);
}
inline std::int32_t saturatingAdd(std::int32_t a, std::int32_t b) { return saturateToS32(std::int64_t{a} + b); }
inline std::int32_t saturatingSub(std::int32_t a, std::int32_t b) { return saturateToS32(std::int64_t{a} - b); }
inline std::int32_t saturatingMadHigh(std::int32_t a, std::int32_t b, std::int32_t c) {
  return saturateToS32(std::int64_t{mulHigh(a, b)} + c);
}

/**
 * Division by zero gives all ones and a remainder equal to the dividend, as the device's code sequence does (the ISA
 * leaves it unspecified). MININT / -1 wraps to MININT with remainder 0.
 */
template <std::integral T> T divide(T a, T b) {
  if (b == 0) {
    return static_cast<T>(~T{0});
  }
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) {
      return wrappingSub(T{0}, a);
    }
  }
  return static_cast<T>(a / b);
}
template <std::integral T> T remainder(T a, T b) {
  if (b == 0) {
    return a;
  }
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) {
      return 0;
    }
  }
  return static_cast<T>(a % b);
}

template <std::integral T> T negate(T a) { return wrappingSub(T{0}, a); }
/** |MININT| is MININT. */
template <std::integral T> T absolute(T a) { return a < 0 ? negate(a) : a; }
template <std::integral T> T absoluteDifference(T a, T b) { return a < b ? wrappingSub(b, a) : wrappingSub(a, b); }
/** sad: c + |a - b|. */
template <std::integral T> T sumAbsoluteDifference(T a, T b, T c) { return wrappingAdd(c, absoluteDifference(a, b)); }

/** mul24 and mad24: products of the low 24 bits, sign- or zero-extended; the low or the high 32 of 48 bits. */
template <std::integral T> std::int64_t extend24(T a) {
  static_assert(sizeof(T) == 4);
  return std::is_signed_v<T> ? std::int64_t{static_cast<std::int32_t>(static_cast<std::uint32_t>(a) << 8) >> 8}
                             : std::int64_t{static_cast<std::uint32_t>(a) & 0xffffff};
}
template <std::integral T> T mul24Low(T a, T b) { return static_cast<T>(extend24(a) * extend24(b)); }
template <std::integral T> T mul24High(T a, T b) { return static_cast<T>((extend24(a) * extend24(b)) >> 16); }

/** A result and the carry (or borrow) flag CC.CF it leaves. */
template <std::unsigned_integral T> struct WithCarry {
  T value;
  bool carry;
};

/** add.cc, addc.cc: pass false as carryIn for add.cc. */
template <std::unsigned_integral T> WithCarry<T> addWithCarry(T a, T b, bool carryIn) {
  const T partial = static_cast<T>(a + b);
  const T sum = static_cast<T>(partial + (carryIn ? 1 : 0));
  return {sum, partial < a || sum < partial};
}

template <std::integral T> int populationCount(T a) { return std::popcount(static_cast<Unsigned<T>>(a)); }
template <std::integral T> int leadingZeros(T a) { return std::countl_zero(static_cast<Unsigned<T>>(a)); }

/** Shift amounts are unsigned and clamp at the width: shl fills with zeros, shr of signed types with the sign. */
template <std::integral T> T shiftLeft(T a, std::uint32_t amount) {
  using U = Unsigned<T>;
  return amount >= static_cast<std::uint32_t>(bitsIn<T>) ? T{0} : static_cast<T>(static_cast<U>(static_cast<U>(a) << amount));
}
template <std::integral T> T shiftRight(T a, std::uint32_t amount) {
  constexpr auto width = static_cast<std::uint32_t>(bitsIn<T>);
  if constexpr (std::is_signed_v<T>) {
    return static_cast<T>(a >> (amount >= width ? width - 1 : amount));
  } else {
    return amount >= width ? T{0} : static_cast<T>(a >> amount);
  }
}

} // namespace simgpu::arith
