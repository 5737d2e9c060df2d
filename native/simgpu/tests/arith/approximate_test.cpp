#include "arith/approximate.h"

#include "check.h"
#include "values.h"

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

/** The distance of an f32 result from a long double reference, in units of the reference's last f32 place. */
double ulps(float actual, long double exact) {
  const float nearest = static_cast<float>(exact);
  if (std::isinf(nearest) || std::isnan(nearest)) {
    return bitsOf(actual) == bitsOf(nearest) || std::isnan(nearest) ? 0 : 1e9;
  }
  const float up = std::nextafter(std::fabs(nearest), INFINITY);
  const long double unit = static_cast<long double>(up) - static_cast<long double>(std::fabs(nearest));
  return static_cast<double>(std::fabs(static_cast<long double>(actual) - exact) / unit);
}

/** Positive floats spread over all exponents. */
template <class Use> void everyExponent(Use use) {
  std::mt19937_64 random(seed);
  for (std::uint32_t exponent = 0; exponent < 255; exponent++) {
    for (int i = 0; i < 200; i++) {
      use(floatOf(exponent << 23 | (static_cast<std::uint32_t>(random()) & 0x7fffff)));
    }
  }
}

void expectWithin(const char* what, float x, double error, double bound) {
  if (!(error <= bound)) {
    fail(__FILE__, __LINE__,
         std::string(what) + " of " + hex(bitsOf(x)) + " errs by " + std::to_string(error) + ", allowed " +
             std::to_string(bound));
  }
}

} // namespace

TEST("ex2 errs by at most one ulp over its whole range") {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> range(-155.0f, 130.0f);
  for (int i = 0; i < 200000; i++) {
    const float x = i % 4 == 0 ? range(random) * 0x1p-8f : range(random);
    expectWithin("ex2", x, ulps(exp2Approx(x), std::exp2(static_cast<long double>(x))), 1.0);
  }
  for (int n = -149; n <= 127; n++) {
    CHECK_EQUAL(exp2Approx(static_cast<float>(n)), std::ldexp(1.0f, n));
  }
}

TEST("rcp, sqrt, rsqrt and lg2 keep the bounds of the ISA at every exponent") {
  everyExponent([](float x) {
    if (x == 0) {
      return;
    }
    const auto wide = static_cast<long double>(x);
    expectWithin("rcp", x, ulps(rcpApprox(x), 1 / wide), 1.0);
    expectWithin("sqrt", x, ulps(sqrtApprox(x), std::sqrt(wide)), 1.0);
    const long double root = 1 / std::sqrt(wide);
    expectWithin("rsqrt", x, static_cast<double>(std::fabs(static_cast<long double>(rsqrtApprox(x)) - root) / root),
                 std::exp2(-22.9));
    const long double logarithm = std::log2(wide);
    const double error = static_cast<double>(std::fabs(static_cast<long double>(log2Approx(x)) - logarithm));
    const bool nearOne = x > 0.5f && x < 2.0f;
    expectWithin("lg2", x, nearOne ? error : error / static_cast<double>(std::fabs(logarithm)), 0x1p-22);
  });
}

TEST("sin, cos and tanh keep the bounds of the ISA") {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> angle(-314.0f, 314.0f);
  for (int i = 0; i < 100000; i++) {
    const float x = angle(random);
    const auto wide = static_cast<long double>(x);
    expectWithin("sin", x, static_cast<double>(std::fabs(static_cast<long double>(sinApprox(x)) - std::sin(wide))),
                 std::exp2(-20.5));
    expectWithin("cos", x, static_cast<double>(std::fabs(static_cast<long double>(cosApprox(x)) - std::cos(wide))),
                 std::exp2(-20.5));
    const float y = x / 40;
    const long double exact = std::tanh(static_cast<long double>(y));
    if (exact != 0) {
      expectWithin("tanh", y, static_cast<double>(std::fabs((static_cast<long double>(tanhApprox(y)) - exact) / exact)),
                   0x1p-11);
    }
  }
}

TEST("division approximations err by at most two ulp, and a huge divisor gives zero") {
  Patterns random(f32Format, 9);
  for (int i = 0; i < 100000; i++) {
    const float a = floatOf(static_cast<std::uint32_t>(random.next()));
    const float b = floatOf(static_cast<std::uint32_t>(random.next()));
    const auto exact = static_cast<long double>(a) / static_cast<long double>(b);
    if (!std::isfinite(a) || !std::isfinite(b) || b == 0 || std::fabs(exact) < 0x1p-126L ||
        std::fabs(exact) > 0x1p127L) {
      continue;
    }
    expectWithin("div.full", a, ulps(divFull(a, b), exact), 2.0);
    if (std::fabs(b) >= 0x1p-126f && std::fabs(b) <= 0x1p126f) {
      expectWithin("div.approx", a, ulps(divApprox(a, b), exact), 2.0);
    }
  }
  CHECK_EQUAL(bitsOf(divApprox(0x1p100f, -0x1p127f)), 0x80000000u);
  CHECK_EQUAL(bitsOf(divApprox(INFINITY, 0x1p127f)), canonicalNanF32);
}

TEST("special operands follow the tables of the ISA") {
  const float inf = INFINITY;
  CHECK_EQUAL(exp2Approx(-inf), 0.0f);
  CHECK_EQUAL(exp2Approx(inf), inf);
  CHECK_EQUAL(exp2Approx(-0.0f), 1.0f);
  CHECK_EQUAL(bitsOf(exp2Approx(NAN)), canonicalNanF32);
  CHECK_EQUAL(log2Approx(0.0f), -inf);
  CHECK_EQUAL(log2Approx(-0.0f), -inf);
  CHECK_EQUAL(log2Approx(inf), inf);
  CHECK_EQUAL(bitsOf(log2Approx(-1.0f)), canonicalNanF32);
  CHECK_EQUAL(bitsOf(sinApprox(inf)), canonicalNanF32);
  CHECK_EQUAL(bitsOf(sinApprox(-0.0f)), 0x80000000u);
  CHECK_EQUAL(cosApprox(-0.0f), 1.0f);
  CHECK_EQUAL(bitsOf(cosApprox(-inf)), canonicalNanF32);
  CHECK_EQUAL(bitsOf(rcpApprox(-inf)), 0x80000000u);
  CHECK_EQUAL(rcpApprox(-0.0f), -inf);
  CHECK_EQUAL(rsqrtApprox(0.0f), inf);
  CHECK_EQUAL(rsqrtApprox(-0.0f), -inf);
  CHECK_EQUAL(bitsOf(rsqrtApprox(inf)), 0u);
  CHECK_EQUAL(bitsOf(rsqrtApprox(-1.0f)), canonicalNanF32);
  CHECK_EQUAL(bitsOf(sqrtApprox(-0.0f)), 0x80000000u);
  CHECK_EQUAL(tanhApprox(inf), 1.0f);
  CHECK_EQUAL(tanhApprox(-inf), -1.0f);
  CHECK_EQUAL(bitsOf(tanhApprox(floatOf(0x80000001))), 0x80000001u);
  CHECK_EQUAL(bitsOf(flushed(sqrtApprox, floatOf(0x00000001))), 0u);
  CHECK_EQUAL(bitsOf(flushed(rcpApprox, 0x1p127f)), 0u);
}

TEST("the gross f64 approximations fill only the high word") {
  for (const double x : {3.0, -7.25, 1e300, 1e-300}) {
    const double reciprocal = rcpGross(x);
    CHECK_EQUAL(static_cast<std::uint32_t>(bitsOf(reciprocal)), 0u);
    CHECK(std::fabs(reciprocal * x - 1) < 0x1p-18);
  }
  CHECK(std::fabs(rsqrtGross(2.0) - std::sqrt(0.5)) < 0x1p-18);
  CHECK_EQUAL(bitsOf(rcpGross(NAN)), std::uint64_t{0x7fffffff00000000});
  CHECK_EQUAL(rcpGross(-0x1p-1060), -INFINITY);
  CHECK_EQUAL(rsqrtGross(-0x1p-1060), -INFINITY);
  CHECK_EQUAL(bitsOf(rsqrtGross(-1.0)), std::uint64_t{0x7fffffff00000000});
}
