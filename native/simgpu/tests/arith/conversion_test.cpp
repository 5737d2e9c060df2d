#include "arith/conversion.h"

#include "check.h"
#include "values.h"

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

constexpr ScalarType integerTypes[] = {ScalarType::u8,  ScalarType::s8,  ScalarType::u16, ScalarType::s16,
                                       ScalarType::u32, ScalarType::s32, ScalarType::u64, ScalarType::s64};

std::uint64_t cvt(ScalarType to, ScalarType from, std::uint64_t bits, Rounding rounding = Rounding::nearestEven) {
  return convert({to, from, rounding}, bits);
}

template <class I, class F> void compareToInteger(ScalarType to, ScalarType from, F value, std::uint64_t bits) {
  for (const Rounding r : ieeeModes) {
    const auto expected = static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<I>(cvt(to, from, bits, r))));
    const auto actual = static_cast<std::uint64_t>(static_cast<std::int64_t>(toInteger<I>(value, r)));
    if (actual != expected) {
      fail(__FILE__, __LINE__,
           std::string("cvt.") + roundingName(r) + " of " + hex(bits) + " is " + hex(actual) + ", expected " +
               hex(expected));
    }
  }
}

template <class F> void compareFloatToAllIntegers(ScalarType from, Format format) {
  auto patterns = edgePatterns(format);
  Patterns random(format, 11);
  for (int i = 0; i < 20000; i++) {
    patterns.push_back(random.next());
  }
  for (int exponent = 0; exponent < 66; exponent++) { // around every power of two an integer type ends at
    const std::uint64_t power = static_cast<std::uint64_t>(format.bias() + exponent) << format.fractionBits;
    for (const std::uint64_t near :
         {power - 1, power, power + 1, power + (std::uint64_t{1} << (format.fractionBits - 1))}) {
      patterns.push_back(near);
      patterns.push_back(near | format.signBit());
    }
  }
  for (const std::uint64_t bits : patterns) {
    F value;
    if constexpr (sizeof(F) == 8) {
      value = doubleOf(bits);
    } else {
      value = floatOf(static_cast<std::uint32_t>(bits));
    }
    compareToInteger<std::int8_t>(ScalarType::s8, from, value, bits);
    compareToInteger<std::uint8_t>(ScalarType::u8, from, value, bits);
    compareToInteger<std::int16_t>(ScalarType::s16, from, value, bits);
    compareToInteger<std::uint16_t>(ScalarType::u16, from, value, bits);
    compareToInteger<std::int32_t>(ScalarType::s32, from, value, bits);
    compareToInteger<std::uint32_t>(ScalarType::u32, from, value, bits);
    compareToInteger<std::int64_t>(ScalarType::s64, from, value, bits);
    compareToInteger<std::uint64_t>(ScalarType::u64, from, value, bits);
  }
}

} // namespace

TEST("the fast float-to-integer forms equal the general one at every boundary") {
  compareFloatToAllIntegers<float>(ScalarType::f32, f32Format);
  compareFloatToAllIntegers<double>(ScalarType::f64, f64Format);
}

TEST("float-to-integer clamps, and NaN follows the ISA's table") {
  const std::uint64_t nan32 = 0x7fc00000;
  const std::uint64_t nan64 = std::uint64_t{0x7ff8} << 48;
  CHECK_EQUAL(cvt(ScalarType::s32, ScalarType::f32, nan32), std::uint64_t{0});
  CHECK_EQUAL(cvt(ScalarType::u8, ScalarType::f32, nan32), std::uint64_t{0});
  CHECK_EQUAL(cvt(ScalarType::s64, ScalarType::f32, nan32), std::uint64_t{1} << 63);
  CHECK_EQUAL(cvt(ScalarType::u64, ScalarType::f32, nan32), std::uint64_t{1} << 63);
  CHECK_EQUAL(static_cast<std::uint32_t>(cvt(ScalarType::s32, ScalarType::f64, nan64)), 0x80000000u);
  CHECK_EQUAL(cvt(ScalarType::u32, ScalarType::f64, nan64), std::uint64_t{0x80000000});
  CHECK_EQUAL(cvt(ScalarType::s32, ScalarType::f32, bitsOf(3e9f)), std::uint64_t{0x7fffffff});
  CHECK_EQUAL(cvt(ScalarType::u32, ScalarType::f32, bitsOf(-3.0f)), std::uint64_t{0});
  CHECK_EQUAL(cvt(ScalarType::u64, ScalarType::f32, bitsOf(INFINITY)), ~std::uint64_t{0});
  CHECK_EQUAL(cvt(ScalarType::s8, ScalarType::f32, bitsOf(-1000.0f)), ~std::uint64_t{0} - 127);
}

TEST("integer rounding modes differ at halves") {
  const auto round = [](float value, Rounding rounding) {
    return static_cast<std::int32_t>(cvt(ScalarType::s32, ScalarType::f32, bitsOf(value), rounding));
  };
  CHECK_EQUAL(round(2.5f, Rounding::nearestEven), 2);
  CHECK_EQUAL(round(3.5f, Rounding::nearestEven), 4);
  CHECK_EQUAL(round(-2.5f, Rounding::towardZero), -2);
  CHECK_EQUAL(round(-2.5f, Rounding::towardNegative), -3);
  CHECK_EQUAL(round(-2.5f, Rounding::towardPositive), -2);
  CHECK_EQUAL(convert({ScalarType::f32, ScalarType::f32, Rounding::towardNegative, true}, bitsOf(-0.25f)),
              bitsOf(-1.0f));
  CHECK_EQUAL(convert({ScalarType::f16, ScalarType::f16, Rounding::nearestEven, true}, 0x3e00), std::uint64_t{0x4000});
}

TEST("integer-to-integer conversions truncate, extend, or saturate") {
  CHECK_EQUAL(cvt(ScalarType::s8, ScalarType::s32, 0x1ff), ~std::uint64_t{0});
  CHECK_EQUAL(cvt(ScalarType::u8, ScalarType::s32, 0x1ff), std::uint64_t{0xff});
  CHECK_EQUAL(cvt(ScalarType::s64, ScalarType::s32, 0x80000000), std::uint64_t{0xffffffff80000000});
  CHECK_EQUAL(cvt(ScalarType::s64, ScalarType::u32, 0x80000000), std::uint64_t{0x80000000});
  Conversion saturating{ScalarType::u8, ScalarType::s32};
  saturating.saturate = true;
  CHECK_EQUAL(convert(saturating, 0xffffffff), std::uint64_t{0});
  CHECK_EQUAL(convert(saturating, 300), std::uint64_t{255});
  saturating.to = ScalarType::s8;
  CHECK_EQUAL(convert(saturating, static_cast<std::uint32_t>(-300)), ~std::uint64_t{0} - 127);
  saturating.from = ScalarType::u64;
  CHECK_EQUAL(convert(saturating, ~std::uint64_t{0}), std::uint64_t{127});
}

TEST("every integer type round-trips through f64 when it fits") {
  for (const ScalarType type : integerTypes) {
    const int bits = std::min(bitsOfType(type), 52);
    for (std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << (bits - 1)) - 1}) {
      CHECK_EQUAL(cvt(type, ScalarType::f64, cvt(ScalarType::f64, type, value), Rounding::towardZero), value);
    }
  }
  CHECK_EQUAL(fromInteger<float>(16777217, Rounding::nearestEven), 16777216.0f);
  CHECK_EQUAL(fromInteger<float>(16777217, Rounding::towardPositive), 16777218.0f);
  CHECK_EQUAL(fromInteger<float>(-16777217, Rounding::towardPositive), -16777216.0f);
  CHECK_EQUAL(fromInteger<float>(std::int16_t{-32768}, Rounding::towardZero), -32768.0f);
  CHECK_EQUAL(fromInteger<double>(~std::uint64_t{0}, Rounding::towardZero), 18446744073709549568.0);
}

TEST("f64 to f32 equals the general conversion in every mode") {
  Patterns random(f64Format, 6);
  auto patterns = edgePatterns(f64Format);
  for (int i = 0; i < 50000; i++) {
    patterns.push_back(random.next());
  }
  for (const std::uint64_t bits : patterns) {
    for (const Rounding r : ieeeModes) {
      CHECK_EQUAL(bitsOf(narrowToFloat(doubleOf(bits), r)), cvt(ScalarType::f32, ScalarType::f64, bits, r));
    }
  }
}

TEST("tf32 keeps ten fraction bits and rounds ties away") {
  CHECK_EQUAL(floatToTf32(floatOf(0x3f801000)), 0x3f802000u);
  CHECK_EQUAL(floatToTf32(floatOf(0x3f800fff)), 0x3f800000u);
  CHECK_EQUAL(floatToTf32(floatOf(0xbf801000)), 0xbf802000u);
  CHECK_EQUAL(floatToTf32(floatOf(0x7f7fffff)), 0x7f800000u);
  CHECK_EQUAL(floatToTf32(floatOf(0xff800000)), 0xff800000u);
  Patterns random(f32Format, 7);
  for (int i = 0; i < 50000; i++) {
    const std::uint64_t bits = random.next();
    CHECK_EQUAL(floatToTf32(floatOf(static_cast<std::uint32_t>(bits))),
                cvt(ScalarType::tf32, ScalarType::f32, bits, Rounding::nearestAway));
  }
}

TEST("narrowing to f16 and bf16 in directed modes brackets the value") {
  Patterns random(f32Format, 8);
  for (int i = 0; i < 50000; i++) {
    const std::uint64_t bits = random.next();
    const float value = floatOf(static_cast<std::uint32_t>(bits));
    if (std::isnan(value)) {
      continue;
    }
    const float below = f16ToFloat(narrowToHalf<F16>(value, Rounding::towardNegative));
    const float above = f16ToFloat(narrowToHalf<F16>(value, Rounding::towardPositive));
    CHECK(below <= value && value <= above);
    CHECK(below == value || above == value || below < above);
    const float cut = bf16ToFloat(narrowToHalf<Bf16>(value, Rounding::towardZero));
    CHECK(std::fabs(cut) <= std::fabs(value));
  }
}

TEST(".relu, .sat, .satfinite and .ftz act on converted values") {
  Conversion relu{ScalarType::f16, ScalarType::f32};
  relu.relu = true;
  CHECK_EQUAL(convert(relu, bitsOf(-2.0f)), std::uint64_t{0});
  CHECK_EQUAL(convert(relu, 0x80000000), std::uint64_t{0});
  CHECK_EQUAL(convert(relu, 0xffc00000), std::uint64_t{0x7fff});
  Conversion sat{ScalarType::f32, ScalarType::f64};
  sat.saturate = true;
  CHECK_EQUAL(convert(sat, bitsOf(7.5)), std::uint64_t{bitsOf(1.0f)});
  CHECK_EQUAL(convert(sat, bitsOf(-0.5)), std::uint64_t{0});
  CHECK_EQUAL(convert(sat, bitsOf(0.25)), std::uint64_t{bitsOf(0.25f)});
  Conversion finite{ScalarType::bf16, ScalarType::f32};
  finite.satfinite = true;
  CHECK_EQUAL(convert(finite, bitsOf(-INFINITY)), std::uint64_t{0xff7f});
  Conversion flushing{ScalarType::f32, ScalarType::f64};
  flushing.flush = true;
  CHECK_EQUAL(convert(flushing, bitsOf(-0x1p-130)), std::uint64_t{0x80000000});
  flushing = {ScalarType::f64, ScalarType::f32};
  flushing.flush = true;
  CHECK_EQUAL(convert(flushing, 1), std::uint64_t{0});
}
