// GEMMs on 2:4 and on quantised weights.
#include "integer_matrix.h"

#include "arith/sparse_metadata.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::testing;

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
        const std::uint8_t nibble =
            perChunk == 2 ? (inputs.integer(0, 1) != 0 ? 0xe : 0x4) : legal[inputs.integer(0, 5)];
        nibbles.push_back(nibble);
        const int keep = perChunk / 2;
        for (int i = 0; i < keep; i++) {
          const int width = std::max(perChunk / 4, 1);
          const int position =
              perChunk == 2 ? (nibble == 0xe ? 1 : 0) : (nibble >> (2 * (i / width)) & 3) * width + i % width;
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
        const int word = ((row / 32 * steps + step) * tileWords + (lower && tileWords == 2 ? 1 : 0)) * 32 +
                         layout.lane(row % 16, inStep);
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
  for (const Case& c : {Case{"sparse_f16", Element::f16, Element::f16, {16, 8, 32}, 4, 1},
                        Case{"sparse_bf16", Element::bf16, Element::bf16, {16, 8, 32}, 4, 1},
                        Case{"sparse_tf32", Element::tf32, Element::tf32, {16, 8, 16}, 2, 1},
                        Case{"sparse_s8", Element::s8, Element::s8, {16, 8, 64}, 4, 2},
                        Case{"sparse_u8", Element::u8, Element::s8, {16, 8, 64}, 4, 2},
                        Case{"sparse_s4", Element::s4, Element::s4, {16, 8, 128}, 8, 2}}) {
    const int k = steps * c.shape.k;
    const SparseOperand a(inputs, c.a, m, k, c.perChunk);
    const Operand b(inputs, c.b, n, k);
    const auto dc = device.allocate(at(m * n) * 4);
    device.launch("gemm_sparse", c.kernel, {static_cast<std::uint32_t>(n / 32), static_cast<std::uint32_t>(m / 64)},
                  {128},
                  {device.upload(a.compressed.bytes(c.a)), device.upload(a.words(c.shape, c.a, c.tileWords)),
                   device.upload(b.bytes(c.b)), dc, n, steps});
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
    return std::uint32_t{toF16(static_cast<float>(x.value(row, column + 1)))} << 16 |
           toF16(static_cast<float>(x.value(row, column)));
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
  device.launch("gemm_sparse", "sparse_selectors", {1}, {32},
                {device.upload(fragmentA), device.upload(metadata), device.upload(fragmentB), dc});
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
  device.launch(
      "gemm_quantised", "int4_gemm", {static_cast<std::uint32_t>(outputs / 32), 2}, {64},
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
  device.launch("gemm_quantised", "int4_sparse_gemm",
                {static_cast<std::uint32_t>(outputs / 32), static_cast<std::uint32_t>(tokens / 8)}, {32},
                {device.upload(words), device.upload(w.words({16, 8, 32}, Element::f16, 1)), device.upload(scales),
                 device.upload(x.bytes(Element::f16)), y, outputs, k});
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
  device.launch(
      "gemm_quantised", "int8_gemv", {static_cast<std::uint32_t>(outputs), 2}, {64},
      {device.upload(w.bytes(Element::s8)), device.upload(scales), device.upload(x.bytes(Element::f16)), y, k});
  std::vector<float> expected;
  for (const std::int32_t sum : product(w, x)) {
    expected.push_back(static_cast<float>(sum) * 0.25f);
  }
  expectSame(device.download<float>(y, at(outputs)), expected, "int8 vector product");
}
