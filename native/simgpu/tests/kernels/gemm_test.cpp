// Dense GEMMs by mma and wmma.
#include "integer_matrix.h"

using namespace simgpu;
using namespace simgpu::testing;

namespace {

struct DenseCase {
  const char* kernel;
  Element a;
  Element b;
};

} // namespace

TEST("multistage GEMMs of every dense type, with ragged edges") {
  Device device;
  Inputs inputs(200);
  const int m = 90, n = 75, rowBytes = 128;
  for (const DenseCase& c :
       {DenseCase{"gemm_f16", Element::f16, Element::f16}, DenseCase{"gemm_bf16", Element::bf16, Element::bf16},
        DenseCase{"gemm_tf32", Element::tf32, Element::tf32}, DenseCase{"gemm_s8", Element::s8, Element::s8},
        DenseCase{"gemm_u8s8", Element::u8, Element::s8}, DenseCase{"gemm_s4", Element::s4, Element::s4},
        DenseCase{"gemm_u4", Element::u4, Element::u4}, DenseCase{"gemm_xor", Element::b1, Element::b1},
        DenseCase{"gemm_and", Element::b1, Element::b1}}) {
    const int k = rowBytes * 8 / arith::elementBits(c.a);
    const Operand a(inputs, c.a, m, k), b(inputs, c.b, n, k);
    const auto da = device.upload(a.bytes(c.a)), db = device.upload(b.bytes(c.b)), dc = device.allocate(at(m * n) * 4);
    device.launch("gemm", c.kernel, {2, 2}, {128}, {da, db, dc, m, n, rowBytes});
    const bool exclusive = std::string(c.kernel) == "gemm_xor";
    const auto expected = exclusive ? product(a, b, std::bit_xor<int>()) : product(a, b);
    if (arith::isInteger(c.a)) {
      expectSame(device.download<std::int32_t>(dc, expected.size()), expected, c.kernel);
    } else {
      expectSame(device.download<float>(dc, expected.size()), as<float>(expected), c.kernel);
    }
  }
}

TEST("f16 accumulators and f64 products") {
  Device device;
  Inputs inputs(201);
  const int m = 32, n = 24, k = 48;
  const Operand a(inputs, Element::f16, m, k), b(inputs, Element::f16, n, k);
  const auto halves = device.allocate(at(m * n) * 2), doubles = device.allocate(at(m * n) * 8);
  device.launch("gemm", "gemm_f16_accumulate", {3, 2}, {32},
                {device.upload(a.bytes(Element::f16)), device.upload(b.bytes(Element::f16)), halves, n, k});
  expectSame(fromF16(device.download<std::uint16_t>(halves, at(m * n))), as<float>(product(a, b)), "f16 sums");
  device.launch("gemm", "gemm_f64", {3, 4}, {32},
                {device.upload(a.bytes(Element::f64)), device.upload(b.bytes(Element::f64)), doubles, n, k});
  expectSame(device.download<double>(doubles, at(m * n)), as<double>(product(a, b)), "f64 sums");
}

TEST("the small mma shapes of bf16, tf32, s8 and s4") {
  Device device;
  Inputs inputs(202);
  // One register set serves all: its bits are read as each type in turn.
  std::vector<std::uint32_t> a(64), b(32);
  for (std::uint32_t& word : a) {
    word = std::uint32_t{toBf16(static_cast<float>(inputs.integer(-6, 6)))} << 16 |
           toBf16(static_cast<float>(inputs.integer(-6, 6)));
  }
  for (std::uint32_t& word : b) {
    word = std::uint32_t{toBf16(static_cast<float>(inputs.integer(-6, 6)))} << 16 |
           toBf16(static_cast<float>(inputs.integer(-6, 6)));
  }
  const auto f = device.allocate(256 * 4), s = device.allocate(256 * 4);
  device.launch("gemm", "small_shapes", {1}, {32}, {device.upload(a), device.upload(b), f, s});
  const auto floats = device.download<float>(f, 256);
  const auto integers = device.download<std::int32_t>(s, 256);
  // Element `index` of a lane's registers, read as `bits` wide pieces.
  const auto piece = [](std::uint32_t word, int index, int bits, bool isSigned) {
    const std::uint32_t raw = word >> (index * bits) & ((1u << bits) - 1);
    return isSigned ? static_cast<std::int32_t>(raw << (32 - bits)) >> (32 - bits) : static_cast<std::int32_t>(raw);
  };
  for (int lane = 0; lane < 32; lane++) {
    for (int r = 0; r < 4; r++) {
      const int row = lane / 4 + r / 2 * 8, column = lane % 4 * 2 + r % 2;
      const std::uint32_t* rowWords = a.data() + row / 8 * 32 + row % 8 * 4;
      const std::uint32_t* columnWords = b.data() + column * 4;
      double bf16 = 0, tf32 = 0;
      std::int32_t s8u8 = r + 1, s8 = r + 5, s4u4 = r + 7;
      for (int q = 0; q < 4; q++) {
        const std::uint32_t x = rowWords[q], y = columnWords[q];
        for (int h = 0; h < 2; h++) {
          bf16 += static_cast<double>(fromBf16(static_cast<std::uint16_t>(x >> (16 * h)))) *
                  static_cast<double>(fromBf16(static_cast<std::uint16_t>(y >> (16 * h))));
        }
        tf32 += static_cast<double>(arith::tf32ToFloat(x)) * static_cast<double>(arith::tf32ToFloat(y));
        for (int i = 0; i < 4; i++) {
          s8u8 += piece(x, i, 8, true) * piece(y, i, 8, false);
          s8 += piece(x, i, 8, true) * piece(y, i, 8, true);
        }
        for (int i = 0; i < 8; i++) {
          s4u4 += piece(x, i, 4, true) * piece(y, i, 4, false);
        }
      }
      CHECK_EQUAL(static_cast<double>(floats[at(r * 32 + lane)]), bf16);
      CHECK(std::fabs(static_cast<double>(floats[at(128 + r * 32 + lane)]) - tf32) <= 1e-5 * std::fabs(tf32) + 1e-4);
      CHECK_EQUAL(integers[at(r * 32 + lane)], s8u8);
      if (r < 2) {
        CHECK_EQUAL(integers[at(128 + r * 32 + lane)], s8);
        CHECK_EQUAL(integers[at(192 + r * 32 + lane)], s4u4);
      }
    }
  }
}

TEST("wmma GEMMs of every type and shape") {
  Device device;
  Inputs inputs(203);
  struct Case {
    const char* kernel;
    Element type;
    int tileM, tileN;
  };
  const int m = 32, n = 32, k = 48;
  for (const Case& c : {Case{"wmma_f16", Element::f16, 16, 16}, Case{"wmma_f16_wide", Element::f16, 8, 32},
                        Case{"wmma_f16_tall", Element::f16, 32, 8}, Case{"wmma_bf16", Element::bf16, 16, 16},
                        Case{"wmma_bf16_wide", Element::bf16, 8, 32}, Case{"wmma_s8", Element::s8, 16, 16},
                        Case{"wmma_u8_tall", Element::u8, 32, 8}, Case{"wmma_tf32", Element::tf32, 16, 16},
                        Case{"wmma_f64", Element::f64, 8, 8}, Case{"wmma_f16_half", Element::f16, 16, 16}}) {
    const Operand a(inputs, c.type, m, k), b(inputs, c.type, n, k);
    const auto dc = device.allocate(at(m * n) * 8);
    device.launch("gemm_wmma", c.kernel,
                  {static_cast<std::uint32_t>(n / c.tileN), static_cast<std::uint32_t>(m / c.tileM)}, {32},
                  {device.upload(a.bytes(c.type)), device.upload(b.bytes(c.type)), dc, n, k});
    const auto expected = product(a, b);
    if (c.type == Element::f64) {
      expectSame(device.download<double>(dc, expected.size()), as<double>(expected), c.kernel);
    } else if (arith::isInteger(c.type)) {
      expectSame(device.download<std::int32_t>(dc, expected.size()), expected, c.kernel);
    } else if (std::string(c.kernel) == "wmma_f16_half") {
      expectSame(fromF16(device.download<std::uint16_t>(dc, expected.size())), as<float>(expected), c.kernel);
    } else {
      expectSame(device.download<float>(dc, expected.size()), as<float>(expected), c.kernel);
    }
  }
}

TEST("wmma with transposed layouts through shared memory, and sub-byte types") {
  Device device;
  Inputs inputs(204);
  const Operand a(inputs, Element::f16, 16, 16), b(inputs, Element::f16, 16, 16), c(inputs, Element::f16, 16, 16);
  const auto dc = device.upload(c.bytes(Element::f32));
  device.launch("gemm_wmma", "wmma_transposed", {1}, {32},
                {device.upload(a.bytes(Element::f16)), device.upload(b.bytes(Element::f16)), dc, 0.5f});
  std::vector<float> expected(256);
  for (int column = 0; column < 16; column++) {
    for (int row = 0; row < 16; row++) {
      int sum = c.value(column, row); // stored column-major
      for (int k = 0; k < 16; k++) {
        sum += a.value(k, row) * b.value(k, column);
      }
      expected[at(column * 16 + row)] = static_cast<float>(sum) * 0.5f;
    }
  }
  expectSame(device.download<float>(dc, 256), expected, "transposed");

  std::vector<std::uint8_t> x(128), y(128); // 8 rows of 16 bytes: 32 values of 4 bits, or 128 bits
  for (std::size_t i = 0; i < 128; i++) {
    x[i] = static_cast<std::uint8_t>(inputs.bits());
    y[i] = static_cast<std::uint8_t>(inputs.bits());
  }
  const auto out = device.allocate(192 * 4);
  device.launch("gemm_wmma", "wmma_sub_byte", {1}, {32}, {device.upload(x), device.upload(y), out});
  std::vector<std::int32_t> wanted(192);
  for (std::size_t row = 0; row < 8; row++) {
    for (std::size_t column = 0; column < 8; column++) {
      std::int32_t dot = 0, differing = 0, common = 3;
      for (std::size_t i = 0; i < 16; i++) {
        const std::uint8_t p = x[row * 16 + i], q = y[column * 16 + i];
        dot += (static_cast<std::int8_t>(p << 4) >> 4) * (static_cast<std::int8_t>(q << 4) >> 4) +
               (static_cast<std::int8_t>(p) >> 4) * (static_cast<std::int8_t>(q) >> 4);
        differing += std::popcount(static_cast<unsigned>(p ^ q));
        common += std::popcount(static_cast<unsigned>(p & q));
      }
      wanted[row * 8 + column] = dot, wanted[64 + row * 8 + column] = differing,
                       wanted[128 + row * 8 + column] = common;
    }
  }
  expectSame(device.download<std::int32_t>(out, 192), wanted, "sub-byte");
}
