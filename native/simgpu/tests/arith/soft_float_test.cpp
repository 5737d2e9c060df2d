#include "arith/soft_float.h"

#include "check.h"
#include "values.h"

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstring>

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

/** The processor's own arithmetic in a chosen rounding mode: an oracle that shares nothing with the integer code. */
class ProcessorRounding {
public:
  explicit ProcessorRounding(Rounding rounding) : before_(std::fegetround()) {
    constexpr int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    std::fesetround(modes[static_cast<int>(rounding)]);
  }
  ~ProcessorRounding() { std::fesetround(before_); }
  ProcessorRounding(const ProcessorRounding&) = delete;
  ProcessorRounding& operator=(const ProcessorRounding&) = delete;

private:
  int before_;
};

/** Volatile operands keep the compiler from moving the operation out of the rounding mode. */
template <class T, class Operation> T inMode(Rounding rounding, T a, T b, T c, Operation operation) {
  volatile T va = a;
  volatile T vb = b;
  volatile T vc = c;
  const ProcessorRounding mode(rounding);
  volatile T result = operation(va, vb, vc);
  return result;
}

template <class T> struct Bits;
template <> struct Bits<float> {
  using Type = std::uint32_t;
  static constexpr Format format = f32Format;
};
template <> struct Bits<double> {
  using Type = std::uint64_t;
  static constexpr Format format = f64Format;
};

template <class T> T valueOf(std::uint64_t bits) {
  return std::bit_cast<T>(static_cast<typename Bits<T>::Type>(bits));
}

template <class T>
void expectSame(const char* what, Rounding rounding, T expected, std::uint64_t actual, std::uint64_t a, std::uint64_t b,
                std::uint64_t c) {
  const std::uint64_t bits = std::bit_cast<typename Bits<T>::Type>(expected);
  const bool same = std::isnan(expected) ? isNan(Bits<T>::format, actual) : actual == bits;
  if (!same) {
    fail(__FILE__, __LINE__,
         std::string(what) + " ." + roundingName(rounding) + " of " + hex(a) + ", " + hex(b) + ", " + hex(c) +
             " gives " + hex(actual) + ", the processor gives " + hex(bits));
  }
}

template <class T> void compareAll(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  constexpr Format format = Bits<T>::format;
  const T x = valueOf<T>(a);
  const T y = valueOf<T>(b);
  const T z = valueOf<T>(c);
  for (const Rounding r : ieeeModes) {
    expectSame<T>("add", r, inMode<T>(r, x, y, z, [](T p, T q, T) { return p + q; }), softAdd(format, a, b, r), a, b,
                  c);
    expectSame<T>("mul", r, inMode<T>(r, x, y, z, [](T p, T q, T) { return p * q; }), softMul(format, a, b, r), a, b,
                  c);
    expectSame<T>("div", r, inMode<T>(r, x, y, z, [](T p, T q, T) { return p / q; }), softDiv(format, a, b, r), a, b,
                  c);
    expectSame<T>("sqrt", r, inMode<T>(r, x, y, z, [](T p, T, T) { return std::sqrt(p); }), softSqrt(format, a, r), a,
                  b, c);
    expectSame<T>("fma", r, inMode<T>(r, x, y, z, [](T p, T q, T s) { return std::fma(p, q, s); }),
                  softFma(format, a, b, c, r), a, b, c);
  }
}

template <class T> void compareOnEdgesAndRandom(int samples) {
  const auto edges = edgePatterns(Bits<T>::format);
  for (const std::uint64_t a : edges) {
    for (const std::uint64_t b : edges) {
      compareAll<T>(a, b, edges[(a * 7 + b) % edges.size()]);
    }
  }
  Patterns random(Bits<T>::format);
  for (int i = 0; i < samples; i++) {
    const std::uint64_t a = random.next();
    const std::uint64_t b = random.next();
    compareAll<T>(a, b, random.next());
  }
}

} // namespace

TEST("integer-only f32 arithmetic equals the processor's in every rounding mode") {
  compareOnEdgesAndRandom<float>(60000);
}

TEST("integer-only f64 arithmetic equals the processor's in every rounding mode") {
  compareOnEdgesAndRandom<double>(60000);
}

TEST("fma cancels to the last bit without losing the product's low half") {
  Patterns random(f64Format, 1);
  for (int i = 0; i < 20000; i++) {
    const std::uint64_t a = random.next();
    const std::uint64_t b = random.next();
    const double product = valueOf<double>(a) * valueOf<double>(b);
    compareAll<double>(a, b, std::bit_cast<std::uint64_t>(-product));
  }
}

TEST("conversion from f64 to f32 rounds once in every mode") {
  Patterns random(f64Format, 2);
  for (int i = 0; i < 50000; i++) {
    const float near = valueOf<float>(Patterns(f32Format, static_cast<std::uint64_t>(i)).next());
    const double value = i % 2 == 0 ? valueOf<double>(random.next()) : static_cast<double>(near) * 1.0000000298;
    for (const Rounding r : ieeeModes) {
      volatile double source = value;
      float expected;
      {
        const ProcessorRounding mode(r);
        volatile float narrowed = static_cast<float>(source);
        expected = narrowed;
      }
      const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
      expectSame<float>("cvt.f32.f64", r, expected, softConvert(f64Format, f32Format, bits, r), bits, 0, 0);
    }
  }
}

TEST("ties away from zero differ from ties to even only at ties") {
  // 1 + half a unit, 1 + one and a half units of f16, as f32.
  CHECK_EQUAL(softConvert(f32Format, f16Format, 0x3f801000, Rounding::nearestEven), std::uint64_t{0x3c00});
  CHECK_EQUAL(softConvert(f32Format, f16Format, 0x3f801000, Rounding::nearestAway), std::uint64_t{0x3c01});
  CHECK_EQUAL(softConvert(f32Format, f16Format, 0xbf801000, Rounding::nearestAway), std::uint64_t{0xbc01});
  CHECK_EQUAL(softConvert(f32Format, f16Format, 0x3f800fff, Rounding::nearestAway), std::uint64_t{0x3c00});
  CHECK_EQUAL(softConvert(f32Format, f16Format, 0x3f803000, Rounding::nearestEven), std::uint64_t{0x3c02});
}

TEST("integers convert as the processor converts them") {
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50000; i++) {
    const std::uint64_t value = random() >> (random() % 64);
    for (const Rounding r : ieeeModes) {
      volatile std::int64_t source = static_cast<std::int64_t>(value);
      float expected;
      {
        const ProcessorRounding mode(r);
        volatile float converted = static_cast<float>(source);
        expected = converted;
      }
      const bool negative = static_cast<std::int64_t>(value) < 0;
      expectSame<float>("cvt.f32.s64", r, expected,
                        softFromInteger(f32Format, negative, negative ? 0 - value : value, r), value, 0, 0);
    }
  }
}

TEST("rounding to an integral value keeps the sign of zero and leaves large values alone") {
  for (const std::uint64_t bits : edgePatterns(f64Format)) {
    const double value = valueOf<double>(bits);
    expectSame<double>("rzi", Rounding::towardZero, std::trunc(value),
                       softRoundToIntegral(f64Format, bits, Rounding::towardZero), bits, 0, 0);
    expectSame<double>("rmi", Rounding::towardNegative, std::floor(value),
                       softRoundToIntegral(f64Format, bits, Rounding::towardNegative), bits, 0, 0);
    expectSame<double>("rpi", Rounding::towardPositive, std::ceil(value),
                       softRoundToIntegral(f64Format, bits, Rounding::towardPositive), bits, 0, 0);
    expectSame<double>("rni", Rounding::nearestEven, std::nearbyint(value),
                       softRoundToIntegral(f64Format, bits, Rounding::nearestEven), bits, 0, 0);
  }
}
