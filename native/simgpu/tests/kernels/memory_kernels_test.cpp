#include "device.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::testing;

namespace {

/** A random CSR matrix; some rows are empty. */
struct Csr {
  std::vector<std::int32_t> starts{0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;

  Csr(Inputs& inputs, int rows, int width) {
    for (int r = 0; r < rows; r++) {
      const int count = inputs.integer(0, 3) == 0 ? 0 : inputs.integer(1, 70);
      for (int k = 0; k < count; k++) {
        columns.push_back(inputs.integer(0, width - 1));
        values.push_back(static_cast<float>(inputs.integer(-8, 8)) / 4);
      }
      starts.push_back(static_cast<std::int32_t>(columns.size()));
    }
  }
};

} // namespace

TEST("a tiled transpose of a ragged matrix") {
  Device device;
  Inputs inputs(160);
  const std::size_t rows = 45, columns = 70;
  const auto x = inputs.reals(rows * columns);
  const auto dx = device.upload(x), out = device.allocate(rows * columns * 4);
  device.launch("memory", "transpose", {3, 2}, {32, 8}, {static_cast<int>(rows), static_cast<int>(columns), dx, out});
  std::vector<float> expected(rows * columns);
  for (std::size_t r = 0; r < rows; r++) {
    for (std::size_t c = 0; c < columns; c++) {
      expected[c * rows + r] = x[r * columns + c];
    }
  }
  expectSame(device.download<float>(out, rows * columns), expected, "transpose");
}

TEST("loads and stores with cache hints and policies") {
  Device device;
  Inputs inputs(161);
  const std::size_t n = 100;
  const auto x = inputs.integers(n, -100, 100), y = inputs.integers(2 * n, -100, 100),
             z = inputs.integers(4 * n, 0, 1 << 20);
  const auto dx = device.upload(x), dy = device.upload(y), dz = device.upload(z), out = device.allocate(5 * n * 4);
  device.launch("memory", "cache_hints", {2}, {64}, {static_cast<int>(n), dx, dy, dz, out});
  std::vector<std::int32_t> expected(5 * n);
  for (std::size_t i = 0; i < n; i++) {
    const std::int32_t v =
        x[i] * 21 + y[2 * i] - y[2 * i + 1] + (z[4 * i] ^ z[4 * i + 1] ^ z[4 * i + 2] ^ z[4 * i + 3]);
    for (std::size_t k = 0; k < 4; k++) {
      expected[k * n + i] = v + static_cast<std::int32_t>(k);
    }
    expected[4 * n + i] = 2 * x[i];
  }
  expectSame(device.download<std::int32_t>(out, 5 * n), expected, "hints");
}

TEST("loads and stores of every width") {
  Device device;
  Inputs inputs(162);
  const std::size_t n = 60;
  const auto a = inputs.integers<std::int8_t>(n, -128, 127);
  const auto b = inputs.integers<std::uint8_t>(n, 0, 255);
  const auto c = inputs.integers<std::int16_t>(n, -32768, 32767);
  const auto d = inputs.integers<std::uint16_t>(n, 0, 65535);
  auto e = inputs.integers<std::int8_t>(4 * n, -128, 127);
  auto f = inputs.integers<std::uint16_t>(4 * n, 0, 65535);
  auto g = inputs.doubles(2 * n);
  const auto de = device.upload(e), df = device.upload(f), dg = device.upload(g), out = device.allocate(n * 8);
  device.launch(
      "memory", "widths", {1}, {64},
      {static_cast<int>(n), device.upload(a), device.upload(b), device.upload(c), device.upload(d), de, df, dg, out});
  std::vector<std::int64_t> expected(n);
  for (std::size_t i = 0; i < n; i++) {
    expected[i] = a[i] + b[i] * 1000LL + c[i] * 1000000LL + d[i] * 10000000000LL;
    e[4 * i] = static_cast<std::int8_t>(e[4 * i] + 1);
    e[4 * i + 1] = static_cast<std::int8_t>(e[4 * i + 1] - 1);
    e[4 * i + 2] = static_cast<std::int8_t>(e[4 * i + 2] ^ 0x55);
    e[4 * i + 3] = e[4 * i];
    f[4 * i] = static_cast<std::uint16_t>(f[4 * i + 1] + f[4 * i + 2]);
    f[4 * i + 3] = static_cast<std::uint16_t>(f[4 * i] >> 3);
    const double first = g[2 * i];
    g[2 * i] = g[2 * i + 1];
    g[2 * i + 1] = first + 1;
  }
  expectSame(device.download<std::int64_t>(out, n), expected, "sums");
  expectSame(device.download<std::int8_t>(de, 4 * n), e, "char4");
  expectSame(device.download<std::uint16_t>(df, 4 * n), f, "ushort4");
  expectSame(device.download<double>(dg, 2 * n), g, "double2");
}

TEST("im2col, and a convolution with pooling") {
  Device device;
  Inputs inputs(163);
  const int channels = 3, height = 10, width = 12, filters = 4;
  const auto x = inputs.reals(at(channels * height * width));
  const auto weights = inputs.reals(at(filters * channels * 9)), bias = inputs.reals(at(filters));
  const auto pixel = [&](int c, int y, int z) {
    return y >= 0 && y < height && z >= 0 && z < width ? x[at((c * height + y) * width + z)] : 0.0f;
  };
  std::vector<float> columns, pooled;
  for (int row = 0; row < channels * 9; row++) {
    for (int p = 0; p < height * width; p++) {
      columns.push_back(pixel(row / 9, p / width + row / 3 % 3 - 1, p % width + row % 3 - 1));
    }
  }
  for (int f = 0; f < filters; f++) {
    for (int p = 0; p < height / 2 * (width / 2); p++) {
      double best = 0;
      for (int d = 0; d < 4; d++) {
        const int y = p / (width / 2) * 2 + d / 2, z = p % (width / 2) * 2 + d % 2;
        double sum = static_cast<double>(bias[at(f)]);
        for (int c = 0; c < channels; c++) {
          for (int k = 0; k < 9; k++) {
            sum += static_cast<double>(pixel(c, y + k / 3 - 1, z + k % 3 - 1)) *
                   static_cast<double>(weights[at((f * channels + c) * 9 + k)]);
          }
        }
        best = std::max(best, sum);
      }
      pooled.push_back(static_cast<float>(best));
    }
  }
  const auto dx = device.upload(x), out = device.allocate(columns.size() * 4),
             maps = device.allocate(pooled.size() * 4);
  device.launch("memory", "im2col", {7}, {128}, {channels, height, width, 3, 1, dx, out});
  expectSame(device.download<float>(out, columns.size()), columns, "columns");
  device.launch("memory", "conv_pool", {1, static_cast<std::uint32_t>(filters)}, {64},
                {channels, height, width, dx, device.upload(weights), device.upload(bias), maps}, 27 * 4);
  expectClose(device.download<float>(maps, pooled.size()), pooled, 1e-5, 1e-5, "maps");
}

TEST("asynchronous copies of 4, 8 and 16 bytes, partly zero-filled, waited for in groups") {
  Device device;
  Inputs inputs(164);
  const auto x = inputs.integers(384, 1, 1000);
  const auto dx = device.upload(x), out = device.allocate(384 * 4);
  device.launch("memory", "async_copies", {1}, {128}, {100, dx, out});
  std::vector<std::int32_t> expected(384);
  for (std::size_t t = 0; t < 128; t++) {
    expected[t] = x[127 - t];
    expected[128 + t] = x[128 + t * 3 % 128];
    expected[256 + t] = (127 - t) / 4 * 4 < 100 ? x[256 + 127 - t] : 0;
  }
  expectSame(device.download<std::int32_t>(out, 384), expected, "copies");
}

TEST("an embedding look-up") {
  Device device;
  Inputs inputs(165);
  const std::size_t width = 96, vocabulary = 50, tokens = 7;
  const auto table = inputs.f16s(width * vocabulary);
  const auto ids = inputs.integers(tokens, 0, 49);
  const auto out = device.allocate(tokens * width * 2);
  device.launch("memory", "embedding", {tokens}, {32},
                {static_cast<int>(width), device.upload(ids), device.upload(table), out});
  std::vector<std::uint16_t> expected;
  for (const std::int32_t id : ids) {
    expected.insert(expected.end(), table.begin() + static_cast<long>(at(id) * width),
                    table.begin() + static_cast<long>((at(id) + 1) * width));
  }
  expectSame(device.download<std::uint16_t>(out, tokens * width), expected, "rows");
}

TEST("CSR products by threads, by warps and with a matrix") {
  Device device;
  Inputs inputs(166);
  const int rows = 90, width = 200, n = 32;
  const Csr matrix(inputs, rows, width);
  const auto starts = device.upload(matrix.starts), columns = device.upload(matrix.columns),
             values = device.upload(matrix.values);
  const auto x = inputs.reals(at(width)), b = inputs.reals(at(width * n));
  const std::vector<double> wideValues(matrix.values.begin(), matrix.values.end()), wideX(x.begin(), x.end());
  std::vector<double> expected(at(rows)), product(at(rows * n));
  for (int r = 0; r < rows; r++) {
    for (std::int32_t k = matrix.starts[at(r)]; k < matrix.starts[at(r + 1)]; k++) {
      const double v = static_cast<double>(matrix.values[at(k)]);
      expected[at(r)] += v * wideX[at(matrix.columns[at(k)])];
      for (int j = 0; j < n; j++) {
        product[at(r * n + j)] += v * static_cast<double>(b[at(matrix.columns[at(k)] * n + j)]);
      }
    }
  }
  const auto y = device.allocate(at(rows) * 4), wideY = device.allocate(at(rows) * 8),
             c = device.allocate(at(rows * n) * 4);
  device.launch("memory", "spmv_scalar", {1}, {96}, {rows, starts, columns, values, device.upload(x), y});
  expectClose(device.download<float>(y, at(rows)), expected, 1e-5, 1e-5, "y by threads");
  device.launch("memory", "spmv_vector", {12}, {256},
                {rows, starts, columns, device.upload(wideValues), device.upload(wideX), wideY});
  expectClose(device.download<double>(wideY, at(rows)), expected, 1e-13, 1e-13, "y by warps");
  device.launch("memory", "spmm_csr", {rows}, {32}, {n, starts, columns, values, device.upload(b), c});
  expectClose(device.download<float>(c, at(rows * n)), product, 1e-5, 1e-5, "C");
}
