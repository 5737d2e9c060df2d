// CUB's and Thrust's algorithms give what the standard library gives.
#include "device.h"

#include <algorithm>
#include <climits>
#include <numeric>

using namespace simgpu;
using namespace simgpu::testing;

namespace {

constexpr std::size_t toolkitThreads = 128;
constexpr std::size_t toolkitRun = 512; // elements a block handles

} // namespace

TEST("CUB sorts runs of pairs both ways, ties in order") {
  for (const int descending : {0, 1}) {
    Device device;
    Inputs inputs(200);
    const std::size_t blocks = 3;
    std::vector<std::uint32_t> keys(blocks * toolkitRun), values(keys.size()), sortedKeys, sortedValues;
    std::generate(keys.begin(), keys.end(), [&] { return static_cast<std::uint32_t>(inputs.bits()) & 0xf00000ff; });
    std::iota(values.begin(), values.end(), 0u);
    for (std::size_t b = 0; b < blocks; b++) {
      std::vector<std::uint32_t> order(toolkitRun);
      std::iota(order.begin(), order.end(), static_cast<std::uint32_t>(b * toolkitRun));
      std::stable_sort(order.begin(), order.end(), [&](std::uint32_t i, std::uint32_t j) {
        return descending != 0 ? keys[i] > keys[j] : keys[i] < keys[j];
      });
      for (const std::uint32_t i : order) {
        sortedKeys.push_back(keys[i]);
        sortedValues.push_back(values[i]);
      }
    }
    const auto dk = device.upload(keys), dv = device.upload(values);
    device.launch("toolkit", "cub_radix_sort", {blocks}, {toolkitThreads}, {dk, dv, descending});
    expectSame(device.download<std::uint32_t>(dk, keys.size()), sortedKeys, "keys");
    expectSame(device.download<std::uint32_t>(dv, keys.size()), sortedValues, "values");
  }
}

TEST("CUB's inclusive sums and largest element of a ragged run") {
  Device device;
  Inputs inputs(201);
  const std::size_t n = 1300;
  const auto x = inputs.integers(n, -1000, 1000);
  std::vector<std::int32_t> sums(n);
  std::inclusive_scan(x.begin(), x.end(), sums.begin());
  const auto dx = device.upload(x), ds = device.allocate(n * 4), largest = device.allocate(4);
  device.launch("toolkit", "cub_scan", {1}, {toolkitThreads}, {static_cast<int>(n), dx, ds, largest});
  expectSame(device.download<std::int32_t>(ds, n), sums, "sums");
  CHECK_EQUAL(device.download<std::int32_t>(largest, 1)[0], *std::max_element(x.begin(), x.end()));
}

TEST("CUB's two histograms of bytes agree with a count") {
  Device device;
  Inputs inputs(202);
  const auto x = inputs.integers<std::uint8_t>(toolkitRun, 0, 60);
  std::vector<std::uint32_t> counts(256);
  for (const std::uint8_t value : x) {
    counts[value]++;
  }
  const auto dx = device.upload(x), a = device.allocate(1024), b = device.allocate(1024);
  device.launch("toolkit", "cub_histogram", {1}, {toolkitThreads}, {dx, a, b});
  expectSame(device.download<std::uint32_t>(a, 256), counts, "by atomics");
  expectSame(device.download<std::uint32_t>(b, 256), counts, "by sorting");
}

TEST("CUB's merge sort of a ragged run of doubles") {
  Device device;
  Inputs inputs(203);
  const std::size_t n = 437;
  auto x = inputs.doubles(n, -5, 5);
  const auto dx = device.upload(x);
  device.launch("toolkit", "cub_merge_sort", {1}, {toolkitThreads}, {static_cast<int>(n), dx});
  std::sort(x.begin(), x.end(), std::greater<>());
  expectSame(device.download<double>(dx, n), x, "sorted");
}

TEST("CUB's warp-wide sums, exclusive maxima and sort") {
  Device device;
  Inputs inputs(204);
  const auto x = inputs.integers(2 * toolkitThreads, -9999, 9999);
  std::vector<std::int32_t> sums(toolkitThreads / 8), maxima(toolkitThreads);
  for (std::size_t i = 0; i < toolkitThreads; i++) {
    sums[i / 8] += x[i];
    maxima[i] = i % 32 == 0 ? INT_MIN : std::max(maxima[i - 1], x[i - 1]);
  }
  auto sorted = x;
  for (auto from = sorted.begin(); from != sorted.end(); from += 64) {
    std::sort(from, from + 64);
  }
  const auto dx = device.upload(x), ds = device.allocate(sums.size() * 4), dm = device.allocate(maxima.size() * 4),
             dd = device.allocate(x.size() * 4);
  device.launch("toolkit", "cub_warp", {1}, {toolkitThreads}, {dx, ds, dm, dd});
  expectSame(device.download<std::int32_t>(ds, sums.size()), sums, "sums");
  expectSame(device.download<std::int32_t>(dm, maxima.size()), maxima, "maxima");
  expectSame(device.download<std::int32_t>(dd, x.size()), sorted, "sorted");
}

TEST("CUB expands runs of lengths") {
  Device device;
  Inputs inputs(205);
  std::vector<std::uint32_t> values(toolkitThreads), lengths(toolkitThreads), expanded;
  for (std::size_t i = 0; i < toolkitThreads; i++) {
    values[i] = static_cast<std::uint32_t>(inputs.bits());
    lengths[i] = static_cast<std::uint32_t>(inputs.integer(1, 12));
    expanded.insert(expanded.end(), lengths[i], values[i]);
  }
  const auto dv = device.upload(values), dl = device.upload(lengths), out = device.allocate(expanded.size() * 4);
  device.launch("toolkit", "cub_run_length", {1}, {toolkitThreads}, {dv, dl, out});
  expectSame(device.download<std::uint32_t>(out, expanded.size()), expanded, "values");
}

TEST("Thrust's sequential sort, unique and lower bound in every thread") {
  Device device;
  Inputs inputs(206);
  const std::size_t count = 96, each = 24;
  const auto x = inputs.integers<std::int16_t>(count * each, -15, 15);
  std::vector<std::int16_t> expected;
  std::vector<std::int32_t> counts, places;
  for (std::size_t i = 0; i < count; i++) {
    std::vector<std::int16_t> mine(x.begin() + static_cast<long>(i * each),
                                   x.begin() + static_cast<long>((i + 1) * each));
    std::sort(mine.begin(), mine.end());
    mine.erase(std::unique(mine.begin(), mine.end()), mine.end());
    counts.push_back(static_cast<std::int32_t>(mine.size()));
    places.push_back(static_cast<std::int32_t>(std::lower_bound(mine.begin(), mine.end(), 0) - mine.begin()));
    mine.resize(each, -1);
    expected.insert(expected.end(), mine.begin(), mine.end());
  }
  const auto dx = device.upload(x), out = device.allocate(x.size() * 2), dc = device.allocate(count * 4),
             dp = device.allocate(count * 4);
  device.launch("toolkit", "thrust_per_thread", {3}, {32}, {dx, out, dc, dp});
  expectSame(device.download<std::int16_t>(out, x.size()), expected, "numbers");
  expectSame(device.download<std::int32_t>(dc, count), counts, "counts");
  expectSame(device.download<std::int32_t>(dp, count), places, "places");
}
