#include "device.h"

#include <algorithm>
#include <numeric>

using namespace simgpu;
using namespace simgpu::testing;

TEST("block sums by shuffles and a sum finished by the last block") {
  Device device;
  Inputs inputs(60);
  const std::size_t n = 3000;
  const auto x = inputs.reals(n);
  const auto wide = inputs.doubles(n);
  const auto dx = device.upload(x), dw = device.upload(wide), partial = device.allocate(4 * 4);
  device.launch("reduction", "block_sum", {4}, {128}, {static_cast<int>(n), dx, partial});
  const auto sums = device.download<float>(partial, 4);
  CHECK(std::fabs(std::accumulate(sums.begin(), sums.end(), 0.0) - std::accumulate(x.begin(), x.end(), 0.0)) < 1e-3);
  const auto partials = device.allocate(8 * 6), finished = device.zeros(4), total = device.allocate(8);
  device.launch("reduction", "sum_last_block", {6}, {256}, {static_cast<int>(n), dw, partials, finished, total});
  CHECK(std::fabs(device.download<double>(total, 1)[0] - std::accumulate(wide.begin(), wide.end(), 0.0)) < 1e-10);
  CHECK_EQUAL(device.download<std::uint32_t>(finished, 1)[0], 0u); // atomicInc wrapped
}

TEST("integer atomics of every operation") {
  Device device;
  Inputs inputs(61);
  const int n = 500;
  const auto x = inputs.integers(n, -100000, 100000);
  const std::vector<std::int32_t> start{0, 0x7fffffff, -0x7fffffff, -1, 0, 0, 3, 50, 0, 0, 0, 0};
  const std::vector<std::int64_t> wideStart{0, 0, 0x7fffffffffffffff, 0};
  const auto dx = device.upload(x), out = device.upload(start), wide = device.upload(wideStart);
  device.launch("reduction", "atomics_integer", {4}, {128}, {n, dx, out, wide});
  std::vector<std::int32_t> expected = start;
  std::vector<std::int64_t> wideExpected = wideStart;
  std::uint64_t largest = 0;
  for (const std::int32_t v : x) {
    expected[0] += v;
    expected[1] = std::min(expected[1], v);
    expected[2] = std::max(expected[2], v);
    expected[3] &= v | 0xff0000;
    expected[4] |= v & 0x7070;
    expected[5] ^= v;
    expected[6] = expected[6] >= 9 ? 0 : expected[6] + 1;
    expected[7] = expected[7] == 0 || expected[7] > 1000000 ? 1000000 : expected[7] - 1;
    expected[8] -= 3;
    expected[9] =
        static_cast<std::int32_t>(std::max(static_cast<std::uint32_t>(expected[9]), static_cast<std::uint32_t>(v)));
    expected[10] += 1;
    expected[11] += 2;
    wideExpected[0] += v;
    largest = std::max(largest, static_cast<std::uint64_t>(static_cast<std::int64_t>(v)));
    wideExpected[2] = std::min<std::int64_t>(wideExpected[2], v);
  }
  wideExpected[1] = static_cast<std::int64_t>(largest);
  wideExpected[3] = 77;
  expectSame(device.download<std::int32_t>(out, 12), expected, "atomics");
  expectSame(device.download<std::int64_t>(wide, 4), wideExpected, "64-bit atomics");
}

TEST("floating-point atomics and a maximum by compare and swap") {
  Device device;
  const int n = 256;
  std::vector<float> x(n);
  for (int i = 0; i < n; i++) {
    x[static_cast<std::size_t>(i)] = static_cast<float>((i * 37) % 64); // sums stay exact in every order
  }
  const auto dx = device.upload(x), f = device.zeros(4), d = device.zeros(8), h = device.zeros(4), b = device.zeros(4);
  const auto largest = device.upload(std::vector<float>{-1});
  device.launch("reduction", "atomics_float", {2}, {128}, {n, dx, f, d, h, b, largest});
  const float sum = std::accumulate(x.begin(), x.end(), 0.0f);
  CHECK_EQUAL(device.download<float>(f, 1)[0], sum);
  CHECK_EQUAL(device.download<double>(d, 1)[0], static_cast<double>(sum));
  const auto halves = device.download<std::uint16_t>(h, 2);
  CHECK(std::fabs(fromF16(halves[0]) - sum * 0.25f) <= sum * 0.25f * 0.05f); // f16 sums round in the order of arrival
  CHECK_EQUAL(fromF16(halves[1]), 128.0f);
  const auto bfloats = device.download<std::uint16_t>(b, 2);
  CHECK_EQUAL(fromBf16(bfloats[0]), 256.0f);
  CHECK_EQUAL(fromBf16(bfloats[1]), 512.0f);
  CHECK_EQUAL(device.download<float>(largest, 1)[0], 63.0f);
}

TEST("warp-aggregated counts hand out every rank once") {
  Device device;
  Inputs inputs(63);
  const std::size_t n = 400;
  const auto keys = inputs.integers(n, 0, 9);
  const auto dk = device.upload(keys), counts = device.zeros(40), rank = device.allocate(n * 4);
  device.launch("reduction", "aggregated_counts", {4}, {128}, {static_cast<int>(n), dk, counts, rank});
  const auto got = device.download<std::int32_t>(counts, 10), ranks = device.download<std::int32_t>(rank, n);
  std::vector<std::vector<int>> seen(10);
  for (std::size_t i = 0; i < n; i++) {
    seen[static_cast<std::size_t>(keys[i])].push_back(ranks[i]);
  }
  for (std::size_t key = 0; key < 10; key++) {
    std::sort(seen[key].begin(), seen[key].end());
    std::vector<int> all(seen[key].size());
    std::iota(all.begin(), all.end(), 0);
    expectSame(seen[key], all, "ranks");
    CHECK_EQUAL(got[key], static_cast<int>(all.size()));
  }
}

TEST("a histogram in shared memory") {
  Device device;
  Inputs inputs(64);
  const std::size_t n = 5000;
  const auto x = inputs.integers<std::uint8_t>(n, 0, 255);
  std::vector<std::uint32_t> expected(256);
  for (const std::uint8_t v : x) {
    expected[v]++;
  }
  const auto dx = device.upload(x), bins = device.zeros(1024);
  device.launch("reduction", "histogram", {5}, {192}, {static_cast<int>(n), dx, bins});
  expectSame(device.download<std::uint32_t>(bins, 256), expected, "bins");
}

TEST("redux in all operations, and tiles of a cooperative group") {
  Device device;
  Inputs inputs(65);
  const auto x = inputs.integers(256, -1000, 1000);
  const auto dx = device.upload(x), out = device.allocate(8 * 7 * 4);
  device.launch("reduction", "warp_redux", {8}, {32}, {dx, out});
  std::vector<std::int32_t> expected, tiles, blocks;
  for (std::size_t w = 0; w < 8; w++) {
    std::int32_t sum = 0, low = x[w * 32], high = low, all = -1, any = 0, odd = 0;
    std::uint32_t highest = 0;
    for (std::size_t l = 0; l < 32; l++) {
      const std::int32_t v = x[w * 32 + l];
      sum += v, low = std::min(low, v), high = std::max(high, v), all &= v | 0x10, any |= v & 0xf0, odd ^= v;
      highest = std::max(highest, static_cast<std::uint32_t>(v));
    }
    for (const std::int32_t v : {sum, low, high, all, any, odd, static_cast<std::int32_t>(highest)}) {
      expected.push_back(v);
    }
  }
  expectSame(device.download<std::int32_t>(out, 56), expected, "redux");
  for (std::size_t t = 0; t < 32; t++) {
    tiles.push_back(std::accumulate(x.begin() + static_cast<long>(t * 8), x.begin() + static_cast<long>(t * 8 + 8), 0));
  }
  for (std::size_t b = 0; b < 2; b++) {
    blocks.push_back(
        std::accumulate(x.begin() + static_cast<long>(b * 128), x.begin() + static_cast<long>(b * 128 + 128), 0));
  }
  const auto tileSums = device.allocate(32 * 4), blockSums = device.allocate(8);
  device.launch("reduction", "tiled_groups", {2}, {128}, {dx, tileSums, blockSums});
  expectSame(device.download<std::int32_t>(tileSums, 32), tiles, "tile sums");
  expectSame(device.download<std::int32_t>(blockSums, 2), blocks, "block sums");
}

TEST("argmax with its first position, and block-wide votes") {
  Device device;
  Inputs inputs(66);
  const std::size_t rows = 5, n = 300;
  auto x = inputs.reals(rows * n, -1, 0.8f);
  x[17] = x[200] = 0.85f;
  x[2 * n + 299] = 0.95f;
  x[3 * n + 5] = -11;
  const auto dx = device.upload(x), best = device.allocate(rows * 4), where = device.allocate(rows * 4),
             votes = device.allocate(rows * 12);
  device.launch("reduction", "argmax", {rows}, {128}, {static_cast<int>(n), dx, best, where, votes});
  std::vector<float> values;
  std::vector<std::int32_t> places, ballots;
  for (std::size_t r = 0; r < rows; r++) {
    const auto begin = x.begin() + static_cast<long>(r * n);
    const auto at = std::max_element(begin, begin + static_cast<long>(n));
    values.push_back(*at);
    places.push_back(static_cast<std::int32_t>(at - begin));
    int negatives = 0;
    bool any = false, all = true;
    for (std::size_t t = 0; t < 128; t++) { // votes are on each thread's own maximum
      float own = -INFINITY;
      for (std::size_t i = t; i < n; i += 128) {
        own = std::max(own, x[r * n + i]);
      }
      negatives += own < 0, any |= own > 0.9f, all &= own > -10;
    }
    ballots.insert(ballots.end(), {negatives, all ? 1 : 0, any ? 1 : 0});
  }
  expectSame(device.download<float>(best, rows), values, "largest");
  expectSame(device.download<std::int32_t>(where, rows), places, "where");
  expectSame(device.download<std::int32_t>(votes, rows * 3), ballots, "votes");
}
