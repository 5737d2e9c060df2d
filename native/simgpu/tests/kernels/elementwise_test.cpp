#include "device.h"

#include "arith/conversion.h"

using namespace simgpu;
using namespace simgpu::testing;
using arith::Conversion;
using arith::Rounding;
using arith::ScalarType;

namespace {

std::vector<std::uint32_t> packPairs(const std::vector<std::uint16_t>& halves) {
  std::vector<std::uint32_t> pairs(halves.size() / 2);
  std::memcpy(pairs.data(), halves.data(), pairs.size() * 4);
  return pairs;
}

float clamp01(float v) { return v > 0 ? std::min(v, 1.0f) : 0; }
float roundF16(float v) { return fromF16(toF16(v)); }
float roundBf16(float v) { return fromBf16(toBf16(v)); }
std::uint16_t single(arith::Format format, std::uint16_t a, std::uint16_t b, std::uint16_t c) {
  return static_cast<std::uint16_t>(arith::softFma(format, a, b, c, Rounding::nearestEven));
}

} // namespace

TEST("saxpy by grid stride and by vectors") {
  Device device;
  Inputs inputs(1);
  const int n = 1000;
  const auto x = inputs.reals(n), y = inputs.reals(n);
  std::vector<float> expected(n), fused(n);
  for (std::size_t i = 0; i < n; i++) {
    expected[i] = std::fma(1.5f, x[i], y[i]); // the compiler contracts
    fused[i] = expected[i];
  }
  const auto dx = device.upload(x), dy = device.upload(y), dz = device.upload(y);
  device.launch("elementwise", "saxpy", {3}, {128}, {n, 1.5f, dx, dy});
  expectSame(device.download<float>(dy, n), expected, "y");
  device.launch("elementwise", "saxpy_vector", {2}, {128}, {n, 1.5f, dx, dz});
  expectSame(device.download<float>(dz, n), fused, "y by vectors");
}

TEST("a double-precision polynomial") {
  Device device;
  Inputs inputs(2);
  const int n = 77;
  const auto x = inputs.doubles(n, -2, 2);
  std::vector<double> expected(n);
  for (std::size_t i = 0; i < n; i++) {
    double sum = 1.0 / 5040;
    for (int k = 6; k >= 0; k--) {
      sum = std::fma(sum, x[i], 1 / std::tgamma(k + 1.0));
    }
    expected[i] = sum;
  }
  const auto dx = device.upload(x), dy = device.allocate(n * 8);
  device.launch("elementwise", "horner_f64", {1}, {96}, {n, dx, dy});
  expectClose(device.download<double>(dy, n), expected, 1e-15, 0, "y");
}

TEST("packed f16 algebra rounds each operation once") {
  Device device;
  Inputs inputs(3);
  const std::size_t n = 150, halves = 2 * n;
  const auto a = inputs.f16s(halves, -3, 3), b = inputs.f16s(halves, -3, 3), c = inputs.f16s(halves, -3, 3);
  const auto da = device.upload(packPairs(a)), db = device.upload(packPairs(b)), dc = device.upload(packPairs(c));
  const auto out = device.allocate(6 * n * 4);
  device.launch("elementwise", "half2_algebra", {2}, {96}, {static_cast<int>(n), da, db, dc, out});
  const auto got = device.download<std::uint16_t>(out, 6 * halves);
  std::vector<std::uint16_t> expected(6 * halves);
  for (std::size_t i = 0; i < halves; i++) {
    const float x = fromF16(a[i]), y = fromF16(b[i]), z = fromF16(c[i]);
    const float fma = fromF16(single(arith::f16Format, a[i], b[i], c[i]));
    const float product = roundF16(x * y);
    expected[i] = toF16(fma < 0 ? 0.0f : fma);
    expected[halves + i] = toF16(clamp01(product + z));
    expected[2 * halves + i] = toF16(clamp01(product) + z);
    expected[3 * halves + i] = toF16(std::max(std::fabs(x), std::min(y, z)));
    expected[4 * halves + i] = toF16(x / roundF16(std::fabs(y) + 1));
    expected[5 * halves + i] = toF16(x > y ? 1.0f : 0.0f);
  }
  // the quotient goes through reciprocals and may differ in the last place
  const auto front = [&](const std::vector<std::uint16_t>& v) {
    std::vector<float> part = fromF16(v);
    part.erase(part.begin() + static_cast<long>(4 * halves), part.begin() + static_cast<long>(5 * halves));
    return part;
  };
  expectSame(front(got), front(expected), "f16 algebra");
  expectClose(fromF16(got), fromF16(expected), 1e-3, 1e-6, "f16 quotient");
}

TEST("f16 functions stay within their error bounds") {
  Device device;
  Inputs inputs(4);
  const std::size_t n = 200;
  const auto x = inputs.f16s(n, -4, 4);
  const auto dx = device.upload(x), out = device.allocate(6 * n * 2);
  device.launch("elementwise", "half_functions", {7}, {32}, {static_cast<int>(n), dx, out});
  std::vector<float> expected(6 * n);
  for (std::size_t i = 0; i < n; i++) {
    const float v = fromF16(x[i]);
    expected[i] = std::exp2(v);
    expected[n + i] = std::tanh(v);
    expected[2 * n + i] = std::sqrt(std::fabs(v));
    expected[3 * n + i] = v < 0 ? -v : v * v;
    expected[4 * n + i] = std::nearbyint(roundF16(v * 8));
    expected[5 * n + i] = v * v + 1 / (std::fabs(v) + 1);
  }
  expectClose(fromF16(device.download<std::uint16_t>(out, 6 * n)), expected, 2e-3, 1e-3, "f16 functions");
}

TEST("packed bf16 algebra rounds each operation once") {
  Device device;
  Inputs inputs(5);
  const std::size_t n = 120, halves = 2 * n;
  const auto a = inputs.bf16s(halves, -3, 3), b = inputs.bf16s(halves, -3, 3);
  const auto da = device.upload(packPairs(a)), db = device.upload(packPairs(b)), out = device.allocate(6 * n * 4);
  device.launch("elementwise", "bfloat_algebra", {1}, {128}, {static_cast<int>(n), da, db, out});
  std::vector<float> expected(6 * halves);
  for (std::size_t i = 0; i < halves; i++) {
    const float x = fromBf16(a[i]), y = fromBf16(b[i]);
    expected[i] = fromBf16(single(arith::bf16Format, a[i], b[i], a[i]));
    expected[halves + i] = std::max(0.0f, fromBf16(single(arith::bf16Format, a[i], b[i], b[i])));
    expected[2 * halves + i] = std::max(x, y);
    expected[3 * halves + i] = std::min(std::fabs(x), -y);
    expected[4 * halves + i] = roundBf16(x + y);
    expected[5 * halves + i] = roundBf16(x * y);
  }
  expectSame(fromBf16(device.download<std::uint16_t>(out, 6 * halves)), expected, "bf16 algebra");
}

TEST("conversions round and clamp in every mode") {
  Device device;
  Inputs inputs(6);
  auto x = inputs.reals(200, -300, 300);
  auto y = inputs.doubles(200, -300, 300);
  for (const float special :
       {0.5f, 1.5f, 2.5f, -0.5f, -2.5f, 3e9f, -3e9f, 1e20f, 0.0f, -0.0f, 65520.0f, 1e-30f, 70000.5f}) {
    x.push_back(special);
    y.push_back(static_cast<double>(special) * 1.0000001);
  }
  x.push_back(NAN), y.push_back(NAN);
  x.push_back(-INFINITY), y.push_back(INFINITY);
  const std::size_t n = x.size();
  const auto dx = device.upload(x), dy = device.upload(y), out = device.allocate(n * 24 * 8);
  device.launch("elementwise", "conversions", {3}, {96}, {static_cast<int>(n), dx, dy, out});
  std::vector<long long> expected(n * 24);
  constexpr Rounding rn = Rounding::nearestEven, rz = Rounding::towardZero, rm = Rounding::towardNegative,
                     rp = Rounding::towardPositive;
  for (std::size_t i = 0; i < n; i++) {
    const std::uint64_t f = arith::bitsOf(x[i]), d = arith::bitsOf(y[i]);
    const auto to = [](ScalarType target, ScalarType from, std::uint64_t bits, Rounding r) {
      return static_cast<long long>(arith::convert({target, from, r}, bits));
    };
    const auto asInt = [](std::uint64_t bits) { return static_cast<long long>(static_cast<std::int32_t>(bits)); };
    long long* o = expected.data() + 24 * i;
    o[0] = to(ScalarType::s32, ScalarType::f32, f, rn);
    o[1] = to(ScalarType::s32, ScalarType::f32, f, rz);
    o[2] = to(ScalarType::s32, ScalarType::f32, f, rm);
    o[3] = to(ScalarType::s32, ScalarType::f32, f, rp);
    o[4] = to(ScalarType::u32, ScalarType::f32, f, rn);
    o[5] = to(ScalarType::s64, ScalarType::f32, f, rm);
    o[6] = to(ScalarType::u64, ScalarType::f32, f, rp);
    o[7] = to(ScalarType::s32, ScalarType::f64, d, rn);
    o[8] = to(ScalarType::s64, ScalarType::f64, d, rp);
    o[9] = to(ScalarType::u32, ScalarType::f64, d, rz);
    const Rounding modes[] = {rn, rz, rm, rp};
    for (std::size_t m = 0; m < 4; m++) {
      o[10 + m] = asInt(arith::convert({ScalarType::f32, ScalarType::f64, modes[m]}, d));
    }
    const auto narrow = arith::toInteger<std::int32_t>(y[i] * 1e5, rz);
    const auto wide = arith::toInteger<std::int64_t>(y[i] * 1e12, rz);
    o[14] = asInt(arith::bitsOf(arith::fromInteger<float>(narrow, rz)));
    o[15] = asInt(arith::bitsOf(arith::fromInteger<float>(wide, rp)));
    o[16] = static_cast<std::int8_t>(o[1]);
    o[17] = static_cast<std::uint16_t>(o[1]);
    o[18] = to(ScalarType::f16, ScalarType::f32, f, rn);
    o[19] = to(ScalarType::f16, ScalarType::f32, f, rz);
    o[20] = to(ScalarType::s32, ScalarType::f16, static_cast<std::uint64_t>(o[18]), rn);
    o[21] = to(ScalarType::bf16, ScalarType::f32, f, rn);
    o[22] = to(ScalarType::bf16, ScalarType::f32, f, rz);
    const float v = x[i];
    const float sum =
        std::fma(std::ceil(v), 7.0f, std::fma(std::floor(v), 5.0f, std::fma(std::trunc(v), 3.0f, std::nearbyint(v))));
    o[23] = asInt(arith::bitsOf(arith::canonical(sum)));
  }
  expectSame(device.download<long long>(out, n * 24), expected, "conversions");
}

TEST("packed, relu and saturating conversions") {
  Device device;
  Inputs inputs(7);
  const std::size_t n = 100;
  const auto x = inputs.reals(n, -3, 3);
  const auto dx = device.upload(x), out = device.zeros(n * 8 * 4);
  device.launch("elementwise", "narrow_conversions", {1}, {128}, {static_cast<int>(n), dx, out});
  std::vector<std::uint32_t> expected(n * 8);
  const auto narrow = [](ScalarType to, float value, Rounding r, bool relu) {
    Conversion conversion{to, ScalarType::f32, r};
    conversion.relu = relu;
    return static_cast<std::uint32_t>(arith::convert(conversion, arith::bitsOf(value)));
  };
  const auto clamp = [](int v, int low, int high) { return v < low ? low : v > high ? high : v; };
  for (std::size_t i = 0; i + 1 < n; i++) {
    std::uint32_t* o = expected.data() + 8 * i;
    o[0] = narrow(ScalarType::tf32, x[i], Rounding::nearestAway, false);
    o[1] = narrow(ScalarType::f16, x[i], Rounding::nearestEven, false) << 16 |
           narrow(ScalarType::f16, x[i + 1], Rounding::nearestEven, false);
    o[2] = narrow(ScalarType::f16, x[i], Rounding::towardZero, true) << 16 |
           narrow(ScalarType::f16, x[i + 1], Rounding::towardZero, true);
    o[3] = narrow(ScalarType::bf16, x[i], Rounding::nearestEven, true) << 16 |
           narrow(ScalarType::bf16, x[i + 1], Rounding::nearestEven, true);
    const int a = static_cast<int>(std::nearbyint(x[i] * 100)), b = static_cast<int>(std::nearbyint(x[i + 1] * 100));
    o[4] = static_cast<std::uint32_t>(clamp(a, -128, 127) & 255) << 8 |
           static_cast<std::uint32_t>(clamp(b, -128, 127) & 255) | 0x12340000u;
    o[5] =
        static_cast<std::uint32_t>(clamp(a, 0, 255)) << 8 | static_cast<std::uint32_t>(clamp(b, 0, 255)) | 0x56780000u;
    o[6] = static_cast<std::uint32_t>(clamp(a * 1000, -32768, 32767) & 0xffff) << 16 |
           static_cast<std::uint32_t>(clamp(b * 1000, -32768, 32767) & 0xffff);
    o[7] = static_cast<std::uint32_t>(clamp(a, -128, 127));
  }
  expectSame(device.download<std::uint32_t>(out, n * 8), expected, "narrow conversions");
}

TEST("GELU on packed halves") {
  Device device;
  Inputs inputs(8);
  const std::size_t n = 128;
  const auto x = inputs.f16s(2 * n, -4, 4);
  const auto dx = device.upload(x);
  device.launch("elementwise", "gelu_half2", {1}, {128}, {static_cast<int>(n), dx});
  std::vector<float> expected(2 * n);
  for (std::size_t i = 0; i < 2 * n; i++) {
    const float v = fromF16(x[i]);
    expected[i] = 0.5f * v * (1 + std::tanh(0.79788456f * (v + 0.044715f * v * v * v)));
  }
  expectClose(fromF16(device.download<std::uint16_t>(dx, 2 * n)), expected, 1e-3, 1e-3, "gelu");
}
