#include "device.h"

#include <map>
#include <numeric>

using namespace simgpu;
using namespace simgpu::testing;

TEST("blocks may wait for later blocks") {
  Device device;
  const std::uint32_t blocks = 48;
  const auto flags = device.zeros(blocks * 4), order = device.allocate(blocks * 4), ticket = device.zeros(4);
  device.launch("synchronisation", "chain_from_the_end", {blocks}, {32}, {flags, order, ticket});
  std::vector<std::int32_t> expected(blocks);
  for (std::uint32_t b = 0; b < blocks; b++) {
    expected[b] = static_cast<std::int32_t>(blocks - 1 - b);
  }
  expectSame(device.download<std::int32_t>(order, blocks), expected, "order");
}

TEST("a spin lock protects a plain counter") {
  Device device;
  const auto lock = device.zeros(4), counter = device.zeros(4);
  device.launch("synchronisation", "spin_lock", {24}, {64}, {lock, counter, 5});
  CHECK_EQUAL(device.download<std::int32_t>(counter, 1)[0], 24 * 5);
  CHECK_EQUAL(device.download<std::int32_t>(lock, 1)[0], 0);
}

TEST("a token goes round by acquire and release") {
  Device device;
  const std::uint32_t blocks = 9;
  const auto mailbox = device.zeros(4), payload = device.upload(std::vector<std::uint32_t>{1});
  device.launch("synchronisation", "token_ring", {blocks}, {32}, {mailbox, payload, 4});
  std::uint32_t expected = 1;
  for (std::uint32_t turn = 0; turn < blocks * 4; turn++) {
    expected = expected * 3 + turn % blocks;
  }
  CHECK_EQUAL(device.download<std::uint32_t>(payload, 1)[0], expected);
}

TEST("a cooperative launch synchronises the whole grid") {
  Device device;
  Inputs inputs(100);
  const int n = 700, steps = 6;
  auto a = inputs.reals(n);
  const auto da = device.upload(a), db = device.zeros(n * 4);
  device.launch("synchronisation", "jacobi", {5}, {64}, {n, da, db, steps}, 0, true);
  for (int s = 0; s < steps; s++) {
    std::vector<float> next(n);
    for (std::size_t i = 0; i < a.size(); i++) {
      const float left = i > 0 ? a[i - 1] : 0, right = i + 1 < a.size() ? a[i + 1] : 0;
      next[i] = 0.25f * left + 0.5f * a[i] + 0.25f * right;
    }
    a = next;
  }
  expectClose(device.download<float>(da, n), a, 1e-5, 1e-6, "field");
}

TEST("barrier objects: split arrival, asynchronous copies, the library's pipeline") {
  Device device;
  Inputs inputs(101);
  const std::uint32_t blocks = 3;
  const auto x = inputs.integers(blocks * 128, -1000, 1000);
  const auto dx = device.upload(x), out = device.allocate(3 * blocks * 128 * 4);
  device.launch("synchronisation", "split_barrier", {blocks}, {128}, {dx, out});
  std::vector<std::int32_t> expected;
  for (int round = 0; round < 3; round++) {
    for (std::size_t b = 0; b < blocks; b++) {
      for (std::size_t t = 0; t < 128; t++) {
        expected.push_back(static_cast<int>(t) * 2 + x[b * 128 + (t + 37) % 128] + round);
      }
    }
  }
  expectSame(device.download<std::int32_t>(out, expected.size()), expected, "split barrier");

  const std::size_t tiles = 5;
  std::vector<float> y(2 * tiles * 64 * 4);
  for (float& v : y) {
    v = static_cast<float>(inputs.integer(-9, 9));
  }
  const auto dy = device.upload(y), sums = device.allocate(2 * 64 * 4);
  device.launch("synchronisation", "mbarrier_copy", {2}, {64}, {dy, sums, static_cast<int>(tiles)});
  std::vector<float> wanted;
  for (std::size_t b = 0; b < 2; b++) {
    for (std::size_t t = 0; t < 64; t++) {
      float sum = 0;
      for (std::size_t tile = 0; tile < tiles; tile++) {
        const float* v = y.data() + ((b * tiles + tile) * 64 + 63 - t) * 4;
        sum += v[0] + v[1] * 2 + v[2] * 3 + v[3] * 4;
      }
      wanted.push_back(sum);
    }
  }
  expectSame(device.download<float>(sums, wanted.size()), wanted, "mbarrier copies");

  const std::size_t batches = 6;
  const auto z = inputs.integers(2 * batches * 128, -5, 5);
  const auto dz = device.upload(z), last = device.allocate(256 * 4);
  device.launch("synchronisation", "staged_pipeline", {2}, {128}, {dz, last, static_cast<int>(batches)});
  std::vector<std::int32_t> piped;
  for (std::size_t b = 0; b < 2; b++) {
    for (std::size_t t = 0; t < 128; t++) {
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < batches; k++) {
        sum = sum * 5 + z[(b * batches + k) * 128 + (t + 1) % 128];
      }
      piped.push_back(sum);
    }
  }
  expectSame(device.download<std::int32_t>(last, piped.size()), piped, "pipeline");
}

TEST("a hash table by compare and swap sums the values of each key") {
  Device device;
  Inputs inputs(102);
  const std::size_t n = 600, capacity = 509;
  std::vector<std::uint32_t> keys(n);
  const auto values = inputs.integers(n, -100, 100);
  std::map<std::uint32_t, std::int32_t> expected;
  for (std::size_t i = 0; i < n; i++) {
    keys[i] = static_cast<std::uint32_t>(inputs.integer(0, 299)) * 7919;
    expected[keys[i]] += values[i];
  }
  const auto dk = device.upload(keys), dv = device.upload(values), sums = device.zeros(capacity * 4);
  const auto slots = device.upload(std::vector<std::uint32_t>(capacity, 0xffffffff));
  device.launch("synchronisation", "hash_insert", {5}, {128},
                {static_cast<int>(n), dk, dv, slots, sums, static_cast<int>(capacity)});
  const auto gotKeys = device.download<std::uint32_t>(slots, capacity);
  const auto gotSums = device.download<std::int32_t>(sums, capacity);
  std::map<std::uint32_t, std::int32_t> got;
  for (std::size_t s = 0; s < capacity; s++) {
    if (gotKeys[s] != 0xffffffff) {
      CHECK(!got.contains(gotKeys[s]));
      got[gotKeys[s]] = gotSums[s];
    }
  }
  CHECK(got == expected);
}

TEST("ordered atomics of the C++ library") {
  Device device;
  const auto words = device.zeros(12), flags = device.zeros(4);
  const int n = 256;
  device.launch("synchronisation", "ordered_atomics", {2}, {128}, {words, flags});
  int highest = 0;
  for (int i = 0; i < n; i++) {
    highest = std::max(highest, i * 7 % 1000);
  }
  expectSame(device.download<std::int32_t>(words, 3), {n * (n - 1) / 2, highest, n}, "words");
  CHECK_EQUAL(device.download<std::uint32_t>(flags, 1)[0], 0xffffffffu);
}
