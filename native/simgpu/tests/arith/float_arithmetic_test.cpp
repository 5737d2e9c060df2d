#include "arith/comparison.h"
#include "arith/float_arithmetic.h"

#include "check.h"
#include "values.h"

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

float f(std::uint64_t bits) { return floatOf(static_cast<std::uint32_t>(bits)); }

void expectBits(const char* what, Rounding rounding, float actual, std::uint64_t expected, std::uint64_t a,
                std::uint64_t b) {
  if (bitsOf(actual) != expected) {
    fail(__FILE__, __LINE__,
         std::string(what) + " ." + roundingName(rounding) + " of " + hex(a) + ", " + hex(b) + " gives " +
             hex(bitsOf(actual)) + ", expected " + hex(expected));
  }
}

void compareWithSoft(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  for (const Rounding r : ieeeModes) {
    const FloatMode mode{r, false, false};
    expectBits("add", r, add(f(a), f(b), mode), softAdd(f32Format, a, b, r), a, b);
    expectBits("sub", r, sub(f(a), f(b), mode), softAdd(f32Format, a, b ^ 0x80000000, r), a, b);
    expectBits("mul", r, mul(f(a), f(b), mode), softMul(f32Format, a, b, r), a, b);
    expectBits("fma", r, fma(f(a), f(b), f(c), mode), softFma(f32Format, a, b, c, r), a, b);
    expectBits("div", r, div(f(a), f(b), mode), softDiv(f32Format, a, b, r), a, b);
    expectBits("rcp", r, rcp(f(a), mode), softDiv(f32Format, bitsOf(1.0f), a, r), a, 0);
    expectBits("sqrt", r, sqrt(f(a), mode), softSqrt(f32Format, a, r), a, 0);
  }
}

} // namespace

TEST("f32 arithmetic in every rounding mode equals the integer-only oracle, NaN bits included") {
  const auto edges = edgePatterns(f32Format);
  for (const std::uint64_t a : edges) {
    for (const std::uint64_t b : edges) {
      compareWithSoft(a, b, edges[(a * 31 + b * 7) % edges.size()]);
    }
  }
  Patterns random(f32Format);
  for (int i = 0; i < 100000; i++) {
    const std::uint64_t a = random.next();
    const std::uint64_t b = random.next();
    compareWithSoft(a, b, random.next());
  }
}

TEST("directed f64 operations go through the oracle and nearest ones through the processor") {
  const double third = div(1.0, 3.0, {Rounding::towardZero, false, false});
  CHECK_EQUAL(bitsOf(third), std::uint64_t{0x3fd5555555555555});
  CHECK_EQUAL(bitsOf(div(1.0, 3.0, {Rounding::towardPositive, false, false})), std::uint64_t{0x3fd5555555555556});
  CHECK_EQUAL(bitsOf(add(1.0, 0x1p-60, {Rounding::towardPositive, false, false})), std::uint64_t{0x3ff0000000000001});
  CHECK_EQUAL(sqrt(2.0, {}), std::sqrt(2.0));
  CHECK_EQUAL(fma(3.0, 5.0, 7.0, {}), 22.0);
}

TEST(".ftz flushes subnormal operands and results to zeros of their sign") {
  const FloatMode ftz{Rounding::nearestEven, true, false};
  CHECK_EQUAL(bitsOf(add(f(0x80000001), f(0x80000000), ftz)), 0x80000000u);
  CHECK_EQUAL(bitsOf(mul(f(0x00800000), 0.5f, ftz)), 0u);
  CHECK_EQUAL(bitsOf(mul(f(0x80800000), 0.5f, ftz)), 0x80000000u);
  CHECK_EQUAL(bitsOf(mul(f(0x007fffff), 4.0f, ftz)), 0u);
  CHECK_EQUAL(bitsOf(mul(f(0x00800000), 0.5f, {})), 0x00400000u);
  CHECK_EQUAL(bitsOf(neg(f(0x00000001), ftz)), 0x80000000u);
  CHECK_EQUAL(bitsOf(abs(f(0x80000001), ftz)), 0u);
}

TEST(".sat clamps to [0, 1] and turns NaN into +0") {
  const FloatMode sat{Rounding::nearestEven, false, true};
  CHECK_EQUAL(add(0.75f, 0.5f, sat), 1.0f);
  CHECK_EQUAL(bitsOf(add(-1.0f, 0.5f, sat)), 0u);
  CHECK_EQUAL(bitsOf(mul(-0.0f, 1.0f, sat)), 0u);
  CHECK_EQUAL(bitsOf(add(f(0x7fc00000), 1.0f, sat)), 0u);
  CHECK_EQUAL(fma(0.5f, 0.5f, 0.125f, sat), 0.375f);
}

TEST("every f32 NaN result is the canonical one") {
  for (const std::uint32_t nan : {0x7f800001u, 0xffc12345u, 0x7fffffffu}) {
    CHECK_EQUAL(bitsOf(add(floatOf(nan), 1.0f, {})), canonicalNanF32);
    CHECK_EQUAL(bitsOf(fma(1.0f, 1.0f, floatOf(nan), {})), canonicalNanF32);
    CHECK_EQUAL(bitsOf(sqrt(floatOf(nan), {})), canonicalNanF32);
  }
  CHECK_EQUAL(bitsOf(sqrt(-1.0f, {})), canonicalNanF32);
  CHECK_EQUAL(bitsOf(sub(INFINITY, INFINITY, {})), canonicalNanF32);
}

TEST("min and max order zeros, prefer numbers to NaN, and honour their modifiers") {
  const float nan = floatOf(0x7fc00001);
  CHECK_EQUAL(bitsOf(min(0.0f, -0.0f, {})), 0x80000000u);
  CHECK_EQUAL(bitsOf(min(-0.0f, 0.0f, {})), 0x80000000u);
  CHECK_EQUAL(bitsOf(max(0.0f, -0.0f, {})), 0u);
  CHECK_EQUAL(bitsOf(max(-0.0f, 0.0f, {})), 0u);
  CHECK_EQUAL(min(nan, 2.0f, {}), 2.0f);
  CHECK_EQUAL(max(3.0f, nan, {}), 3.0f);
  CHECK_EQUAL(bitsOf(min(nan, nan, {})), canonicalNanF32);
  CHECK_EQUAL(bitsOf(min(nan, 2.0f, {false, true, false})), canonicalNanF32);
  CHECK_EQUAL(bitsOf(max(2.0f, nan, {false, true, false})), canonicalNanF32);
  CHECK_EQUAL(max(-3.0f, 2.0f, {false, false, true}), -3.0f);
  CHECK_EQUAL(min(-3.0f, -2.0f, {false, false, true}), 2.0f);
  CHECK_EQUAL(max(-3.0, 2.0, {}), 2.0);
  CHECK_EQUAL(bitsOf(min(floatOf(0x80000001), 0.0f, {true, false, false})), 0x80000000u);
}

TEST("copysign takes the sign of its first operand") {
  CHECK_EQUAL(copySign(-2.0f, 3.0f), -3.0f);
  CHECK_EQUAL(copySign(2.0, -3.0), 3.0);
}

TEST("comparisons distinguish ordered from unordered") {
  const float nan = NAN;
  CHECK(!(compare<Comparison::ne>(nan, 1.0f)));
  CHECK((compare<Comparison::neu>(nan, 1.0f)));
  CHECK((compare<Comparison::equ>(nan, 1.0f)));
  CHECK((compare<Comparison::ltu>(nan, 1.0f)));
  CHECK((compare<Comparison::leu>(1.0f, nan)));
  CHECK((compare<Comparison::gtu>(1.0f, nan)));
  CHECK((compare<Comparison::geu>(nan, nan)));
  CHECK(!(compare<Comparison::lt>(nan, 1.0f)));
  CHECK((compare<Comparison::num>(1.0f, 2.0f)));
  CHECK((compare<Comparison::nan>(1.0f, nan)));
  CHECK((compare<Comparison::eq>(0.0f, -0.0f)));
  CHECK((compare<Comparison::lo>(1u, 2u)));
  CHECK((compare<Comparison::lt>(-1, 0)));
  CHECK((compare<Comparison::hs>(0xffffffffu, 1u)));
}

TEST("testp counts zero as normal") {
  CHECK(hasProperty(FloatProperty::normal, 0.0f));
  CHECK(!hasProperty(FloatProperty::subnormal, 0.0f));
  CHECK(hasProperty(FloatProperty::subnormal, 0x1p-140f));
  CHECK(!hasProperty(FloatProperty::normal, 0x1p-140f));
  CHECK(hasProperty(FloatProperty::infinite, -INFINITY));
  CHECK(hasProperty(FloatProperty::notanumber, NAN));
  CHECK(hasProperty(FloatProperty::number, INFINITY));
  CHECK(!hasProperty(FloatProperty::finite, INFINITY));
}
