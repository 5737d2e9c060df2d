#include "device.h"

#include "arith/approximate.h"
#include "arith/comparison.h"
#include "arith/conversion.h"
#include "arith/packed_integer.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace simgpu;
using namespace simgpu::testing;
using arith::FloatMode;
using arith::Rounding;

namespace {

/** Floats of every kind: zeros, subnormals, ordinary values, infinities, NaN. */
std::vector<float> everyKind(Inputs& inputs, std::size_t n) {
  const float special[] = {0.0f,     -0.0f,     1e-40f, -1e-40f,   1.0f,    -1.0f,
                           INFINITY, -INFINITY, NAN,    0x1p-126f, 3.0e38f, -2.5f};
  std::vector<float> values(n);
  for (float& v : values) {
    v = inputs.integer(0, 1) != 0 ? special[inputs.integer(0, 11)] : inputs.real(-4, 4);
  }
  return values;
}

std::vector<std::uint32_t> words(Inputs& inputs, std::size_t n) {
  std::vector<std::uint32_t> values(n);
  std::generate(values.begin(), values.end(), [&] { return static_cast<std::uint32_t>(inputs.bits()); });
  return values;
}

std::vector<std::uint32_t> bitsOf(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  std::memcpy(bits.data(), values.data(), bits.size() * 4);
  return bits;
}

} // namespace

TEST("atomics and reductions of every memory order and scope") {
  Device device;
  std::vector<std::int32_t> g(20);
  std::iota(g.begin(), g.end(), 0);
  const auto dg = device.upload(g), out = device.allocate(23 * 4);
  device.launch("instructions", "memory_orders", {1}, {32}, {dg, out});
  expectSame(device.download<std::int32_t>(dg, 20),
             {3, 5, 7, 9, 7, 13, 15, 17, 8, 0x79, 10 ^ 0x33, 12, -2, 99, 0, 14, 160, 17, 118, 77}, "memory");
  std::vector<std::int32_t> before(g.begin(), g.begin() + 18);
  for (const int v : {5 * 1000 + 50, 6 * 1000 + 2, 0x3c, 42, 77}) {
    before.push_back(v);
  }
  expectSame(device.download<std::int32_t>(out, 23), before, "previous values");
}

TEST("atomics on 16 and 64 bits") {
  Device device;
  const auto h = device.upload(std::vector<std::uint16_t>{7, 0x4000, 0, 0});
  const auto w = device.upload(std::vector<std::uint64_t>{5, 0, 0xffffffff, 1});
  const auto packed = device.upload(std::vector<std::uint32_t>{0x3c003c00, 0});
  device.launch("instructions", "narrow_atomics", {1}, {32}, {h, w, packed});
  expectSame(device.download<std::uint16_t>(h, 4), {9, 0x4200, 7, 0x4000}, "16 bits");
  expectSame(device.download<std::uint64_t>(w, 4), {~std::uint64_t{0}, 5, 0xff00ff00, std::uint64_t{1} << 40},
             "64 bits");
  expectSame(device.download<std::uint32_t>(packed, 2), {0x42004000, 0x3c003c00}, "pairs");
}

TEST("comparisons, ordered and unordered, set, slct and testp") {
  Device device;
  Inputs inputs(220);
  const std::size_t n = 300;
  const auto x = everyKind(inputs, n), y = everyKind(inputs, n);
  const auto out = device.allocate(7 * n * 4);
  device.launch("instructions", "comparisons", {3}, {128},
                {static_cast<int>(n), device.upload(x), device.upload(y), out});
  std::vector<std::uint32_t> expected(7 * n);
  for (std::size_t i = 0; i < n; i++) {
    const float a = x[i], b = y[i];
    const bool nan = std::isnan(a) || std::isnan(b);
    const std::uint32_t bits[] = {a == b,       !nan && a != b, a<b, a <= b, a> b, a >= b,        a == b || nan, a != b,
                                  a < b || nan, a <= b || nan,  a > b || nan,      a >= b || nan, !nan,          nan};
    for (std::size_t k = 0; k < 14; k++) {
      expected[i] |= bits[k] << k;
    }
    expected[n + i] = a < b ? 0xffffffff : 0;
    expected[2 * n + i] = arith::bitsOf(a >= b || nan ? 1.0f : 0.0f);
    expected[3 * n + i] = a >= 0 ? 11 : 22;
    expected[4 * n + i] = !std::signbit(b) ? 33 : 44;
    expected[5 * n + i] = (std::isnormal(a) || a == 0 ? 1u : 0u) | (std::isinf(a) ? 2u : 0u) |
                          (std::isnan(a) ? 4u : 0u) | (std::fpclassify(a) == FP_SUBNORMAL ? 8u : 0u);
    const bool p = a > b;
    expected[6 * n + i] = (p ? 1u : 0u) | (!p ? 2u : 0u) | ((static_cast<int>(i & 7) < 3) != !p ? 4u : 0u);
  }
  expectSame(device.download<std::uint32_t>(out, 7 * n), expected, "comparisons");
}

TEST("SIMD video instructions and 24-bit products") {
  Device device;
  Inputs inputs(221);
  const std::size_t n = 200;
  const auto x = words(inputs, n), y = words(inputs, n), z = words(inputs, n);
  const auto out = device.allocate(10 * n * 4);
  device.launch("instructions", "video", {2}, {128},
                {static_cast<int>(n), device.upload(x), device.upload(y), device.upload(z), out});
  std::vector<std::uint32_t> expected(10 * n);
  for (std::size_t i = 0; i < n; i++) {
    const std::uint32_t a = x[i], b = y[i], c = z[i];
    std::uint32_t adds = 0, subs = 0, distance = c, average = 0, largest = 0, less = 0;
    for (int k = 0; k < 4; k++) {
      const int ua = arith::packedByte(a, k, false), ub = arith::packedByte(b, k, false);
      const int sa = arith::packedByte(a, k, true), sb = arith::packedByte(b, k, true);
      adds |= static_cast<std::uint32_t>(std::min(ua + ub, 255)) << (8 * k);
      subs |= (static_cast<std::uint32_t>(std::clamp(sa - sb, -128, 127)) & 255) << (8 * k);
      distance += static_cast<std::uint32_t>(std::abs(ua - ub));
      less |= (ua < ub ? 1u : 0u) << (8 * k);
    }
    for (int k = 0; k < 2; k++) {
      const int sum = arith::packedHalf(a, k, true) + arith::packedHalf(b, k, true);
      average |= (static_cast<std::uint32_t>((sum + (sum >= 0 ? 1 : 0)) >> 1) & 0xffff) << (16 * k);
      largest |= static_cast<std::uint32_t>(std::max(arith::packedHalf(a, k, false), arith::packedHalf(b, k, false)))
                 << (16 * k);
    }
    const auto low24 = [](std::uint32_t v) {
      return static_cast<std::int64_t>(static_cast<std::int32_t>(v << 8) >> 8);
    };
    const std::int64_t high = (std::int64_t{static_cast<std::int32_t>(a)} * static_cast<std::int32_t>(b)) >> 32;
    const std::int64_t sum = high + static_cast<std::int32_t>(c);
    const std::uint32_t all[] = {
        adds,
        subs,
        distance,
        average,
        largest,
        less,
        static_cast<std::uint32_t>(low24(a) * low24(b)) + c,
        c + (a > b ? a - b : b - a),
        static_cast<std::uint32_t>((std::uint64_t{a & 0xffffff} * (b & 0xffffff)) >> 16),
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(sum, -2147483648LL, 2147483647LL))};
    for (std::size_t k = 0; k < 10; k++) {
      expected[k * n + i] = all[k];
    }
  }
  expectSame(device.download<std::uint32_t>(out, 10 * n), expected, "video");
}

TEST("flushing, saturating and approximate forms") {
  Device device;
  Inputs inputs(222);
  const std::size_t n = 256;
  const auto x = everyKind(inputs, n), y = everyKind(inputs, n);
  const auto d = inputs.doubles(n, -100, 100);
  const auto out = device.allocate(20 * n * 4), wide = device.allocate(4 * n * 8);
  device.launch("instructions", "float_forms", {2}, {128},
                {static_cast<int>(n), device.upload(x), device.upload(y), out, device.upload(d), wide});
  std::vector<float> expected(20 * n);
  const FloatMode ftz{Rounding::nearestEven, true, false}, sat{Rounding::nearestEven, false, true};
  for (std::size_t i = 0; i < n; i++) {
    const float a = x[i], b = y[i], fa = arith::flush(a), fb = arith::flush(b);
    const float all[] = {arith::add(a, b, ftz),
                         arith::mul(a, b, {Rounding::towardZero, true, false}),
                         arith::sub(a, b, sat),
                         arith::flush(arith::divFull(fa, fb)),
                         arith::div(a, b, ftz),
                         arith::min(a, b, {true, false, false}),
                         arith::max(a, b, {false, true, false}),
                         std::copysign(b, a),
                         arith::fma(a, b, a, {Rounding::nearestEven, true, true}),
                         arith::canonical(std::sqrt(fa)),
                         arith::sqrt(a, {Rounding::towardZero, false, false}),
                         arith::flush(arith::rsqrtApprox(fa)),
                         arith::flush(arith::log2Approx(fa)),
                         arith::flush(arith::exp2Approx(fa)),
                         arith::rcp(a, ftz),
                         arith::flush(std::fabs(a)),
                         arith::flush(arith::floatOf(arith::bitsOf(a) ^ 0x80000000)),
                         arith::canonical(std::ceil(fa)),
                         arith::saturate(a),
                         arith::saturate(a)};
    for (std::size_t k = 0; k < 20; k++) {
      expected[k * n + i] = all[k];
    }
  }
  expectSame(bitsOf(device.download<float>(out, 20 * n)), bitsOf(expected), "forms");
  std::vector<double> wanted(4 * n);
  for (std::size_t i = 0; i < n; i++) {
    wanted[i] = 1 / d[i];
    wanted[n + i] = 1 / std::sqrt(std::fabs(d[i]));
    wanted[2 * n + i] = std::sqrt(std::fabs(d[i]));
    wanted[3 * n + i] = std::floor(d[i]);
  }
  const auto got = device.download<double>(wide, 4 * n);
  expectClose(got, wanted, 1e-5, 0, "f64 forms");
  for (std::size_t i = 0; i < n; i++) {
    CHECK(got[2 * n + i] * got[2 * n + i] >= std::fabs(d[i]) * (1 - 1e-15)); // rounded up
  }
}

TEST("ldmatrix, movmatrix and mma in their remaining forms, and matches") {
  Device device;
  Inputs inputs(223);
  std::vector<std::uint16_t> x(256);
  for (std::uint16_t& v : x) {
    v = toF16(static_cast<float>(inputs.integer(-4, 4)));
  }
  std::vector<std::int64_t> keys(32);
  for (std::int64_t& k : keys) {
    k = inputs.integer(0, 3) + (std::int64_t{9} << 32);
  }
  const auto out = device.allocate(448 * 4);
  device.launch("instructions", "matrix_forms", {1}, {32}, {device.upload(x), out, device.upload(keys)});
  const auto got = device.download<std::uint32_t>(out, 448);
  const auto pair = [&](std::size_t matrix, std::size_t r0, std::size_t c0, std::size_t r1, std::size_t c1) {
    return std::uint32_t{x[matrix * 64 + r1 * 8 + c1]} << 16 | x[matrix * 64 + r0 * 8 + c0];
  };
  std::vector<std::uint32_t> expected(256);
  std::uint32_t sum = 0;
  for (std::size_t l = 0; l < 32; l++) {
    const std::size_t row = l / 4, column = l % 4 * 2;
    expected[l] = expected[32 + l] = expected[224 + l] = pair(0, column, row, column + 1, row);
    expected[64 + l] = pair(1, column, row, column + 1, row);
    for (std::size_t m = 0; m < 4; m++) {
      expected[96 + m * 32 + l] = pair(m, row, column, row, column + 1);
    }
    sum += static_cast<std::uint32_t>(keys[l]);
  }
  expectSame({got.begin(), got.begin() + 256}, expected, "fragments");
  // A: matrices 0 (rows 0-7), 1 (rows 8-15), then 2 and 3 for columns 8-15; B: column n is row n of matrices 0 and 2.
  const auto a = [&](std::size_t m, std::size_t k) { return fromF16(x[(m / 8 + k / 8 * 2) * 64 + m % 8 * 8 + k % 8]); };
  const auto b = [&](std::size_t n, std::size_t k) { return fromF16(x[k / 8 * 128 + n * 8 + k % 8]); };
  const auto bytes = [&](std::size_t matrix, std::size_t row, std::size_t k) {
    return static_cast<std::int8_t>(x[matrix * 64 + row * 8 + k % 16 / 2] >> (8 * (k % 2)));
  };
  for (std::size_t l = 0; l < 32; l++) {
    float f[4] = {};
    std::int32_t s[4] = {};
    for (std::size_t r = 0; r < 4; r++) {
      const std::size_t m = l / 4 + r / 2 * 8, n = l % 4 * 2 + r % 2;
      for (std::size_t k = 0; k < 16; k++) {
        f[r] += a(m, k) * b(n, k);
      }
      for (std::size_t k = 0; k < 32; k++) {
        s[r] += bytes(m / 8 + k / 16 * 2, m % 8, k) * bytes(k / 16 * 2, n, k);
      }
    }
    CHECK_EQUAL(got[256 + l], std::uint32_t{toF16(f[1])} << 16 | toF16(f[0]));
    CHECK_EQUAL(got[288 + l], std::uint32_t{toF16(f[3])} << 16 | toF16(f[2]));
    CHECK_EQUAL(static_cast<std::int32_t>(got[320 + l]), s[0] + s[1] * 3 + s[2] * 5 + s[3] * 7);
    std::uint32_t peers = 0;
    for (std::size_t k = 0; k < 32; k++) {
      peers |= (keys[k] == keys[l] ? 1u : 0u) << k;
    }
    CHECK_EQUAL(got[352 + l], peers);
    CHECK_EQUAL(got[384 + l], 0xffffffffu ^ 1u);
    CHECK_EQUAL(got[416 + l], sum);
  }
}

TEST("wmma with accumulators loaded from memory") {
  Device device;
  Inputs inputs(224);
  const auto a = inputs.integers<std::uint8_t>(256, 0, 255), b = inputs.integers<std::uint8_t>(256, 0, 255);
  const auto c = inputs.integers(256, -1000, 1000);
  const auto small = [&](std::size_t count) {
    std::vector<float> v(count);
    std::generate(v.begin(), v.end(), [&] { return static_cast<float>(inputs.integer(-8, 8)); });
    return v;
  };
  const auto ta = small(128), tb = small(128), tc = small(512), da = small(32), db = small(32), dc = small(64);
  const auto wide = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
  const auto gc = device.upload(c), gt = device.upload(tc), gd = device.upload(wide(dc));
  device.launch("instructions", "wmma_accumulators", {1}, {32},
                {device.upload(a), device.upload(b), gc, device.upload(ta), device.upload(tb), gt,
                 device.upload(wide(da)), device.upload(wide(db)), gd});
  std::vector<std::int32_t> integers(256);
  std::vector<float> floats(512);
  std::vector<double> doubles(64);
  for (std::size_t r = 0; r < 16; r++) {
    for (std::size_t n = 0; n < 16; n++) {
      std::int32_t sum = 2 * c[r * 16 + n];
      for (std::size_t k = 0; k < 16; k++) {
        sum += a[r * 16 + k] * b[n * 16 + k];
      }
      integers[r * 16 + n] = sum;
      float product = tc[r * 16 + n];
      for (std::size_t k = 0; k < 8; k++) {
        product += ta[r * 8 + k] * tb[n * 8 + k];
      }
      floats[r * 16 + n] = product;
      floats[256 + r * 16 + n] = tc[n * 16 + r];
    }
  }
  for (std::size_t r = 0; r < 8; r++) {
    for (std::size_t n = 0; n < 8; n++) {
      double sum = static_cast<double>(dc[r * 8 + n]);
      for (std::size_t k = 0; k < 4; k++) {
        sum += static_cast<double>(da[r * 4 + k] * db[n * 4 + k]);
      }
      doubles[r * 8 + n] = sum;
    }
  }
  expectSame(device.download<std::int32_t>(gc, 256), integers, "u8");
  expectSame(device.download<float>(gt, 512), floats, "tf32");
  expectSame(device.download<double>(gd, 64), doubles, "f64");
}

TEST("cache control, run-time stack, named barriers and a barrier object that is invalidated") {
  Device device;
  Inputs inputs(225);
  const auto x = inputs.integers(64, -50, 50);
  const int n = 6;
  const auto out = device.upload(std::vector<std::int32_t>(128, -1)), scratch = device.zeros(128);
  device.launch("instructions", "odds_and_ends", {1}, {64}, {n, device.upload(x), out, scratch});
  std::vector<std::int32_t> expected(128, -1);
  const auto positive = static_cast<std::int32_t>(std::count_if(x.begin(), x.end(), [](int v) { return v > 0; }));
  for (std::size_t t = 0; t < 64; t++) {
    std::int32_t sum = positive * 1000000;
    for (std::size_t k = 0; k <= 6; k++) {
      sum += x[(t + k) % 64] * static_cast<std::int32_t>(k + 1);
    }
    expected[t] = sum;
    expected[64 + t] = t > 40 ? -1 : static_cast<std::int32_t>(t);
  }
  expectSame(device.download<std::int32_t>(out, 128), expected, "results");
}

TEST("128-bit registers are taken apart and put together") {
  Device device;
  Inputs inputs(129);
  std::vector<std::uint64_t> x(64), swapped(64), sums(32);
  std::generate(x.begin(), x.end(), [&] { return inputs.bits(); });
  for (std::size_t i = 0; i < 32; i++) {
    swapped[2 * i] = x[2 * i + 1];
    swapped[2 * i + 1] = x[2 * i] + 1;
    sums[i] = x[2 * i] + x[2 * i + 1];
  }
  const auto dx = device.upload(x), ds = device.allocate(256);
  device.launch("instructions", "wide_registers", {1}, {32}, {dx, ds});
  expectSame(device.download<std::uint64_t>(dx, 64), swapped, "halves");
  expectSame(device.download<std::uint64_t>(ds, 32), sums, "sums");
}
