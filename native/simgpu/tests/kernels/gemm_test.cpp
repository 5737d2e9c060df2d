// Dense, wmma, sparse and quantised GEMMs on inputs whose products are exact, so that results are compared bit by bit.
#include "device.h"

#include "arith/conversion.h"
#include "arith/sparse_metadata.h"

#include <algorithm>
#include <functional>

using namespace simgpu;
using namespace simgpu::testing;
using arith::Element;

namespace {

std::size_t at(int v) { return static_cast<std::size_t>(v); }

/** A matrix of small integers, and its bytes as elements of a type, rows contiguous. */
struct Operand {
  int rows;
  int columns;
  std::vector<int> values;

  Operand(Inputs& inputs, Element element, int r, int c) : rows(r), columns(c), values(at(r * c)) {
    for (int& v : values) {
      v = element == Element::b1                             ? inputs.integer(0, 1)
          : element == Element::u4                           ? inputs.integer(0, 15)
          : element == Element::s4                           ? inputs.integer(-8, 7)
          : element == Element::u8                           ? inputs.integer(0, 255)
          : element == Element::s8                           ? inputs.integer(-128, 127)
                                                             : inputs.integer(-6, 6);
    }
  }
  Operand(int r, int c) : rows(r), columns(c), values(at(r * c)) {}

  int& value(int r, int c) { return values[at(r * columns + c)]; }
  int value(int r, int c) const { return values[at(r * columns + c)]; }

  std::vector<std::uint8_t> bytes(Element element) const {
    const int bits = arith::elementBits(element);
    std::vector<std::uint8_t> result(at(rows * columns * bits / 8));
    for (std::size_t i = 0; i < values.size(); i++) {
      const auto real = static_cast<float>(values[i]);
      std::uint64_t pattern = static_cast<std::uint64_t>(static_cast<std::int64_t>(values[i]));
      switch (element) {
      case Element::f16:
        pattern = toF16(real);
        break;
      case Element::bf16:
        pattern = toBf16(real);
        break;
      case Element::tf32:
      case Element::f32:
        pattern = arith::bitsOf(real);
        break;
      case Element::f64:
        pattern = arith::bitsOf(static_cast<double>(real));
        break;
      default:
        break;
      }
      if (bits >= 8) {
        std::memcpy(result.data() + i * at(bits) / 8, &pattern, at(bits) / 8);
      } else {
        const std::size_t per = 8 / at(bits);
        result[i / per] |= static_cast<std::uint8_t>((pattern & ((1u << bits) - 1)) << (i % per * at(bits)));
      }
    }
    return result;
  }
};

using Combine = std::function<int(int, int)>;

std::vector<std::int32_t> product(const Operand& a, const Operand& b, const Combine& combine = std::multiplies<int>()) {
  std::vector<std::int32_t> c;
  for (int m = 0; m < a.rows; m++) {
    for (int n = 0; n < b.rows; n++) {
      std::int32_t sum = 0;
      for (int k = 0; k < a.columns; k++) {
        sum += combine(a.value(m, k), b.value(n, k));
      }
      c.push_back(sum);
    }
  }
  return c;
}

template <class T> std::vector<T> as(const std::vector<std::int32_t>& values) { return {values.begin(), values.end()}; }

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
  for (const DenseCase& c : {DenseCase{"gemm_f16", Element::f16, Element::f16}, DenseCase{"gemm_bf16", Element::bf16, Element::bf16},
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
  device.launch("gemm", "gemm_f16_accumulate", {3, 2}, {32}, {device.upload(a.bytes(Element::f16)), device.upload(b.bytes(Element::f16)), halves, n, k});
  expectSame(fromF16(device.download<std::uint16_t>(halves, at(m * n))), as<float>(product(a, b)), "f16 sums");
  device.launch("gemm", "gemm_f64", {3, 4}, {32}, {device.upload(a.bytes(Element::f64)), device.upload(b.bytes(Element::f64)), doubles, n, k});
  expectSame(device.download<double>(doubles, at(m * n)), as<double>(product(a, b)), "f64 sums");
}

TEST("the small mma shapes of bf16, tf32, s8 and s4") {
  Device device;
  Inputs inputs(202);
  // One register set serves all: its bits are read as each type in turn.
  std::vector<std::uint32_t> a(64), b(32);
  for (std::uint32_t& word : a) {
    word = std::uint32_t{toBf16(static_cast<float>(inputs.integer(-6, 6)))} << 16 | toBf16(static_cast<float>(inputs.integer(-6, 6)));
  }
  for (std::uint32_t& word : b) {
    word = std::uint32_t{toBf16(static_cast<float>(inputs.integer(-6, 6)))} << 16 | toBf16(static_cast<float>(inputs.integer(-6, 6)));
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
          bf16 += static_cast<double>(fromBf16(static_cast<std::uint16_t>(x >> (16 * h)))) * static_cast<double>(fromBf16(static_cast<std::uint16_t>(y >> (16 * h))));
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
  for (const Case& c : {Case{"wmma_f16", Element::f16, 16, 16}, Case{"wmma_f16_wide", Element::f16, 8, 32}, Case{"wmma_f16_tall", Element::f16, 32, 8},
                        Case{"wmma_bf16", Element::bf16, 16, 16}, Case{"wmma_bf16_wide", Element::bf16, 8, 32}, Case{"wmma_s8", Element::s8, 16, 16},
                        Case{"wmma_u8_tall", Element::u8, 32, 8}, Case{"wmma_tf32", Element::tf32, 16, 16}, Case{"wmma_f64", Element::f64, 8, 8},
                        Case{"wmma_f16_half", Element::f16, 16, 16}}) {
    const Operand a(inputs, c.type, m, k), b(inputs, c.type, n, k);
    const auto dc = device.allocate(at(m * n) * 8);
    device.launch("gemm_wmma", c.kernel, {static_cast<std::uint32_t>(n / c.tileN), static_cast<std::uint32_t>(m / c.tileM)}, {32},
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
  device.launch("gemm_wmma", "wmma_transposed", {1}, {32}, {device.upload(a.bytes(Element::f16)), device.upload(b.bytes(Element::f16)), dc, 0.5f});
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
      wanted[row * 8 + column] = dot, wanted[64 + row * 8 + column] = differing, wanted[128 + row * 8 + column] = common;
    }
  }
  expectSame(device.download<std::int32_t>(out, 192), wanted, "sub-byte");
}

namespace {

/** A random 2:4 (1:2, paired 4:8) matrix: dense for the reference, compressed and described for the device. */
struct SparseOperand {
  Operand dense;
  Operand compressed;
  std::vector<std::uint8_t> nibbles; // by row, then chunk
  int chunks;

  SparseOperand(Inputs& inputs, Element element, int rows, int columns, int perChunk)
      : dense(rows, columns), compressed(inputs, element, rows, columns / 2), chunks(columns / perChunk) {
    constexpr std::uint8_t legal[] = {0x4, 0x8, 0x9, 0xc, 0xd, 0xe};
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < chunks; c++) {
        const std::uint8_t nibble = perChunk == 2 ? (inputs.integer(0, 1) != 0 ? 0xe : 0x4) : legal[inputs.integer(0, 5)];
        nibbles.push_back(nibble);
        const int keep = perChunk / 2;
        for (int i = 0; i < keep; i++) {
          const int width = std::max(perChunk / 4, 1);
          const int position = perChunk == 2 ? (nibble == 0xe ? 1 : 0) : (nibble >> (2 * (i / width)) & 3) * width + i % width;
          dense.value(r, c * perChunk + position) = compressed.value(r, c * keep + i);
        }
      }
    }
  }

  std::uint8_t nibble(int row, int chunk) const { return nibbles[at(row * chunks + chunk)]; }

  /**
   * Register words for 32-row pairs of m-tiles and k steps of `step` chunks: [pair][step][tilesWords][lane]. With one
   * word a pair, the second tile's metadata is where selector 1 finds it.
   */
  std::vector<std::uint32_t> words(arith::MmaShape shape, Element element, int tileWords) const {
    const auto first = arith::SparseLayout::of(shape, element, 0);
    const auto second = tileWords == 2 ? first : arith::SparseLayout::of(shape, element, 1);
    const int steps = chunks / first->chunks();
    std::vector<std::uint32_t> result(at(dense.rows / 32 * steps * tileWords * 32));
    for (int row = 0; row < dense.rows; row++) {
      const bool lower = row % 32 >= 16;
      const auto& layout = lower ? *second : *first;
      for (int c = 0; c < chunks; c++) {
        const int step = c / first->chunks(), inStep = c % first->chunks();
        const int word = ((row / 32 * steps + step) * tileWords + (lower && tileWords == 2 ? 1 : 0)) * 32 + layout.lane(row % 16, inStep);
        result[at(word)] |= std::uint32_t{nibble(row, c)} << layout.bit(row % 16, inStep);
      }
    }
    return result;
  }
};

} // namespace

TEST("2:4 GEMMs of every type, plain and ordered, both selectors") {
  Device device;
  Inputs inputs(205);
  struct Case {
    const char* kernel;
    Element a, b;
    arith::MmaShape shape;
    int perChunk, tileWords;
  };
  const int m = 64, n = 64, steps = 5;
  for (const Case& c : {Case{"sparse_f16", Element::f16, Element::f16, {16, 8, 32}, 4, 1}, Case{"sparse_bf16", Element::bf16, Element::bf16, {16, 8, 32}, 4, 1},
                        Case{"sparse_tf32", Element::tf32, Element::tf32, {16, 8, 16}, 2, 1}, Case{"sparse_s8", Element::s8, Element::s8, {16, 8, 64}, 4, 2},
                        Case{"sparse_u8", Element::u8, Element::s8, {16, 8, 64}, 4, 2}, Case{"sparse_s4", Element::s4, Element::s4, {16, 8, 128}, 8, 2}}) {
    const int k = steps * c.shape.k;
    const SparseOperand a(inputs, c.a, m, k, c.perChunk);
    const Operand b(inputs, c.b, n, k);
    const auto dc = device.allocate(at(m * n) * 4);
    device.launch("gemm_sparse", c.kernel, {static_cast<std::uint32_t>(n / 32), static_cast<std::uint32_t>(m / 64)}, {128},
                  {device.upload(a.compressed.bytes(c.a)), device.upload(a.words(c.shape, c.a, c.tileWords)), device.upload(b.bytes(c.b)), dc, n, steps});
    const auto expected = product(a.dense, b);
    if (arith::isInteger(c.a)) {
      expectSame(device.download<std::int32_t>(dc, expected.size()), expected, c.kernel);
    } else {
      expectSame(device.download<float>(dc, expected.size()), as<float>(expected), c.kernel);
    }
  }
}

TEST("four tiles share one metadata register through the four selectors") {
  Device device;
  Inputs inputs(206);
  const SparseOperand a(inputs, Element::f16, 64, 16, 4);
  const Operand b(inputs, Element::f16, 8, 16);
  std::vector<std::uint32_t> fragmentA(4 * 2 * 32), fragmentB(64), metadata(32);
  const auto pair = [](const Operand& x, int row, int column) {
    return std::uint32_t{toF16(static_cast<float>(x.value(row, column + 1)))} << 16 | toF16(static_cast<float>(x.value(row, column)));
  };
  for (int lane = 0; lane < 32; lane++) {
    for (int tile = 0; tile < 4; tile++) {
      fragmentA[at(tile * 64 + lane)] = pair(a.compressed, tile * 16 + lane / 4, lane % 4 * 2);
      fragmentA[at(tile * 64 + 32 + lane)] = pair(a.compressed, tile * 16 + lane / 4 + 8, lane % 4 * 2);
    }
    fragmentB[at(lane)] = pair(b, lane / 4, lane % 4 * 2);
    fragmentB[at(32 + lane)] = pair(b, lane / 4, lane % 4 * 2 + 8);
  }
  for (int row = 0; row < 64; row++) {
    for (int chunk = 0; chunk < 4; chunk++) {
      metadata[at(row % 8 * 4 + row / 16)] |= std::uint32_t{a.nibble(row, chunk)} << (row % 16 / 8 * 16 + chunk * 4);
    }
  }
  const auto dc = device.allocate(64 * 8 * 4);
  device.launch("gemm_sparse", "sparse_selectors", {1}, {32}, {device.upload(fragmentA), device.upload(metadata), device.upload(fragmentB), dc});
  expectSame(device.download<float>(dc, 512), as<float>(product(a.dense, b)), "selectors");
}

namespace {

/**
 * Codes (value + 8) of the A fragment of one 16x16 tile at (row, column) of a matrix of 4-bit values, one word a lane,
 * in the order in which the kernel's expansion takes them: nibble pairs (0, 4), (1, 5), (2, 6), (3, 7).
 */
void packTile(const Operand& w, int row, int column, std::uint32_t* lanes) {
  for (int lane = 0; lane < 32; lane++) {
    std::uint32_t word = 0;
    for (int reg = 0; reg < 4; reg++) {
      for (int half = 0; half < 2; half++) {
        const int r = row + lane / 4 + 8 * (reg & 1), c = column + lane % 4 * 2 + half + 8 * (reg >> 1);
        word |= static_cast<std::uint32_t>(w.value(r, c) + 8) << (4 * (reg + 4 * half));
      }
    }
    lanes[lane] = word;
  }
}

std::vector<std::uint16_t> powersOfTwo(Inputs& inputs, std::size_t count) {
  std::vector<std::uint16_t> scales(count);
  std::generate(scales.begin(), scales.end(), [&] { return toF16(std::ldexp(1.0f, inputs.integer(-3, 1))); });
  return scales;
}

} // namespace

TEST("4-bit weights with group scales, expanded by lop3 right before the product") {
  Device device;
  Inputs inputs(207);
  const int outputs = 64, k = 192, tokens = 13;
  const Operand w(inputs, Element::s4, outputs, k), x(inputs, Element::f16, tokens, k);
  const auto scales = powersOfTwo(inputs, at(k / 64 * outputs));
  std::vector<std::uint32_t> words(at(outputs / 16 * (k / 16) * 32));
  for (int tile = 0; tile < outputs / 16; tile++) {
    for (int step = 0; step < k / 16; step++) {
      packTile(w, tile * 16, step * 16, words.data() + (tile * (k / 16) + step) * 32);
    }
  }
  // The expansion pairs nibble i with nibble i + 4 as the low and high half of register i: 0x000f000f and 0x00f000f0
  // after shifts by 8 take nibbles (0, 4), (1, 5), (2, 6), (3, 7).
  const auto y = device.allocate(at(tokens * outputs) * 4);
  device.launch("gemm_quantised", "int4_gemm", {static_cast<std::uint32_t>(outputs / 32), 2}, {64},
                {device.upload(words), device.upload(scales), device.upload(x.bytes(Element::f16)), y, outputs, tokens, k});
  std::vector<float> expected;
  for (int t = 0; t < tokens; t++) {
    for (int o = 0; o < outputs; o++) {
      double sum = 0;
      for (int i = 0; i < k; i++) {
        sum += static_cast<double>(fromF16(scales[at(i / 64 * outputs + o)])) * w.value(o, i) * x.value(t, i);
      }
      expected.push_back(static_cast<float>(sum));
    }
  }
  expectSame(device.download<float>(y, expected.size()), expected, "int4");
}

TEST("4-bit survivors of 2:4 pruning") {
  Device device;
  Inputs inputs(208);
  const int outputs = 64, k = 128, tokens = 16, steps = k / 32;
  const SparseOperand w(inputs, Element::s4, outputs, k, 4);
  const Operand x(inputs, Element::f16, tokens, k);
  const auto scales = powersOfTwo(inputs, at(outputs));
  std::vector<std::uint32_t> words(at(outputs / 16 * steps * 32));
  for (int tile = 0; tile < outputs / 16; tile++) {
    for (int step = 0; step < steps; step++) {
      packTile(w.compressed, tile * 16, step * 16, words.data() + (tile * steps + step) * 32);
    }
  }
  const auto y = device.allocate(at(tokens * outputs) * 4);
  device.launch("gemm_quantised", "int4_sparse_gemm", {static_cast<std::uint32_t>(outputs / 32), static_cast<std::uint32_t>(tokens / 8)}, {32},
                {device.upload(words), device.upload(w.words({16, 8, 32}, Element::f16, 1)), device.upload(scales), device.upload(x.bytes(Element::f16)), y, outputs, k});
  std::vector<float> expected;
  for (int t = 0; t < tokens; t++) {
    for (int o = 0; o < outputs; o++) {
      int sum = 0;
      for (int i = 0; i < k; i++) {
        sum += w.dense.value(o, i) * x.value(t, i);
      }
      expected.push_back(static_cast<float>(sum) * fromF16(scales[at(o)]));
    }
  }
  expectSame(device.download<float>(y, expected.size()), expected, "int4 2:4");
}

TEST("int8 weights times an f16 vector, split over k by atomics") {
  Device device;
  Inputs inputs(209);
  const int outputs = 20, k = 512;
  const Operand w(inputs, Element::s8, outputs, k), x(inputs, Element::f16, 1, k);
  const std::vector<float> scales(at(outputs), 0.25f);
  const auto y = device.zeros(at(outputs) * 4);
  device.launch("gemm_quantised", "int8_gemv", {static_cast<std::uint32_t>(outputs), 2}, {64},
                {device.upload(w.bytes(Element::s8)), device.upload(scales), device.upload(x.bytes(Element::f16)), y, k});
  std::vector<float> expected;
  for (const std::int32_t sum : product(w, x)) {
    expected.push_back(static_cast<float>(sum) * 0.25f);
  }
  expectSame(device.download<float>(y, at(outputs)), expected, "int8 vector product");
}
