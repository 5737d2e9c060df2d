#include "device.h"

#include <algorithm>
#include <numeric>

using namespace simgpu;
using namespace simgpu::testing;

namespace {

std::vector<std::int32_t> exclusive(const std::vector<std::int32_t>& x) {
  std::vector<std::int32_t> sums(x.size());
  std::exclusive_scan(x.begin(), x.end(), sums.begin(), 0);
  return sums;
}

} // namespace

TEST("prefix sums by one block and by decoupled look-back over many") {
  Device device;
  Inputs inputs(80);
  const std::size_t n = 5000;
  const auto x = inputs.integers(n, -50, 100);
  const auto dx = device.upload(x), one = device.allocate(n * 4), many = device.allocate(n * 4);
  device.launch("scan", "block_scan", {1}, {256}, {static_cast<int>(n), dx, one});
  expectSame(device.download<std::int32_t>(one, n), exclusive(x), "block scan");
  const std::uint32_t tiles = 40;
  const auto words = device.zeros(tiles * 8), next = device.zeros(4);
  device.launch("scan", "look_back_scan", {tiles}, {128}, {static_cast<int>(n), dx, many, words, next});
  expectSame(device.download<std::int32_t>(many, n), exclusive(x), "look-back scan");
}

TEST("compaction by ballots keeps exactly the values above the threshold") {
  Device device;
  Inputs inputs(81);
  const std::size_t n = 1000;
  const auto x = inputs.reals(n);
  std::vector<float> expected;
  std::copy_if(x.begin(), x.end(), std::back_inserter(expected), [](float v) { return v > 0.3f; });
  const auto dx = device.upload(x), kept = device.allocate(n * 4), count = device.zeros(4);
  device.launch("scan", "compact", {8}, {128}, {static_cast<int>(n), dx, 0.3f, kept, count});
  CHECK_EQUAL(device.download<std::int32_t>(count, 1)[0], static_cast<std::int32_t>(expected.size()));
  auto got = device.download<float>(kept, expected.size());
  std::sort(got.begin(), got.end());
  std::sort(expected.begin(), expected.end());
  expectSame(got, expected, "kept");
}

TEST("segmented sums restart at flags and at warp boundaries") {
  Device device;
  Inputs inputs(82);
  const std::size_t n = 256;
  auto flags = inputs.integers(n, 0, 5);
  std::vector<float> x(n), expected(n);
  for (std::size_t i = 0; i < n; i++) {
    flags[i] = flags[i] == 0 ? 1 : 0;
    x[i] = static_cast<float>(inputs.integer(-8, 8));
    expected[i] = x[i] + (flags[i] != 0 || i % 32 == 0 ? 0 : expected[i - 1]);
  }
  const auto df = device.upload(flags), dx = device.upload(x), out = device.allocate(n * 4);
  device.launch("scan", "segmented_sums", {2}, {128}, {df, dx, out});
  expectSame(device.download<float>(out, n), expected, "sums");
}

TEST("a radix sort of eight passes") {
  Device device;
  Inputs inputs(83);
  const std::size_t n = 3000;
  const std::uint32_t blocks = 12;
  std::vector<std::uint32_t> keys(n);
  std::generate(keys.begin(), keys.end(), [&] { return static_cast<std::uint32_t>(inputs.bits()); });
  DeviceAddress from = device.upload(keys), to = device.allocate(n * 4);
  const auto counts = device.allocate(16 * blocks * 4), starts = device.allocate(16 * blocks * 4);
  for (int shift = 0; shift < 32; shift += 4) {
    device.launch("scan", "radix_count", {blocks}, {256}, {static_cast<int>(n), from, shift, counts});
    device.launch("scan", "block_scan", {1}, {256}, {static_cast<int>(16 * blocks), counts, starts});
    device.launch("scan", "radix_scatter", {blocks}, {256}, {static_cast<int>(n), from, shift, starts, to});
    std::swap(from, to);
  }
  std::sort(keys.begin(), keys.end());
  expectSame(device.download<std::uint32_t>(from, n), keys, "sorted keys");
}

TEST("a bitonic sort of keys with values in dynamic shared memory") {
  Device device;
  Inputs inputs(84);
  const std::size_t n = 256, blocks = 3;
  const auto keys = inputs.reals(n * blocks);
  std::vector<std::int32_t> values(n * blocks);
  std::iota(values.begin(), values.end(), 0);
  const auto dk = device.upload(keys), dv = device.upload(values);
  device.launch("scan", "bitonic_sort", {blocks}, {n / 2}, {dk, dv}, n * 8);
  const auto sortedKeys = device.download<float>(dk, n * blocks);
  const auto sortedValues = device.download<std::int32_t>(dv, n * blocks);
  auto expected = keys;
  for (std::size_t b = 0; b < blocks; b++) {
    std::sort(expected.begin() + static_cast<long>(b * n), expected.begin() + static_cast<long>((b + 1) * n));
  }
  expectSame(sortedKeys, expected, "keys");
  std::vector<float> looked;
  for (const std::int32_t v : sortedValues) {
    looked.push_back(keys[static_cast<std::size_t>(v)]);
  }
  expectSame(looked, expected, "values follow their keys");
}

TEST("the k largest of each row, ties by position") {
  Device device;
  Inputs inputs(85);
  const std::size_t rows = 6, n = 100, k = 7;
  std::vector<float> x(rows * n);
  std::generate(x.begin(), x.end(), [&] { return static_cast<float>(inputs.integer(0, 40)); });
  const auto dx = device.upload(x), values = device.allocate(rows * k * 4), places = device.allocate(rows * k * 4);
  device.launch("scan", "top_k", {rows / 2}, {32, 2}, {static_cast<int>(n), static_cast<int>(k), dx, values, places});
  std::vector<float> best;
  std::vector<std::int32_t> where;
  for (std::size_t r = 0; r < rows; r++) {
    std::vector<std::int32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return x[r * n + static_cast<std::size_t>(a)] > x[r * n + static_cast<std::size_t>(b)];
    });
    for (std::size_t i = 0; i < k; i++) {
      best.push_back(x[r * n + static_cast<std::size_t>(order[i])]);
      where.push_back(order[i]);
    }
  }
  expectSame(device.download<float>(values, rows * k), best, "values");
  expectSame(device.download<std::int32_t>(places, rows * k), where, "places");
}
