#include "device.h"

#include <numeric>

using namespace simgpu;
using namespace simgpu::testing;

TEST("a producer warp and consumer warps meet at named barriers") {
  Device device;
  Inputs inputs(240);
  const std::size_t blocks = 2, batches = 11, width = 96;
  std::vector<float> x(blocks * batches * width);
  for (float& v : x) {
    v = static_cast<float>(inputs.integer(-64, 64));
  }
  const auto out = device.allocate(blocks * width * 4);
  device.launch("pipeline", "warp_specialised", {blocks}, {128}, {static_cast<int>(batches), device.upload(x), out});
  std::vector<float> expected;
  for (std::size_t b = 0; b < blocks; b++) {
    for (std::size_t t = 0; t < width; t++) {
      float sum = 0;
      for (std::size_t k = 0; k < batches; k++) {
        sum = sum * 0.5f + x[(b * batches + k) * width + (t + k) % width];
      }
      expected.push_back(sum);
    }
  }
  expectSame(device.download<float>(out, expected.size()), expected, "sums");
}

TEST("persistent blocks share a queue of tiles") {
  Device device;
  Inputs inputs(241);
  const std::size_t tiles = 37;
  const auto lengths = inputs.integers(tiles, 0, 200);
  std::vector<std::int32_t> starts(tiles);
  std::exclusive_scan(lengths.begin(), lengths.end(), starts.begin(), 0);
  const auto x = inputs.integers(static_cast<std::size_t>(starts.back() + lengths.back()) + 1, -100, 100);
  const auto sums = device.zeros(tiles * 4), next = device.zeros(4);
  device.launch("pipeline", "persistent_queue", {5}, {64},
                {static_cast<int>(tiles), device.upload(lengths), device.upload(starts), device.upload(x), sums, next});
  std::vector<std::int32_t> expected;
  for (std::size_t t = 0; t < tiles; t++) {
    const auto begin = x.begin() + starts[t];
    expected.push_back(std::accumulate(begin, begin + lengths[t], 0));
  }
  expectSame(device.download<std::int32_t>(sums, tiles), expected, "sums");
  CHECK_EQUAL(device.download<std::uint32_t>(next, 1)[0], static_cast<std::uint32_t>(tiles + 5));
}

TEST("slices of k add to C in the order of a semaphore") {
  Device device;
  Inputs inputs(242);
  const std::size_t m = 32, n = 24, k = 192;
  const auto a = inputs.f16s(m * k), b = inputs.f16s(n * k);
  const auto c = device.allocate(m * n * 2), semaphores = device.zeros(6 * 4);
  const auto da = device.upload(a), db = device.upload(b);
  std::vector<std::uint16_t> first;
  for (int round = 0; round < 2; round++) {
    device.launch("pipeline", "split_k", {3, 2, 4}, {32},
                  {da, db, c, semaphores, static_cast<int>(n), static_cast<int>(k)});
    const auto got = device.download<std::uint16_t>(c, m * n);
    if (round == 0) {
      first = got;
    }
    expectSame(got, first, "the same bits in every run");
  }
  expectClose(fromF16(first),
              referenceGemm(fromF16(a), fromF16(b), static_cast<int>(m), static_cast<int>(n), static_cast<int>(k)),
              2e-3, 5e-3, "C");
  expectSame(device.download<std::int32_t>(semaphores, 6), std::vector<std::int32_t>(6), "semaphores");
}

TEST("a tree of blocks publishes by fences and volatile flags") {
  Device device;
  Inputs inputs(243);
  const std::size_t leaves = 16, nodes = 2 * leaves - 1;
  const auto x = inputs.integers(leaves, -100, 100);
  const auto slots = device.allocate(nodes * 4), flags = device.zeros(nodes * 4);
  device.launch("pipeline", "tree_of_blocks", {nodes}, {32},
                {static_cast<int>(leaves), device.upload(x), slots, flags});
  std::vector<std::int32_t> expected(x.begin(), x.end());
  for (std::size_t node = leaves; node < nodes; node++) {
    expected.push_back(expected[2 * (node - leaves)] * 3 + expected[2 * (node - leaves) + 1]);
  }
  expectSame(device.download<std::int32_t>(slots, nodes), expected, "nodes");
}

TEST("tensor-core rounding as measured changes no exact product and few bits of others") {
  Settings settings;
  settings.exactTensor = true;
  Device fast, exact(settings);
  Inputs inputs(244);
  const std::size_t m = 64, n = 64, k = 64;
  const auto a = inputs.f16s(m * k), b = inputs.f16s(n * k);
  const auto run = [&](Device& device) {
    const auto c = device.allocate(m * n * 4);
    device.launch(
        "gemm", "gemm_f16", {1, 1}, {128},
        {device.upload(a), device.upload(b), c, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k * 2)});
    return device.download<float>(c, m * n);
  };
  const auto fastResult = run(fast), exactResult = run(exact);
  const auto reference =
      referenceGemm(fromF16(a), fromF16(b), static_cast<int>(m), static_cast<int>(n), static_cast<int>(k));
  expectClose(fastResult, reference, 1e-5, 1e-5, "fast");
  expectClose(exactResult, reference, 1e-4, 1e-4, "exact");
  CHECK(fastResult != exactResult); // truncation shows somewhere among 4096 sums
  double bias = 0; // truncation pulls toward zero
  for (std::size_t i = 0; i < reference.size(); i++) {
    bias += std::fabs(reference[i]) - std::fabs(static_cast<double>(exactResult[i]));
  }
  CHECK(bias > 0);
}
