#include "device.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::testing;

TEST("softmax of f16 rows") {
  Device device;
  Inputs inputs(180);
  const std::size_t rows = 7, n = 90;
  const auto x = inputs.f16s(rows * n, -8, 8);
  const auto dx = device.upload(x);
  device.launch("network", "softmax", {2}, {128}, {static_cast<int>(rows), static_cast<int>(n), 0.7f, dx});
  std::vector<double> expected(rows * n);
  for (std::size_t r = 0; r < rows; r++) {
    double sum = 0;
    for (std::size_t i = 0; i < n; i++) {
      sum += expected[r * n + i] = std::exp(0.7 * static_cast<double>(fromF16(x[r * n + i])));
    }
    for (std::size_t i = 0; i < n; i++) {
      expected[r * n + i] /= sum;
    }
  }
  expectClose(fromF16(device.download<std::uint16_t>(dx, rows * n)), expected, 2e-3, 1e-6, "softmax");
}

TEST("layer norm by Welford's update, and RMS norm of bf16 with a residual") {
  Device device;
  Inputs inputs(181);
  const std::size_t rows = 5, n = 192;
  const auto x = inputs.reals(rows * n, -3, 5), gain = inputs.reals(n), bias = inputs.reals(n);
  const auto out = device.allocate(rows * n * 4);
  device.launch("network", "layer_norm", {rows}, {96},
                {static_cast<int>(n), 1e-5f, device.upload(x), device.upload(gain), device.upload(bias), out});
  std::vector<double> expected(rows * n);
  for (std::size_t r = 0; r < rows; r++) {
    double mean = 0, square = 0;
    for (std::size_t i = 0; i < n; i++) {
      mean += static_cast<double>(x[r * n + i]) / static_cast<double>(n);
    }
    for (std::size_t i = 0; i < n; i++) {
      square += std::pow(static_cast<double>(x[r * n + i]) - mean, 2) / static_cast<double>(n);
    }
    for (std::size_t i = 0; i < n; i++) {
      expected[r * n + i] =
          (static_cast<double>(x[r * n + i]) - mean) / std::sqrt(square + 1e-5) * static_cast<double>(gain[i]) +
          static_cast<double>(bias[i]);
    }
  }
  expectClose(device.download<float>(out, rows * n), expected, 1e-5, 1e-5, "layer norm");

  const auto y = inputs.bf16s(rows * n, -2, 2), residual = inputs.bf16s(rows * n, -2, 2), scale = inputs.bf16s(n);
  const auto dr = device.upload(residual), normed = device.allocate(rows * n * 2);
  device.launch("network", "rms_norm", {rows}, {64},
                {static_cast<int>(n), 1e-6f, device.upload(y), dr, device.upload(scale), normed});
  std::vector<float> sums(rows * n);
  std::vector<double> wanted(rows * n);
  for (std::size_t r = 0; r < rows; r++) {
    double square = 0;
    for (std::size_t i = r * n; i < (r + 1) * n; i++) {
      sums[i] = fromBf16(toBf16(fromBf16(y[i]) + fromBf16(residual[i])));
      square += std::pow(static_cast<double>(sums[i]), 2) / static_cast<double>(n);
    }
    for (std::size_t i = 0; i < n; i++) {
      wanted[r * n + i] =
          static_cast<double>(sums[r * n + i]) / std::sqrt(square + 1e-6) * static_cast<double>(fromBf16(scale[i]));
    }
  }
  expectSame(fromBf16(device.download<std::uint16_t>(dr, rows * n)), sums, "residual");
  expectClose(fromBf16(device.download<std::uint16_t>(normed, rows * n)), wanted, 5e-3, 1e-5, "rms norm");
}

TEST("rotary embeddings") {
  Device device;
  Inputs inputs(182);
  const std::size_t rows = 6, half = 32;
  const auto x = inputs.reals(rows * 2 * half);
  const auto positions = inputs.integers(rows, 0, 2000);
  const auto dx = device.upload(x);
  device.launch("network", "rotary", {rows}, {64}, {static_cast<int>(half), device.upload(positions), dx});
  std::vector<double> expected(rows * 2 * half);
  for (std::size_t r = 0; r < rows; r++) {
    for (std::size_t i = 0; i < half; i++) {
      const float frequency = std::pow(10000.0f, -static_cast<float>(i) / static_cast<float>(half));
      const double angle = static_cast<double>(static_cast<float>(positions[r]) * frequency);
      const double a = static_cast<double>(x[r * 2 * half + i]), b = static_cast<double>(x[r * 2 * half + half + i]);
      expected[r * 2 * half + i] = a * std::cos(angle) - b * std::sin(angle);
      expected[r * 2 * half + half + i] = a * std::sin(angle) + b * std::cos(angle);
    }
  }
  // an ulp of the frequency is up to 2000 * 2^-24 radians
  expectClose(device.download<float>(dx, rows * 2 * half), expected, 0, 5e-4, "rotated");
}

TEST("row quantisation to int8, and expansion of codebook indices") {
  Device device;
  Inputs inputs(183);
  const std::size_t rows = 4, n = 100;
  const auto x = inputs.f16s(rows * n, -5, 5);
  const auto q = device.allocate(rows * n), scales = device.allocate(rows * 4);
  device.launch("network", "quantise_rows", {rows}, {32}, {static_cast<int>(n), device.upload(x), q, scales});
  std::vector<std::int8_t> codes(rows * n);
  std::vector<float> expectedScales(rows);
  for (std::size_t r = 0; r < rows; r++) {
    float largest = 0;
    for (std::size_t i = 0; i < n; i++) {
      largest = std::max(largest, std::fabs(fromF16(x[r * n + i])));
    }
    expectedScales[r] = largest / 127.0f;
    for (std::size_t i = 0; i < n; i++) {
      codes[r * n + i] = static_cast<std::int8_t>(std::nearbyint(fromF16(x[r * n + i]) / expectedScales[r]));
    }
  }
  expectSame(device.download<std::int8_t>(q, rows * n), codes, "codes");
  expectSame(device.download<float>(scales, rows), expectedScales, "scales");

  const std::size_t width = 128;
  std::vector<std::uint32_t> words(rows * width / 8);
  std::generate(words.begin(), words.end(), [&] { return static_cast<std::uint32_t>(inputs.bits()); });
  const auto centroids = inputs.f16s(rows * 16);
  const auto out = device.allocate(rows * width * 2);
  device.launch("network", "codebook_expand", {rows}, {32},
                {static_cast<int>(width), device.upload(words), device.upload(centroids), out});
  std::vector<std::uint16_t> expected(rows * width);
  for (std::size_t i = 0; i < expected.size(); i++) {
    expected[i] = centroids[i / width * 16 + (words[i / 8] >> (4 * (i % 8)) & 15)];
  }
  expectSame(device.download<std::uint16_t>(out, expected.size()), expected, "expanded");
}

TEST("2:4 pruning keeps the two largest of four and writes ascending metadata") {
  Device device;
  Inputs inputs(184);
  const std::size_t groups = 200;
  const auto x = inputs.f16s(groups * 4);
  const auto kept = device.allocate(groups * 4), metadata = device.allocate(groups / 8 * 4);
  device.launch("network", "prune_2_4", {2}, {128}, {static_cast<int>(groups), device.upload(x), kept, metadata});
  std::vector<std::uint16_t> expected(groups * 2);
  std::vector<std::uint32_t> words(groups / 8);
  for (std::size_t g = 0; g < groups; g++) {
    std::size_t order[4] = {0, 1, 2, 3};
    std::stable_sort(order, order + 4, [&](std::size_t a, std::size_t b) {
      return std::fabs(fromF16(x[g * 4 + a])) > std::fabs(fromF16(x[g * 4 + b]));
    });
    const std::size_t low = std::min(order[0], order[1]), high = std::max(order[0], order[1]);
    expected[g * 2] = x[g * 4 + low];
    expected[g * 2 + 1] = x[g * 4 + high];
    words[g / 8] |= static_cast<std::uint32_t>(low | high << 2) << (g % 8 * 4);
  }
  expectSame(device.download<std::uint16_t>(kept, groups * 2), expected, "kept");
  expectSame(device.download<std::uint32_t>(metadata, groups / 8), words, "metadata");
}

TEST("flash attention, full and causal") {
  Device device;
  Inputs inputs(185);
  const std::size_t heads = 2, length = 128, size = 64;
  const auto q = inputs.f16s(heads * length * size), k = inputs.f16s(heads * length * size),
             v = inputs.f16s(heads * length * size);
  const auto out = device.allocate(heads * length * size * 2);
  for (const bool causal : {false, true}) {
    device.launch(
        "network", "flash_attention", {length / 64, heads}, {128},
        {static_cast<int>(length), 0.125f, causal, device.upload(q), device.upload(k), device.upload(v), out});
    std::vector<double> expected(heads * length * size);
    for (std::size_t h = 0; h < heads; h++) {
      for (std::size_t i = 0; i < length; i++) {
        std::vector<double> weights;
        double sum = 0;
        for (std::size_t j = 0; j < (causal ? i + 1 : length); j++) {
          double score = 0;
          for (std::size_t d = 0; d < size; d++) {
            score += static_cast<double>(fromF16(q[(h * length + i) * size + d])) *
                     static_cast<double>(fromF16(k[(h * length + j) * size + d]));
          }
          weights.push_back(std::exp(0.125 * score));
          sum += weights.back();
        }
        for (std::size_t j = 0; j < weights.size(); j++) {
          for (std::size_t d = 0; d < size; d++) {
            expected[(h * length + i) * size + d] +=
                weights[j] / sum * static_cast<double>(fromF16(v[(h * length + j) * size + d]));
          }
        }
      }
    }
    expectClose(fromF16(device.download<std::uint16_t>(out, expected.size())), expected, 4e-3, 1e-3,
                causal ? "causal" : "full");
  }
}
