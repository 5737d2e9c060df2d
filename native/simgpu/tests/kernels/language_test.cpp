#include "device.h"

#include <algorithm>
#include <array>
#include <numeric>

using namespace simgpu;
using namespace simgpu::testing;

TEST("recursion to a depth that differs in every lane") {
  Device device;
  const auto out = device.allocate(64 * 4);
  device.launch("language", "recursion", {1}, {64}, {out});
  std::vector<std::int32_t> expected(64);
  for (std::size_t l = 0; l < 64; l++) {
    expected[l] = 2 * static_cast<int>(l % 5) + 3; // Ackermann(2, n)
  }
  expectSame(device.download<std::int32_t>(out, 64), expected, "ackermann");
}

TEST("calls through a table of function pointers and through virtual tables") {
  Device device;
  Inputs inputs(140);
  const std::size_t n = 100;
  const auto x = inputs.reals(n, 0.5f, 3);
  const auto which = inputs.integers(n, 0, 2);
  const auto dx = device.upload(x), dw = device.upload(which), out = device.allocate(n * 4);
  device.launch("language", "function_pointers", {2}, {64}, {static_cast<int>(n), dx, dw, out});
  const auto apply = [](int f, float v) { return f == 0 ? 2 * v : f == 1 ? v * v : 1 / v; };
  std::vector<float> expected(n), scaled(n);
  for (std::size_t i = 0; i < n; i++) {
    expected[i] = apply(which[i], x[i]) + apply((which[i] + 1) % 3, x[i]);
    scaled[i] = i % 3 == 0 ? 1 + 3.0f * x[i] * x[i] * 2 : x[i] * x[i] * 4;
  }
  expectSame(device.download<float>(out, n), expected, "calls");
  device.launch("language", "virtual_functions", {2}, {64}, {static_cast<int>(n), dx, out});
  expectClose(device.download<float>(out, n), scaled, 1e-6, 0, "virtual calls");
}

TEST("structs by value: 4 KB indexed at run time, 32 KB, and through calls") {
  Device device;
  Inputs inputs(141);
  std::array<std::int32_t, 1024> table;
  std::generate(table.begin(), table.end(), [&] { return inputs.integer(-1000, 1000); });
  const std::size_t n = 200;
  const auto index = inputs.integers(n, 0, 5000);
  const auto di = device.upload(index), out = device.allocate(n * 4);
  device.launch("language", "struct_by_value", {2}, {128}, {table, static_cast<int>(n), di, out});
  std::vector<std::int32_t> expected(n);
  for (std::size_t i = 0; i < n; i++) {
    expected[i] = table[static_cast<std::size_t>(index[i] & 1023)] + table[i];
  }
  expectSame(device.download<std::int32_t>(out, n), expected, "table");

  auto large = std::make_unique<std::array<std::uint8_t, 32000>>();
  std::generate(large->begin(), large->end(), [&] { return static_cast<std::uint8_t>(inputs.bits()); });
  const auto sums = device.allocate(64 * 4);
  device.launch("language", "large_struct", {1}, {64}, {*large, sums});
  std::vector<std::uint32_t> wanted(64);
  for (std::size_t t = 0; t < 64; t++) {
    for (std::size_t k = t; k < 32000; k += 64) {
      wanted[t] = wanted[t] * 31 + (*large)[k];
    }
  }
  expectSame(device.download<std::uint32_t>(sums, 64), wanted, "large struct");

  const std::size_t m = 40;
  const auto a = inputs.doubles(3 * m), b = inputs.doubles(3 * m);
  const auto da = device.upload(a), db = device.upload(b), crosses = device.allocate(3 * m * 8);
  device.launch("language", "struct_calls", {1}, {64}, {static_cast<int>(m), da, db, crosses});
  std::vector<double> products;
  const auto cross = [](std::array<double, 3> u, std::array<double, 3> v) {
    return std::array<double, 3>{u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]};
  };
  for (std::size_t i = 0; i < m; i++) {
    const std::array<double, 3> u{a[3 * i], a[3 * i + 1], a[3 * i + 2]}, v{b[3 * i], b[3 * i + 1], b[3 * i + 2]};
    const auto w = cross(cross(u, v), u);
    products.insert(products.end(), w.begin(), w.end());
  }
  expectClose(device.download<double>(crosses, 3 * m), products, 1e-13, 1e-14, "cross products");
}

TEST("a sort in a local array with run-time indices") {
  Device device;
  Inputs inputs(142);
  const std::size_t n = 70;
  auto x = inputs.integers(n * 24, -500, 500);
  const auto dx = device.upload(x), out = device.allocate(n * 24 * 4);
  device.launch("language", "local_array", {3}, {32}, {static_cast<int>(n), dx, out});
  for (std::size_t i = 0; i < n; i++) {
    std::sort(x.begin() + static_cast<long>(i * 24), x.begin() + static_cast<long>((i + 1) * 24));
  }
  expectSame(device.download<std::int32_t>(out, n * 24), x, "sorted");
}

TEST("lists on the device heap, freed by their own threads") {
  Device device;
  const auto sums = device.allocate(64 * 8);
  const int length = 9;
  device.launch("language", "heap_lists", {2}, {32}, {length, sums});
  std::vector<std::int64_t> expected(64);
  for (std::size_t t = 0; t < 64; t++) {
    for (int k = length - 1; k >= 0; k--) {
      expected[t] = expected[t] * 3 + k * (static_cast<int>(t % 32) + 1);
    }
  }
  expectSame(device.download<std::int64_t>(sums, 64), expected, "sums");
}

TEST("device printf formats like the host's") {
  Device device;
  const std::vector<float> x{1.5f, -2.25f, 1000.125f};
  device.launch("language", "speak", {2}, {32}, {3, device.upload(x)});
  std::string expected;
  for (int t = 0; t < 3; t++) {
    char line[200];
    const double value = static_cast<double>(x[static_cast<std::size_t>(t)]);
    std::snprintf(line, sizeof line, "lane %d of %s: %.3f %llu %c %5.1e|%-4u|%x%%\n", t, "block", value,
                  1ull << (40 + t), 'a' + t, value * 1000.0, static_cast<unsigned>(t), static_cast<unsigned>(255 - t));
    expected += line;
  }
  CHECK_EQUAL(device.printed(), expected);
}

TEST("an assertion that holds is silent, one that fails stops the launch with its text") {
  Device device;
  std::vector<std::int32_t> x(32);
  std::iota(x.begin(), x.end(), 1);
  const auto dx = device.upload(x), out = device.allocate(128);
  device.launch("language", "assert_positive", {1}, {32}, {dx, out});
  CHECK_EQUAL(device.download<std::int32_t>(out, 32)[31], 64);
  x[7] = -1;
  const auto bad = device.upload(x);
  const Kernel* kernel = device.module("language").kernel("assert_positive");
  std::vector<std::byte> parameters(16);
  std::memcpy(parameters.data(), &bad, 8);
  std::memcpy(parameters.data() + 8, &out, 8);
  const LaunchResult result = device.engine().launch(*kernel, {{1}, {32}, 0, false, 0}, parameters);
  CHECK_EQUAL(result.status, Status::assertion);
  CHECK(!result.findings.empty() && result.findings[0].kind == FindingKind::assertionFailed);
  CHECK(!result.findings.empty() && result.findings[0].text().find("values are positive") != std::string::npos);
}

TEST("module variables: constants set by the host, initialisers, pointers to strings, device counters") {
  Device device;
  const Module& module = device.module("language");
  std::vector<float> coefficients(16);
  for (std::size_t i = 0; i < 16; i++) {
    coefficients[i] = static_cast<float>(i) * 0.5f;
  }
  const GlobalInfo* variable = module.global("coefficients");
  CHECK(variable != nullptr && variable->size == 64);
  CHECK_EQUAL(device.memory().copyIn(variable->address, coefficients.data(), 64), MemoryStatus::ok);
  const std::size_t n = 48;
  const auto out = device.allocate(n * 4), text = device.allocate(n * 4);
  device.launch("language", "module_variables", {1}, {64}, {static_cast<int>(n), out, text});
  const int offsets[4][2] = {{1, 2}, {3, 4}, {-5, 6}, {7, -8}};
  const float weights[4] = {0.5f, 1.5f, -2.5f, 3.25f};
  std::vector<float> expected(n);
  std::vector<std::int32_t> strings(n);
  for (std::size_t i = 0; i < n; i++) {
    expected[i] = coefficients[i % 16] + static_cast<float>(offsets[i % 4][0] * 10) +
                  static_cast<float>(offsets[i % 4][1]) + weights[i & 3];
    strings[i] = (i & 1) != 0 ? 2 * 256 + 'e' : 5 * 256 + 'a';
  }
  expectSame(device.download<float>(out, n), expected, "values");
  expectSame(device.download<std::int32_t>(text, n), strings, "strings");
  CHECK_EQUAL(device.download<std::int32_t>(module.global("counter")->address, 1)[0], 5 + static_cast<int>(n));
}

TEST("one function on pointers to global, shared, local and constant memory") {
  Device device;
  const std::vector<std::int32_t> x{5, -2, 7, 11};
  const auto dx = device.upload(x), out = device.allocate(32 * 4);
  device.launch("language", "generic_addresses", {1}, {32}, {dx, out});
  std::vector<std::int32_t> expected(32);
  for (std::size_t t = 0; t < 32; t++) {
    const std::vector<std::vector<std::int32_t>> choices{
        x, {6, -1, 8, 12}, {static_cast<int>(t), 5, -2, 9}, {3, 1, 4, 1}};
    std::int32_t sum = 0;
    for (const std::int32_t v : choices[t & 3]) {
      sum = sum * 2 + v;
    }
    const int kinds[4] = {1, 2, 4, 0};
    expected[t] = sum * 8 + kinds[t & 3];
  }
  expectSame(device.download<std::int32_t>(out, 32), expected, "sums and spaces");
}

TEST("dynamic shared memory carved into arrays") {
  Device device;
  Inputs inputs(143);
  const std::size_t n = 100;
  const auto x = inputs.doubles(n);
  const auto dx = device.upload(x), out = device.allocate(n * 8), size = device.allocate(4);
  device.launch("language", "dynamic_shared", {1}, {64}, {static_cast<int>(n), dx, out, size}, 1000);
  std::vector<double> expected(n);
  for (std::size_t i = 0; i < n; i++) {
    expected[i] = x[n - 1 - i] + static_cast<double>((i + 1) % n * 3);
  }
  expectSame(device.download<double>(out, n), expected, "values");
  CHECK_EQUAL(device.download<std::uint32_t>(size, 1)[0], 1000u);
}

TEST("special registers agree with the launch") {
  Device device;
  const std::size_t threads = 2 * 3 * 2 * 8 * 4 * 2;
  const auto out = device.allocate(threads * 16);
  device.launch("language", "special_registers", {2, 3, 2}, {8, 4, 2}, {out});
  const auto got = device.download<std::uint32_t>(out, threads * 4);
  for (std::size_t i = 0; i < threads; i++) {
    const std::uint32_t lane = i % 32;
    CHECK_EQUAL(got[4 * i] & 0xff, lane);
    CHECK_EQUAL(got[4 * i] >> 16, 0xfu);
    CHECK_EQUAL(got[4 * i + 1], (1u << lane) - 1); // le without eq: the lanes below
    CHECK_EQUAL(got[4 * i + 2], 1u << lane);       // ge without gt: the lane itself
  }
}
