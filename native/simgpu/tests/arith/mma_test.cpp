#include "warp_registers.h"

#include "check.h"
#include "values.h"

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

std::string describe(const MmaInstruction& i) {
  constexpr const char* names[] = {"f16", "bf16", "tf32", "f32", "f64", "s32", "u8", "s8", "u4", "s4", "b1"};
  return std::string(i.wmma ? "wmma.m" : i.sparse ? "mma.sp.m" : "mma.m") + std::to_string(i.shape.m) + "n" +
         std::to_string(i.shape.n) + "k" + std::to_string(i.shape.k) + "." + names[static_cast<int>(i.d)] + "." +
         names[static_cast<int>(i.a)] + "." + names[static_cast<int>(i.b)] + "." + names[static_cast<int>(i.c)] +
         " selector " + std::to_string(i.selector);
}

struct Product {
  Registers a;
  Registers b;
  Registers c;
  Registers d;
  std::array<std::uint32_t, warpLanes> metadata{};

  MmaOperands operands() {
    MmaOperands result{};
    for (int reg = 0; reg < 8; reg++) {
      result.d[reg] = d.bytes(reg);
      result.a[reg] = a.bytes(reg);
      result.b[reg] = b.bytes(reg);
      result.c[reg] = c.bytes(reg);
    }
    result.metadata = metadata.data();
    return result;
  }
};

/** The element of A, dense, that compressed element `index` of `row` stands for, under `nibble`. */
int denseColumn(const SparseLayout& layout, std::uint32_t nibble, int chunk, int within) {
  const int per = layout.elementsPerChunk();
  if (per == 2) {
    return chunk * per + (nibble == 0xe ? 1 : 0);
  }
  const int pairWidth = per / 4; // int4 selects pairs
  const auto index = static_cast<int>((nibble >> (2 * (within / pairWidth))) & 3);
  return chunk * per + index * pairWidth + within % pairWidth;
}

/** Runs one instruction on random small integers and compares with a plain triple loop over dense matrices. */
void compareWithTripleLoop(const MmaInstruction& i, Accumulation accumulation) {
  const auto mma = Mma::of(i);
  if (!mma) {
    fail(__FILE__, __LINE__, describe(i) + " does not exist");
    return;
  }
  std::mt19937_64 random(seed + static_cast<std::uint64_t>(i.shape.k * 16 + i.selector));
  const Fragment aMap =
      i.wmma ? Fragment::wmma(i.shape, MatrixUse::a, i.a) : Fragment::mma(i.shape, MatrixUse::a, i.a, i.sparse);
  const Fragment bMap =
      i.wmma ? Fragment::wmma(i.shape, MatrixUse::b, i.b) : Fragment::mma(i.shape, MatrixUse::b, i.b, i.sparse);
  const Fragment cMap =
      i.wmma ? Fragment::wmma(i.shape, MatrixUse::c, i.c) : Fragment::mma(i.shape, MatrixUse::c, i.c, false);
  const Fragment dMap =
      i.wmma ? Fragment::wmma(i.shape, MatrixUse::c, i.d) : Fragment::mma(i.shape, MatrixUse::c, i.d, false);
  CHECK_EQUAL(mma->aRegisters(), aMap.registers());
  CHECK_EQUAL(mma->dRegisters(), dMap.registers());
  Matrix stored(aMap.rows(), aMap.columns());
  Matrix b(i.shape.k, i.shape.n);
  Matrix c(i.shape.m, i.shape.n);
  for (double& value : stored.values) {
    value = randomElement(i.a, random);
  }
  for (double& value : b.values) {
    value = randomElement(i.b, random);
  }
  for (double& value : c.values) {
    value = randomElement(Element::s8, random);
  }
  auto product = std::make_unique<Product>();
  Matrix a = stored;
  if (i.sparse) {
    const auto layout = SparseLayout::of(i.shape, i.a, i.selector);
    a = Matrix(i.shape.m, i.shape.k);
    for (std::uint32_t& word : product->metadata) {
      word = static_cast<std::uint32_t>(random()); // other selectors' lanes may hold anything
    }
    constexpr std::uint32_t ordered[] = {0x4, 0x8, 0x9, 0xc, 0xd, 0xe};
    constexpr std::uint32_t any[] = {0x4, 0x8, 0x9, 0xc, 0xd, 0xe, 0x1, 0x2, 0x6, 0x3, 0x7, 0xb};
    for (int row = 0; row < 16; row++) {
      for (int chunk = 0; chunk < layout->chunks(); chunk++) {
        const std::uint32_t nibble = i.a == Element::tf32 ? (random() % 2 == 0 ? 0x4 : 0xe)
                                     : i.ordered          ? ordered[random() % 6]
                                                          : any[random() % 12];
        std::uint32_t& word = product->metadata[static_cast<std::size_t>(layout->lane(row, chunk))];
        word = (word & ~(0xfu << layout->bit(row, chunk))) | nibble << layout->bit(row, chunk);
        const int keep = layout->elementsPerChunk() / 2;
        for (int within = 0; within < keep; within++) {
          a.at(row, denseColumn(*layout, nibble, chunk, within)) = stored.at(row, chunk * keep + within);
        }
      }
    }
  }
  scatter(aMap, stored, product->a);
  scatter(bMap, b, product->b);
  scatter(cMap, c, product->c);
  CHECK(!mma->execute(product->operands(), accumulation).has_value());
  for (int lane = 0; lane < warpLanes; lane++) {
    for (int index = 0; index < dMap.elementsPerLane(); index++) {
      const Position position = dMap.at(lane, index);
      double expected = c.at(position.row, position.column);
      for (int k = 0; k < i.shape.k; k++) {
        const double left = a.at(position.row, k);
        const double right = b.at(k, position.column);
        if (i.a == Element::b1) {
          expected += i.bitOperation == BitOperation::xorPopc ? (left != right ? 1 : 0) : left * right;
        } else {
          expected += left * right;
        }
      }
      const double actual = decode(i.d, product->d.get(dMap, lane, index));
      if (actual != expected) {
        fail(__FILE__, __LINE__, describe(i) + " row " + std::to_string(position.row) + " column " +
                                     std::to_string(position.column) + " is " + std::to_string(actual) + ", expected " +
                                     std::to_string(expected));
        return;
      }
    }
  }
}

MmaInstruction instruction(MmaShape shape, Element d, Element a, Element b, Element c) {
  MmaInstruction result{};
  result.shape = shape;
  result.a = a;
  result.b = b;
  result.c = c;
  result.d = d;
  result.bColumnMajor = true;
  return result;
}

constexpr Element f16 = Element::f16;
constexpr Element bf16 = Element::bf16;
constexpr Element tf32 = Element::tf32;
constexpr Element f32 = Element::f32;
constexpr Element f64 = Element::f64;
constexpr Element s32 = Element::s32;

} // namespace

TEST("every mma of sm_80 multiplies as a triple loop does") {
  std::vector<MmaInstruction> all{
      instruction({16, 8, 8}, f32, f16, f16, f32),   instruction({16, 8, 16}, f32, f16, f16, f32),
      instruction({16, 8, 8}, f16, f16, f16, f16),   instruction({16, 8, 16}, f16, f16, f16, f16),
      instruction({16, 8, 8}, f32, bf16, bf16, f32), instruction({16, 8, 16}, f32, bf16, bf16, f32),
      instruction({16, 8, 4}, f32, tf32, tf32, f32), instruction({16, 8, 8}, f32, tf32, tf32, f32),
      instruction({8, 8, 4}, f64, f64, f64, f64)};
  for (const Element a : {Element::s8, Element::u8}) {
    for (const Element b : {Element::s8, Element::u8}) {
      for (const MmaShape shape : {MmaShape{8, 8, 16}, MmaShape{16, 8, 16}, MmaShape{16, 8, 32}}) {
        all.push_back(instruction(shape, s32, a, b, s32));
      }
    }
  }
  for (const Element a : {Element::s4, Element::u4}) {
    for (const Element b : {Element::s4, Element::u4}) {
      for (const MmaShape shape : {MmaShape{8, 8, 32}, MmaShape{16, 8, 32}, MmaShape{16, 8, 64}}) {
        all.push_back(instruction(shape, s32, a, b, s32));
      }
    }
  }
  for (const MmaShape shape : {MmaShape{8, 8, 128}, MmaShape{16, 8, 128}, MmaShape{16, 8, 256}}) {
    for (const BitOperation operation : {BitOperation::xorPopc, BitOperation::andPopc}) {
      all.push_back(instruction(shape, s32, Element::b1, Element::b1, s32));
      all.back().bitOperation = operation;
    }
  }
  for (const MmaInstruction& i : all) {
    compareWithTripleLoop(i, Accumulation::fast);
    compareWithTripleLoop(i, Accumulation::exact);
  }
}

TEST("every mma.sp of sm_80 multiplies the positions its metadata names, for every selector") {
  std::vector<MmaInstruction> all{instruction({16, 8, 16}, f32, f16, f16, f32),
                                  instruction({16, 8, 32}, f32, f16, f16, f32),
                                  instruction({16, 8, 16}, f16, f16, f16, f16),
                                  instruction({16, 8, 32}, f16, f16, f16, f16),
                                  instruction({16, 8, 16}, f32, bf16, bf16, f32),
                                  instruction({16, 8, 32}, f32, bf16, bf16, f32),
                                  instruction({16, 8, 8}, f32, tf32, tf32, f32),
                                  instruction({16, 8, 16}, f32, tf32, tf32, f32),
                                  instruction({16, 8, 32}, s32, Element::s8, Element::u8, s32),
                                  instruction({16, 8, 64}, s32, Element::u8, Element::s8, s32),
                                  instruction({16, 8, 64}, s32, Element::s4, Element::u4, s32),
                                  instruction({16, 8, 128}, s32, Element::u4, Element::s4, s32)};
  for (MmaInstruction i : all) {
    i.sparse = true;
    int selectors = 0;
    for (i.selector = 0; i.selector < 4; i.selector++) {
      for (const bool ordered : {false, true}) {
        i.ordered = ordered;
        if (Mma::of(i)) {
          compareWithTripleLoop(i, Accumulation::fast);
          compareWithTripleLoop(i, Accumulation::exact);
          selectors++;
        }
      }
    }
    CHECK(selectors >= 2);
  }
}

TEST("every wmma of sm_80 multiplies as a triple loop does") {
  std::vector<MmaInstruction> all;
  for (const MmaShape shape : {MmaShape{16, 16, 16}, MmaShape{8, 32, 16}, MmaShape{32, 8, 16}}) {
    for (const Element c : {f16, f32}) {
      for (const Element d : {f16, f32}) {
        all.push_back(instruction(shape, d, f16, f16, c));
      }
    }
    all.push_back(instruction(shape, f32, bf16, bf16, f32));
    all.push_back(instruction(shape, s32, Element::s8, Element::s8, s32));
    all.push_back(instruction(shape, s32, Element::u8, Element::u8, s32));
  }
  all.push_back(instruction({16, 16, 8}, f32, tf32, tf32, f32));
  all.push_back(instruction({8, 8, 4}, f64, f64, f64, f64));
  all.push_back(instruction({8, 8, 32}, s32, Element::s4, Element::s4, s32));
  all.push_back(instruction({8, 8, 32}, s32, Element::u4, Element::u4, s32));
  all.push_back(instruction({8, 8, 128}, s32, Element::b1, Element::b1, s32));
  for (MmaInstruction i : all) {
    i.wmma = true;
    compareWithTripleLoop(i, Accumulation::fast);
    compareWithTripleLoop(i, Accumulation::exact);
  }
}

TEST("mma.m8n8k4 of f16 computes four products in all layouts") {
  std::mt19937_64 random(seed);
  for (const bool aColumn : {false, true}) {
    for (const bool bColumn : {false, true}) {
      for (const Element c : {f16, f32}) {
        MmaInstruction i = instruction({8, 8, 4}, c, f16, f16, c);
        i.aColumnMajor = aColumn;
        i.bColumnMajor = bColumn;
        const auto mma = Mma::of(i);
        CHECK(mma.has_value());
        Matrix a(32, 4);
        Matrix b(4, 32);
        Matrix sums(32, 8);
        for (Matrix* matrix : {&a, &b, &sums}) {
          for (double& value : matrix->values) {
            value = randomElement(f16, random);
          }
        }
        auto product = std::make_unique<Product>();
        scatter(Fragment::quadPair(MatrixUse::a, f16, aColumn), a, product->a);
        scatter(Fragment::quadPair(MatrixUse::b, f16, bColumn), b, product->b);
        const Fragment cMap = Fragment::quadPair(MatrixUse::c, c, false);
        scatter(cMap, sums, product->c);
        CHECK(!mma->execute(product->operands(), Accumulation::fast).has_value());
        for (int lane = 0; lane < warpLanes; lane++) {
          for (int index = 0; index < 8; index++) {
            const Position position = cMap.at(lane, index);
            double expected = sums.at(position.row, position.column);
            for (int k = 0; k < 4; k++) {
              expected += a.at(position.row, k) * b.at(k, position.row / 8 * 8 + position.column);
            }
            CHECK_EQUAL(decode(c, product->d.get(cMap, lane, index)), expected);
          }
        }
      }
    }
  }
}

TEST(".satfinite clamps the s32 sum that would wrap") {
  for (const bool saturate : {false, true}) {
    MmaInstruction i = instruction({16, 8, 32}, s32, Element::s8, Element::s8, s32);
    i.saturate = saturate;
    auto product = std::make_unique<Product>();
    for (int reg = 0; reg < 4; reg++) {
      std::memset(product->a.bytes(reg), 0x7f, 128);
      std::memset(product->b.bytes(reg), 0x7f, 128);
      for (int lane = 0; lane < warpLanes; lane++) {
        const std::int32_t nearTop = 0x7fffffff - 100;
        std::memcpy(product->c.bytes(reg) + 4 * lane, &nearTop, sizeof nearTop);
      }
    }
    CHECK(!Mma::of(i)->execute(product->operands(), Accumulation::fast).has_value());
    const std::uint32_t wrapped = 0x7fffffffu - 100 + 32 * 127 * 127;
    CHECK_EQUAL(product->d.word(3, 17), saturate ? 0x7fffffffu : wrapped);
  }
}

TEST("results are right when D takes over the registers of A, B or C in any order") {
  for (const MmaInstruction base :
       {instruction({16, 8, 32}, s32, Element::s8, Element::s8, s32), instruction({16, 8, 16}, f32, f16, f16, f32),
        instruction({16, 16, 16}, f32, bf16, bf16, f32)}) {
    MmaInstruction i = base;
    i.wmma = base.shape.n == 16;
    const auto mma = Mma::of(i);
    std::mt19937_64 random(seed);
    auto product = std::make_unique<Product>();
    for (Registers* registers : {&product->a, &product->b, &product->c}) {
      for (int reg = 0; reg < 8; reg++) {
        for (int lane = 0; lane < warpLanes; lane++) {
          const std::uint32_t word = 0x3f803f80u + static_cast<std::uint32_t>(random() % 64) * 0x10001u;
          std::memcpy(registers->bytes(reg) + 4 * lane, &word, sizeof word);
        }
      }
    }
    CHECK(!mma->execute(product->operands(), Accumulation::fast).has_value());
    const Registers expected = product->d;
    for (int source = 0; source < 3; source++) {
      auto shared = std::make_unique<Product>(*product);
      MmaOperands operands = shared->operands();
      const void* const* taken = source == 0 ? operands.a : source == 1 ? operands.b : operands.c;
      for (int reg = 0; reg < mma->dRegisters(); reg++) {
        operands.d[reg] = const_cast<void*>(taken[7 - reg]);
        if (source == 2) {
          operands.d[reg] = const_cast<void*>(taken[mma->cRegisters() - 1 - reg]);
        }
      }
      CHECK(!mma->execute(operands, Accumulation::fast).has_value());
      for (int reg = 0; reg < mma->dRegisters(); reg++) {
        CHECK_EQUAL(std::memcmp(operands.d[reg], expected.bytes(reg), 128), 0);
      }
    }
  }
}

TEST("illegal metadata is reported and leaves D alone") {
  MmaInstruction i = instruction({16, 8, 64}, s32, Element::s8, Element::s8, s32);
  i.sparse = true;
  auto product = std::make_unique<Product>();
  product->metadata.fill(0x44444444);
  product->metadata[4 * 2 + 3] = 0x44444404; // row 10, columns 32..: chunk 8 + 1 names position 0 twice
  std::memset(product->d.bytes(0), 0x5a, 128);
  const auto illegal = Mma::of(i)->execute(product->operands(), Accumulation::fast);
  CHECK(illegal.has_value());
  CHECK_EQUAL(illegal->row, 10);
  CHECK_EQUAL(illegal->chunk, 9);
  CHECK_EQUAL(illegal->lane, 11);
  CHECK_EQUAL(product->d.word(0, 0), 0x5a5a5a5au);
}

TEST("what sm_80 lacks is refused") {
  CHECK(!Mma::of(instruction({16, 8, 4}, f64, f64, f64, f64)));
  CHECK(!Mma::of(instruction({16, 8, 32}, f32, f16, f16, f32)));
  CHECK(!Mma::of(instruction({16, 8, 16}, f16, bf16, bf16, f16)));
  CHECK(!Mma::of(instruction({16, 8, 16}, f32, f16, bf16, f32)));
  CHECK(!Mma::of(instruction({16, 8, 16}, f32, f16, f16, f16)));
  CHECK(!Mma::of(instruction({16, 8, 64}, s32, Element::s8, Element::s8, s32)));
  MmaInstruction sparse = instruction({16, 8, 32}, f32, f16, f16, f32);
  sparse.sparse = true;
  sparse.selector = 2; // assembles, but is undefined behaviour on hardware
  CHECK(!Mma::of(sparse));
  MmaInstruction columnMajor = instruction({16, 8, 16}, f32, f16, f16, f32);
  columnMajor.aColumnMajor = true;
  CHECK(!Mma::of(columnMajor));
  MmaInstruction saturating = instruction({16, 8, 16}, f32, f16, f16, f32);
  saturating.saturate = true;
  CHECK(!Mma::of(saturating));
}

TEST("f64 products round in the mode of the instruction") {
  for (const Rounding rounding : ieeeModes) {
    MmaInstruction i = instruction({8, 8, 4}, f64, f64, f64, f64);
    i.rounding = rounding;
    auto product = std::make_unique<Product>();
    for (int lane = 0; lane < warpLanes; lane++) {
      product->a.storage[0][static_cast<std::size_t>(lane)] = bitsOf(1.0 / 3);
      product->b.storage[0][static_cast<std::size_t>(lane)] = bitsOf(0x1p-40);
      product->c.storage[0][static_cast<std::size_t>(lane)] = bitsOf(1.0);
      product->c.storage[1][static_cast<std::size_t>(lane)] = bitsOf(-1.0);
    }
    CHECK(!Mma::of(i)->execute(product->operands(), Accumulation::fast).has_value());
    double expected = -1.0;
    for (int k = 0; k < 4; k++) {
      expected = fmaRounded(1.0 / 3, 0x1p-40, expected, rounding);
    }
    CHECK_EQUAL(product->d.storage[1][5], bitsOf(expected));
  }
}
