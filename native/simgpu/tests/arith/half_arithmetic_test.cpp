#include "arith/half_arithmetic.h"

#include "check.h"
#include "values.h"

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

/** Compares; NaN results must be the canonical pattern. */
template <class H> void expectHalf(const char* what, std::uint16_t actual, std::uint64_t expected, std::uint64_t a,
                                   std::uint64_t b, std::uint64_t c) {
  if (actual != expected) {
    fail(__FILE__, __LINE__,
         std::string(H::format == f16Format ? "f16 " : "bf16 ") + what + " of " + hex(a) + ", " + hex(b) + ", " +
             hex(c) + " gives " + hex(actual) + ", expected " + hex(expected));
  }
}

/** All 65,536 left operands against edge and random right operands, in packed blocks. */
template <class H> void compareEverywhere() {
  auto right = edgePatterns(H::format);
  Patterns random(H::format);
  for (int i = 0; i < 24; i++) {
    right.push_back(random.next());
  }
  for (std::uint32_t block = 0; block < 65536; block += 64) {
    std::uint16_t a[64];
    std::uint16_t b[64];
    std::uint16_t c[64];
    std::uint16_t d[64];
    for (std::size_t pick = 0; pick < right.size(); pick += 1) {
      for (std::uint32_t i = 0; i < 64; i++) {
        a[i] = static_cast<std::uint16_t>(block + i);
        b[i] = static_cast<std::uint16_t>(right[(pick + i) % right.size()]);
        c[i] = static_cast<std::uint16_t>(random.next());
      }
      constexpr Rounding rn = Rounding::nearestEven;
      halfBinary<H, HalfAdd>(d, a, b, 64, {});
      for (int i = 0; i < 64; i++) {
        expectHalf<H>("add", d[i], softAdd(H::format, a[i], b[i], rn), a[i], b[i], 0);
      }
      halfBinary<H, HalfMul>(d, a, b, 64, {});
      for (int i = 0; i < 64; i++) {
        expectHalf<H>("mul", d[i], softMul(H::format, a[i], b[i], rn), a[i], b[i], 0);
      }
      halfFma<H>(d, a, b, c, 64, {});
      for (int i = 0; i < 64; i++) {
        expectHalf<H>("fma", d[i], softFma(H::format, a[i], b[i], c[i], rn), a[i], b[i], c[i]);
      }
      if (pick % 8 == 0) {
        halfBinary<H, HalfSub>(d, a, b, 64, {});
        for (int i = 0; i < 64; i++) {
          expectHalf<H>("sub", d[i], softAdd(H::format, a[i], b[i] ^ 0x8000u, rn), a[i], b[i], 0);
        }
      }
    }
  }
}

/** fma at the places where rounding twice would show: products next to a tie of the addend. */
template <class H> void compareNearTies() {
  Patterns random(H::format, 3);
  for (int i = 0; i < 200000; i++) {
    const auto a = static_cast<std::uint16_t>(random.next());
    const auto b = static_cast<std::uint16_t>(random.next());
    // c close to -a*b plus or minus a few units makes cancellation and ties frequent
    const auto product = static_cast<std::uint16_t>(softMul(H::format, a, b, Rounding::nearestEven));
    const auto c = static_cast<std::uint16_t>((product ^ 0x8000) + i % 5 - 2);
    std::uint16_t x[8] = {a, a, a, a, a, a, a, a};
    std::uint16_t y[8] = {b, b, b, b, b, b, b, b};
    std::uint16_t z[8] = {c,
                          product,
                          static_cast<std::uint16_t>(product + 1),
                          1,
                          0x8001,
                          static_cast<std::uint16_t>(c + 0x400),
                          static_cast<std::uint16_t>(product - 0x580),
                          0};
    std::uint16_t d[8];
    halfFma<H>(d, x, y, z, 8, {});
    for (int k = 0; k < 8; k++) {
      expectHalf<H>("fma", d[k], softFma(H::format, a, b, z[k], Rounding::nearestEven), a, b, z[k]);
    }
  }
}


} // namespace

TEST("every f16 and bf16 value widens to the float of the same value and narrows back") {
  for (std::uint32_t bits = 0; bits < 65536; bits++) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (!isNan(f16Format, bits)) {
      CHECK_EQUAL(bitsOf(f16ToFloat(half)), softConvert(f16Format, f32Format, bits, Rounding::nearestEven));
      CHECK_EQUAL(floatToF16(f16ToFloat(half)), half);
    }
    if (!isNan(bf16Format, bits)) {
      CHECK_EQUAL(bitsOf(bf16ToFloat(half)), softConvert(bf16Format, f32Format, bits, Rounding::nearestEven));
      CHECK_EQUAL(floatToBf16(bf16ToFloat(half)), half);
    }
  }
}

TEST("narrowing a float to 16 bits rounds to nearest even, ties and overflow included") {
  Patterns random(f32Format, 5);
  for (int i = 0; i < 300000; i++) {
    std::uint64_t bits = random.next();
    if (i % 3 == 0) {
      bits = (bits & ~std::uint64_t{0x1fff}) | 0x1000; // an f16 tie
    } else if (i % 3 == 1) {
      bits = (bits & ~std::uint64_t{0xffff}) | 0x8000; // a bf16 tie
    }
    const float value = floatOf(static_cast<std::uint32_t>(bits));
    CHECK_EQUAL(floatToF16(value), softConvert(f32Format, f16Format, bits, Rounding::nearestEven));
    CHECK_EQUAL(floatToBf16(value), softConvert(f32Format, bf16Format, bits, Rounding::nearestEven));
  }
}

TEST("f16 add, sub, mul and fma round once for every left operand") { compareEverywhere<F16>(); }

TEST("bf16 add, sub, mul and fma round once for every left operand") { compareEverywhere<Bf16>(); }

TEST("fused multiply-add near ties does not round twice") {
  compareNearTies<F16>();
  compareNearTies<Bf16>();
}

TEST(".ftz, .sat and .relu shape f16 results") {
  const auto addWith = [](HalfMode mode, std::uint16_t a, std::uint16_t b) {
    std::uint16_t x[8] = {a, a, a, a, a, a, a, a};
    std::uint16_t y[8] = {b, b, b, b, b, b, b, b};
    std::uint16_t d[8];
    halfBinary<F16, HalfAdd>(d, x, y, 8, mode);
    return d[7];
  };
  CHECK_EQUAL(addWith({true, false, false}, 0x0001, 0x0001), 0x0000);
  CHECK_EQUAL(addWith({true, false, false}, 0x8001, 0x8001), 0x8000);
  CHECK_EQUAL(addWith({}, 0x0001, 0x0001), 0x0002);
  CHECK_EQUAL(addWith({false, true, false}, 0x3c00, 0x3c00), 0x3c00);
  CHECK_EQUAL(addWith({false, true, false}, 0xbc00, 0x0000), 0x0000);
  CHECK_EQUAL(addWith({false, true, false}, 0x7e00, 0x0000), 0x0000);
  CHECK_EQUAL(addWith({false, false, true}, 0xbc00, 0x0000), 0x0000);
  CHECK_EQUAL(addWith({false, false, true}, 0x7e00, 0x0000), 0x7fff);
  CHECK_EQUAL(addWith({false, false, true}, 0x3c00, 0x3c00), 0x4000);
}

TEST("half min and max order zeros and treat NaN by modifier") {
  CHECK_EQUAL((halfExtremum<F16, false>(0x0000, 0x8000, {})), 0x8000);
  CHECK_EQUAL((halfExtremum<F16, true>(0x8000, 0x0000, {})), 0x0000);
  CHECK_EQUAL((halfExtremum<F16, true>(0x7e00, 0x3c00, {})), 0x3c00);
  CHECK_EQUAL((halfExtremum<Bf16, true>(0x7fc0, 0x3f80, {false, true, false})), canonicalNan16);
  CHECK_EQUAL((halfExtremum<Bf16, false>(0xbf80, 0x4000, {false, false, true})), 0xbf80);
  CHECK_EQUAL((halfExtremum<F16, false>(0x0001, 0x3c00, {true, false, false})), 0x0000);
}

TEST("half neg and abs touch only the sign, of NaN too") {
  CHECK_EQUAL(halfNeg<F16>(0x7e01, false), 0xfe01);
  CHECK_EQUAL(halfAbs<Bf16>(0xffc1, false), 0x7fc1);
  CHECK_EQUAL(halfNeg<F16>(0x0001, true), 0x8000);
}

TEST("ex2 and tanh of every f16 stay within the bounds of the ISA") {
  for (std::uint32_t bits = 0; bits < 65536; bits++) {
    const auto half = static_cast<std::uint16_t>(bits);
    const double value = static_cast<double>(f16ToFloat(half));
    if (std::isnan(value)) {
      CHECK_EQUAL(halfExp2<F16>(half), canonicalNan16);
      continue;
    }
    const double power = std::exp2(value);
    const double exp2 = static_cast<double>(f16ToFloat(halfExp2<F16>(half)));
    if (power < 65520) {
      CHECK(std::fabs(exp2 - power) <= 0x1p-9 * power + 0x1p-24); // ISA 9.7.4.10: 2^-9.9 relative
    } else {
      CHECK(std::isinf(exp2));
    }
    const double tanh = static_cast<double>(f16ToFloat(halfTanh<F16>(half)));
    CHECK(std::fabs(tanh - std::tanh(value)) <= std::exp2(-10.987)); // ISA 9.7.4.9
    CHECK_EQUAL(std::signbit(tanh), std::signbit(value));
  }
}
