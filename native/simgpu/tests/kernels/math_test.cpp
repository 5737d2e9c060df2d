#include "device.h"

#include "arith/soft_float.h"

#include <bit>

using namespace simgpu;
using namespace simgpu::testing;
using arith::Rounding;

TEST("the f32 math library, slow paths included, agrees with the host's") {
  Device device;
  Inputs inputs(40);
  auto x = inputs.reals(150, -60, 60);
  for (const float v : {1e5f, -123456.7f, 2.5e-3f, -1e-6f, 1000.25f, -3.0f}) {
    x.push_back(v);
  }
  const std::size_t n = x.size();
  const auto dx = device.upload(x), out = device.allocate(n * 20 * 4);
  device.launch("math", "float_functions", {2}, {96}, {static_cast<int>(n), dx, out});
  std::vector<double> expected(n * 20);
  for (std::size_t i = 0; i < n; i++) {
    const double v = static_cast<double>(x[i]);
    double* o = expected.data() + 20 * i;
    const double milli = static_cast<double>(x[i] * 0.001f), centi = static_cast<double>(x[i] * 0.01f);
    o[0] = std::sin(v), o[1] = std::cos(v), o[2] = std::tan(v), o[3] = std::exp(milli), o[4] = std::expm1(milli);
    o[5] = std::log(std::fabs(v) + 1e-30), o[6] = std::log1p(std::fabs(v)),
    o[7] = std::pow(std::fabs(v), static_cast<double>(1.7f));
    o[8] = std::erf(centi), o[9] = std::erfc(centi), o[10] = std::tanh(centi), o[11] = std::atan2(v, 2.0);
    o[12] = std::asin(std::fmod(v, 1.0)), o[13] = std::cbrt(v), o[14] = std::hypot(v, 3.0), o[15] = std::fmod(v, 2.75);
    o[16] = std::lgamma(std::fabs(v) * 0.01 + 0.5), o[17] = std::sqrt(std::fabs(v)) + 1 / v;
    o[18] = std::exp2(centi) + std::pow(10.0, milli), o[19] = v / static_cast<double>(3.7f) + std::remainder(v, 3.0);
  }
  // cancellation between the two summands of o[16..19] costs a few more bits than the functions themselves
  expectClose(device.download<float>(out, n * 20), expected, 4e-6, 4e-6, "f32 functions");
}

TEST("the f64 math library agrees with the host's") {
  Device device;
  Inputs inputs(41);
  const std::size_t n = 100;
  const auto x = inputs.doubles(n, -30, 30);
  const auto dx = device.upload(x), out = device.allocate(n * 12 * 8);
  device.launch("math", "double_functions", {2}, {64}, {static_cast<int>(n), dx, out});
  std::vector<double> expected(n * 12);
  for (std::size_t i = 0; i < n; i++) {
    const double v = x[i];
    double* o = expected.data() + 12 * i;
    o[0] = std::sin(v), o[1] = std::cos(v * 1e6), o[2] = std::exp(v * 0.1), o[3] = std::log(std::fabs(v) + 1e-300);
    o[4] = std::pow(std::fabs(v), 0.3), o[5] = std::erf(v * 0.1), o[6] = std::sqrt(std::fabs(v)),
    o[7] = v / 7.3 + 1 / v;
    o[8] = std::atan(v), o[9] = std::cbrt(v), o[10] = 1 / std::sqrt(std::fabs(v)), o[11] = std::fmod(v, 1.3);
  }
  expectClose(device.download<double>(out, n * 12), expected, 1e-14, 1e-14, "f64 functions");
}

TEST("fast intrinsics keep their documented errors") {
  Device device;
  Inputs inputs(42);
  const std::size_t n = 120;
  const auto x = inputs.reals(n, -3, 3);
  const auto dx = device.upload(x), out = device.allocate(n * 10 * 4);
  device.launch("math", "fast_intrinsics", {1}, {128}, {static_cast<int>(n), dx, out});
  std::vector<double> expected(n * 10);
  for (std::size_t i = 0; i < n; i++) {
    const double v = static_cast<double>(x[i]);
    double* o = expected.data() + 10 * i;
    o[0] = std::sin(v), o[1] = std::cos(v), o[2] = std::exp(v), o[3] = std::log(std::fabs(v)), o[4] = v / 3;
    o[5] = std::pow(std::fabs(v), 1.5), o[6] = 1 / std::sqrt(std::fabs(v)), o[7] = v > 0 ? std::min(v, 1.0) : 0;
    o[8] = 1 / v, o[9] = std::tanh(v);
  }
  expectClose(device.download<float>(out, n * 10), expected, 1e-5, 1e-5, "intrinsics");
}

TEST("interval arithmetic encloses in f32 and f64") {
  Device device;
  Inputs inputs(43);
  const std::size_t n = 128;
  const auto a = inputs.reals(n, -100, 100), b = inputs.reals(n, -100, 100);
  const auto c = inputs.doubles(n, -100, 100), d = inputs.doubles(n, -100, 100);
  const auto da = device.upload(a), db = device.upload(b), dc = device.upload(c), dd = device.upload(d);
  const auto out = device.allocate(n * 16 * 4), outD = device.allocate(n * 8 * 8);
  device.launch("math", "intervals", {1}, {128}, {static_cast<int>(n), da, db, out, dc, dd, outD});
  std::vector<float> expected(n * 16);
  std::vector<double> wide(n * 8);
  constexpr Rounding rm = Rounding::towardNegative, rp = Rounding::towardPositive, rz = Rounding::towardZero;
  for (std::size_t i = 0; i < n; i++) {
    const auto bits = [](float v) { return std::uint64_t{std::bit_cast<std::uint32_t>(v)}; };
    const auto value = [](std::uint64_t v) { return std::bit_cast<float>(static_cast<std::uint32_t>(v)); };
    const std::uint64_t x = bits(a[i]), y = bits(b[i]), size = bits(std::fabs(a[i]));
    constexpr arith::Format f = arith::f32Format;
    float* o = expected.data() + 16 * i;
    o[0] = value(softAdd(f, x, y, rm)), o[1] = value(softAdd(f, x, y, rp)), o[2] = value(softAdd(f, x, y, rz));
    o[3] = value(softMul(f, x, y, rm)), o[4] = value(softMul(f, x, y, rp)), o[5] = value(softMul(f, x, y, rz));
    o[6] = value(softFma(f, x, y, x, rm)), o[7] = value(softFma(f, x, y, x, rp)), o[8] = value(softFma(f, x, y, x, rz));
    o[9] = value(softDiv(f, x, y, rm)), o[10] = value(softDiv(f, x, y, rp)), o[11] = value(softDiv(f, x, y, rz));
    o[12] = value(softSqrt(f, size, rm)), o[13] = value(softSqrt(f, size, rp));
    o[14] = value(softDiv(f, bits(1.0f), x, rz)), o[15] = value(softAdd(f, x, y ^ 0x80000000, rm));
    const auto bits64 = [](double v) { return std::bit_cast<std::uint64_t>(v); };
    const auto value64 = [](std::uint64_t v) { return std::bit_cast<double>(v); };
    constexpr arith::Format g = arith::f64Format;
    const std::uint64_t p = bits64(c[i]), q = bits64(d[i]);
    double* w = wide.data() + 8 * i;
    w[0] = value64(softAdd(g, p, q, rm)), w[1] = value64(softAdd(g, p, q, rp)), w[2] = value64(softMul(g, p, q, rz));
    w[3] = value64(softFma(g, p, q, p, rm)), w[4] = value64(softDiv(g, p, q, rp));
    w[5] = value64(softSqrt(g, bits64(std::fabs(c[i])), rm)), w[6] = value64(softDiv(g, bits64(1.0), p, rp));
    w[7] = std::copysign(c[i], d[i]) + std::min(c[i], d[i]) + std::max(c[i], d[i]);
  }
  expectSame(device.download<float>(out, n * 16), expected, "f32 bounds");
  expectSame(device.download<double>(outD, n * 8), wide, "f64 bounds");
}

TEST("sine and cosine of huge angles") {
  Device device;
  std::vector<float> x;
  for (int e = 17; e < 127; e += 3) {
    x.push_back(std::ldexp(1.2345f, e));
    x.push_back(-std::ldexp(1.8765f, e));
  }
  const std::size_t n = x.size();
  const auto dx = device.upload(x), out = device.allocate(n * 8);
  device.launch("math", "huge_angles", {1}, {128}, {static_cast<int>(n), dx, out});
  std::vector<double> expected(2 * n);
  for (std::size_t i = 0; i < n; i++) {
    expected[2 * i] = std::sin(static_cast<double>(x[i]));
    expected[2 * i + 1] = std::cos(static_cast<double>(x[i]));
  }
  expectClose(device.download<float>(out, 2 * n), expected, 1e-6, 1e-6, "sincos");
}
