// Kernels built with other options than the rest: for debugging, and with fast mathematics.
#include "device.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::testing;

TEST("a debug build computes what an optimised one does") {
  Device device;
  Inputs inputs(210);
  const std::size_t n = 1000, count = 64;
  const auto x = inputs.reals(n, -3, 3);
  const auto dx = device.upload(x), bounds = device.allocate(8), sums = device.allocate(16),
             numbers = device.allocate(256);
  device.launch("debug", "debug_build", {1}, {count}, {static_cast<int>(n), dx, bounds, sums, numbers});
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  expectSame(device.download<float>(bounds, 2), {*low, *high}, "bounds");
  expectSame(device.download<std::int32_t>(sums, 4), {120, 376, 632, 888}, "sums of 16 lanes");
  std::vector<std::int32_t> expected;
  const std::int32_t fibonacci[] = {0, 1, 1, 2, 3, 5, 8, 13};
  for (std::int32_t i = 0; i < 64; i++) {
    expected.push_back(i % 3 == 0 ? fibonacci[i % 8] : i % 3 == 1 ? -1 : i / 3);
  }
  expectSame(device.download<std::int32_t>(numbers, count), expected, "numbers");
}

TEST("fast functions are near the exact ones") {
  Device device;
  Inputs inputs(211);
  const std::size_t n = 200;
  const auto x = inputs.reals(n, 0.01f, 20), y = inputs.reals(n, -3, 3);
  const auto dx = device.upload(x), dy = device.upload(y), out = device.allocate(n * 48);
  device.launch("fast_math", "fast_functions", {2}, {128}, {static_cast<int>(n), dx, dy, out});
  std::vector<double> expected;
  for (std::size_t i = 0; i < n; i++) {
    const double a = x[i], b = y[i];
    for (const double value : {a / b, std::sqrt(a), 1 / std::sqrt(a), std::exp(b), std::log(a), std::sin(b),
                               std::cos(b), std::pow(a, b), std::tanh(b), 1 / a, a * b + 1, 1 / (1 + std::exp(-b))}) {
      expected.push_back(value);
    }
  }
  // tanh.approx is good to 2^-11, the rest to some 1e-6
  expectClose(device.download<float>(out, expected.size()), expected, 6e-4, 1e-5, "functions");
}

TEST("fast mathematics flushes subnormal numbers") {
  Device device;
  const std::vector<float> x{1e-39f, -1e-39f, 1.5f, 1.2e-38f};
  const auto dx = device.upload(x), out = device.allocate(x.size() * 12);
  device.launch("fast_math", "fast_flushes", {1}, {32}, {static_cast<int>(x.size()), 1.0f, dx, out});
  expectSame(device.download<float>(out, x.size() * 3),
             {0, 0, 0, 0, 0, 0, 1.5f, 1.5f, 0.75f, 1.2e-38f, 1.2e-38f, 0}, "flushed");
}

TEST("a softmax with fast exponentials") {
  Device device;
  Inputs inputs(212);
  const std::size_t rows = 3, columns = 300;
  const auto x = inputs.reals(rows * columns, -8, 8);
  std::vector<double> expected;
  for (std::size_t r = 0; r < rows; r++) {
    double sum = 0;
    for (std::size_t c = 0; c < columns; c++) {
      sum += std::exp(static_cast<double>(x[r * columns + c]));
    }
    for (std::size_t c = 0; c < columns; c++) {
      expected.push_back(std::exp(static_cast<double>(x[r * columns + c])) / sum);
    }
  }
  const auto dx = device.upload(x), out = device.allocate(x.size() * 4);
  device.launch("fast_math", "fast_softmax", {rows}, {128}, {static_cast<int>(columns), dx, out});
  expectClose(device.download<float>(out, x.size()), expected, 1e-5, 1e-9, "softmax");
}
