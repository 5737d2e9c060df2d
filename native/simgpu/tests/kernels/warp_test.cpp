#include "device.h"

using namespace simgpu;
using namespace simgpu::testing;

TEST("shuffles of every mode, width and partial mask") {
  Device device;
  Inputs inputs(120);
  const auto x = inputs.integers(32, -1000, 1000);
  const auto d = inputs.doubles(32);
  const auto dx = device.upload(x), dd = device.upload(d), out = device.allocate(7 * 32 * 4),
             outD = device.allocate(32 * 8);
  device.launch("warp", "shuffles", {1}, {32}, {dx, dd, out, outD});
  std::vector<std::int32_t> expected(7 * 32);
  std::vector<double> wide(32);
  for (std::size_t l = 0; l < 32; l++) {
    expected[l] = x[(l * 7 + 3) & 31];
    expected[32 + l] = x[l < 5 ? l : l - 5];
    expected[64 + l] = x[l % 8 + 3 < 8 ? l + 3 : l];
    expected[96 + l] = x[l ^ 12];
    expected[128 + l] = x[(l & ~std::size_t{3}) | ((l + 1) & 3)];
    expected[160 + l] = x[l < 4 ? l : l - 4] * 2 + (l < 4 ? 0 : 1);
    expected[192 + l] = l >= 12 ? x[l ^ 1] : l % 4 < 3 ? x[l + 1] : x[l];
    wide[l] = d[l ^ 9];
  }
  expectSame(device.download<std::int32_t>(out, 7 * 32), expected, "shuffles");
  expectSame(device.download<double>(outD, 32), wide, "double shuffle");
}

TEST("votes and matches") {
  Device device;
  Inputs inputs(121);
  const auto x = inputs.integers(64, -60, 60);
  const auto dx = device.upload(x), out = device.allocate(64 * 6 * 4);
  device.launch("warp", "votes", {2}, {32}, {dx, out});
  std::vector<std::uint32_t> expected(64 * 6);
  for (std::size_t w = 0; w < 2; w++) {
    const std::int32_t* v = x.data() + 32 * w;
    std::uint32_t positive = 0, oddAbove = 0;
    bool all = true, any = false;
    for (std::size_t l = 0; l < 32; l++) {
      positive |= (v[l] > 0 ? 1u : 0u) << l;
      all &= v[l] > -50, any |= v[l] == 7;
      oddAbove += (v[l] & 1) != 0 && v[l] > 3 ? 1 : 0;
    }
    for (std::size_t l = 0; l < 32; l++) {
      std::uint32_t* o = expected.data() + (w * 32 + l) * 6;
      std::uint32_t peers = 0;
      for (std::size_t k = 0; k < 32; k++) {
        peers |= ((v[k] & 7) == (v[l] & 7) ? 1u : 0u) << k;
      }
      o[0] = positive, o[1] = all, o[2] = any, o[3] = (v[l] & 1) != 0 ? oddAbove : 100, o[4] = peers;
      o[5] = 0; // one sign everywhere: mask 0xffffffff plus predicate 1 wraps to 0; mixed signs: 0 plus 0
    }
  }
  expectSame(device.download<std::uint32_t>(out, 64 * 6), expected, "votes");
}

TEST("diverged halves exchange through shared memory under partial warp barriers") {
  Device device;
  Inputs inputs(122);
  const auto x = inputs.integers(128, -100, 100);
  const auto dx = device.upload(x), out = device.allocate(128 * 4);
  device.launch("warp", "divergent_exchange", {1}, {128}, {dx, out});
  std::vector<std::int32_t> expected(128);
  for (std::size_t w = 0; w < 4; w++) {
    std::uint32_t first[32], second[32];
    for (std::size_t l = 0; l < 32; l++) {
      auto v = static_cast<std::uint32_t>(x[w * 32 + l]);
      if (l < 16) {
        v += 1000;
        v *= l % 2 != 0 ? 2 : 1;
      } else {
        for (std::uint32_t k = 0; k < l - 15; k++) {
          v = v * 3 + k;
        }
      }
      first[l] = v;
    }
    for (std::size_t l = 0; l < 32; l++) {
      second[l] = l < 16 ? first[15 - l] : first[16 + l * 5 % 16];
    }
    for (std::size_t l = 0; l < 32; l++) {
      expected[w * 32 + l] = static_cast<std::int32_t>(second[(l + 1) % 32] + second[l]);
    }
  }
  expectSame(device.download<std::int32_t>(out, 128), expected, "exchange");
}

TEST("lanes leave loops and the kernel one by one") {
  Device device;
  Inputs inputs(123);
  const auto rounds = inputs.integers(64, 0, 20);
  const auto dr = device.upload(rounds), out = device.allocate(64 * 4);
  device.launch("warp", "leaving_lanes", {1}, {64}, {dr, out});
  std::vector<std::uint32_t> expected(64);
  for (std::size_t l = 0; l < 64; l++) {
    for (std::uint32_t r = 0; r < static_cast<std::uint32_t>(rounds[l]); r++) {
      expected[l] = expected[l] * 5 + r;
    }
    expected[l] += rounds[l] % 3 != 0 ? 1000000 : 0;
  }
  expectSame(device.download<std::uint32_t>(out, 64), expected, "history");
}
