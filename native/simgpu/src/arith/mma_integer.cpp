#include "arith/mma_kernel.h"

#include "arith/float_arithmetic.h"
#include "arith/integer.h"

#include <array>
#include <cstring>

namespace simgpu::arith {

void gatherA(const TilePlan& plan, const TileOperands& operands, ABytes bytes) {
  for (int reg = 0; reg < plan.aRegisters; reg++) {
    const auto* lanes = static_cast<const std::uint8_t*>(operands.a[reg]);
    const int firstRow = plan.tall ? 8 * (reg & 1) : 0;
    const int run = plan.tall ? reg >> 1 : reg;
    for (int group = 0; group < 8; group++) {
      std::memcpy(bytes[firstRow + group] + 16 * run, lanes + 16 * group, 16);
    }
  }
}

void gatherB(const TilePlan& plan, const TileOperands& operands, BBytes bytes) {
  for (int reg = 0; reg < plan.bRegisters; reg++) {
    const auto* lanes = static_cast<const std::uint8_t*>(operands.b[reg]);
    for (int group = 0; group < 8; group++) {
      std::memcpy(bytes[group] + 16 * reg, lanes + 16 * group, 16);
    }
  }
}

namespace {

/**
 * For a byte of metadata, two nibbles, the positions of the stored elements in their two chunks: one byte each, as
 * many as a chunk has elements. An index selects one element, or a pair of a 4-bit type; a nibble of tf32 selects one.
 */
using PositionTable = std::array<std::uint64_t, 256>;

template <int ElementsPerChunk> constexpr PositionTable positionTable() {
  PositionTable table{};
  for (std::uint32_t byte = 0; byte < 256; byte++) {
    int next = 0;
    const auto push = [&](std::uint32_t position) { table[byte] |= std::uint64_t{position} << (8 * next++); };
    for (std::uint32_t chunk = 0; chunk < 2; chunk++) {
      const std::uint32_t nibble = (byte >> (4 * chunk)) & 0xf;
      const std::uint32_t base = chunk * ElementsPerChunk;
      if (ElementsPerChunk == 2) {
        push(base + (nibble == 0xe ? 1 : 0));
        continue;
      }
      constexpr std::uint32_t width = ElementsPerChunk / 4;
      for (std::uint32_t i = 0; i < 2 * width; i++) {
        push(base + ((nibble >> (2 * (i / width))) & 3) * width + i % width);
      }
    }
  }
  return table;
}

template <int ElementsPerChunk>
void selectByTable(const SparseLayout& layout, const std::uint32_t* metadata, SelectedRows rows) {
  static constexpr PositionTable table = positionTable<ElementsPerChunk>();
  constexpr std::uint64_t everyByte = 0x0101010101010101;
  for (int row = 0; row < 16; row++) {
    for (int chunk = 0; chunk < layout.chunks(); chunk += 2) {
      const std::uint32_t byte = (metadata[layout.lane(row, chunk)] >> layout.bit(row, chunk)) & 0xff;
      const std::uint64_t positions = table[byte] + static_cast<std::uint64_t>(chunk * ElementsPerChunk) * everyByte;
      std::memcpy(rows[row] + chunk * ElementsPerChunk / 2, &positions, ElementsPerChunk);
    }
  }
}

} // namespace

void selectRows(const TilePlan& plan, const std::uint32_t* metadata, SelectedRows rows) {
  switch (plan.layout->elementsPerChunk()) {
  case 2:
    return selectByTable<2>(*plan.layout, metadata, rows);
  case 4:
    return selectByTable<4>(*plan.layout, metadata, rows);
  default:
    return selectByTable<8>(*plan.layout, metadata, rows);
  }
}

namespace {

constexpr int deepestInteger = 128; // k of mma.sp on s4
constexpr int mostStoredIntegers = 64;

/** `bytes` (a multiple of 16) of matrix elements as 16-bit integers. */
void widen(Element element, const std::uint8_t* from, int bytes, std::int16_t* to) {
  const __m128i nibbles = _mm_set1_epi8(0xf);
  for (int i = 0; i < bytes; i += 16) {
    const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    const auto store = [&](int at, __m256i values) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + at), values); };
    if (element == Element::s8) {
      store(i, _mm256_cvtepi8_epi16(packed));
    } else if (element == Element::u8) {
      store(i, _mm256_cvtepu8_epi16(packed));
    } else {
      const __m128i low = _mm_and_si128(packed, nibbles);
      const __m128i high = _mm_and_si128(_mm_srli_epi16(packed, 4), nibbles);
      for (int half = 0; half < 2; half++) {
        __m256i values = _mm256_cvtepu8_epi16(half == 0 ? _mm_unpacklo_epi8(low, high) : _mm_unpackhi_epi8(low, high));
        if (element == Element::s4) {
          values = _mm256_srai_epi16(_mm256_slli_epi16(values, 12), 12);
        }
        store(2 * i + 16 * half, values);
      }
    }
  }
}

/** B as b[k][column], each value in the low half of a 32-bit word, where the pairwise multiply-add wants it. */
void loadB(const TilePlan& plan, const TileOperands& operands, std::int32_t b[deepestInteger][8]) {
  BBytes bytes;
  gatherB(plan, operands, bytes);
  std::int16_t columns[8][deepestInteger];
  for (int column = 0; column < 8; column++) {
    widen(plan.instruction.b, bytes[column], 16 * plan.bRegisters, columns[column]);
  }
  for (int k = 0; k < plan.instruction.shape.k; k += 8) {
    __m256 block[8];
    for (int column = 0; column < 8; column++) {
      const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(columns[column] + k));
      block[column] = _mm256_castsi256_ps(_mm256_cvtepu16_epi32(values));
    }
    transposeBlock(block);
    for (int i = 0; i < 8; i++) {
      _mm256_storeu_ps(reinterpret_cast<float*>(b[k + i]), block[i]);
    }
  }
}

/** One row's dot products with all eight columns: pairs of products are summed by one instruction. */
__m256i multiplyRow(const std::int16_t* a, const std::int32_t b[deepestInteger][8], int stored,
                    const std::uint8_t* selected) {
  __m256i sums = _mm256_setzero_si256();
  for (int i = 0; i < stored; i += 2) {
    const int first = selected != nullptr ? selected[i] : i;
    const int second = selected != nullptr ? selected[i + 1] : i + 1;
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b[first]));
    const __m256i high = _mm256_slli_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(b[second])), 16);
    std::int32_t pair;
    std::memcpy(&pair, a + i, sizeof pair);
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_set1_epi32(pair), _mm256_or_si256(low, high)));
  }
  return sums;
}

/** Adds the products to C and writes D; the dot product itself cannot overflow, so .satfinite clamps this one sum. */
void accumulate(const TilePlan& plan, const TileOperands& operands, const std::int32_t products[16][8]) {
  const int elements = plan.tall ? 4 : 2;
  std::int32_t results[4][warpLanes]; // D may share registers with C in another order
  for (int index = 0; index < elements; index++) {
    const auto* c = static_cast<const std::int32_t*>(operands.c[index]);
    for (int lane = 0; lane < warpLanes; lane++) {
      const std::int32_t product = products[(lane >> 2) + 8 * (index >> 1)][2 * (lane & 3) + (index & 1)];
      results[index][lane] = plan.instruction.saturate ? saturatingAdd(c[lane], product) : wrappingAdd(c[lane], product);
    }
  }
  for (int index = 0; index < elements; index++) {
    std::memcpy(operands.d[index], results[index], sizeof results[index]);
  }
}

} // namespace

void multiplyIntegerTile(const TilePlan& plan, const TileOperands& operands, const SelectedRows* selected) {
  ABytes aBytes;
  std::int32_t b[deepestInteger][8];
  gatherA(plan, operands, aBytes);
  loadB(plan, operands, b);
  const int rows = plan.tall ? 16 : 8;
  const int rowBytes = 16 * plan.aRegisters / (plan.tall ? 2 : 1);
  const int stored = rowBytes * 8 / elementBits(plan.instruction.a);
  std::int32_t products[16][8];
  for (int row = 0; row < rows; row++) {
    std::int16_t a[mostStoredIntegers];
    widen(plan.instruction.a, aBytes[row], rowBytes, a);
    const __m256i sums = multiplyRow(a, b, stored, selected != nullptr ? (*selected)[row] : nullptr);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(products[row]), sums);
  }
  accumulate(plan, operands, products);
}

void multiplyBitTile(const TilePlan& plan, const TileOperands& operands) {
  ABytes aBytes;
  BBytes bBytes;
  gatherA(plan, operands, aBytes);
  gatherB(plan, operands, bBytes);
  const int rows = plan.tall ? 16 : 8;
  const int words = plan.instruction.shape.k / 64;
  std::int32_t products[16][8];
  for (int row = 0; row < rows; row++) {
    for (int column = 0; column < 8; column++) {
      std::int32_t bits = 0;
      for (int word = 0; word < words; word++) {
        std::uint64_t left;
        std::uint64_t right;
        std::memcpy(&left, aBytes[row] + 8 * word, sizeof left);
        std::memcpy(&right, bBytes[column] + 8 * word, sizeof right);
        bits += std::popcount(plan.instruction.bitOperation == BitOperation::xorPopc ? left ^ right : left & right);
      }
      products[row][column] = bits;
    }
  }
  accumulate(plan, operands, products);
}

void multiplyDoubleTile(const TilePlan& plan, const TileOperands& operands) {
  const auto* a = static_cast<const double*>(operands.a[0]);
  const auto* b = static_cast<const double*>(operands.b[0]);
  double results[2][warpLanes];
  for (int index = 0; index < 2; index++) {
    for (int lane = 0; lane < warpLanes; lane++) {
      const int row = lane >> 2;
      const int column = 2 * (lane & 3) + index;
      double sum = static_cast<const double*>(operands.c[index])[lane];
      for (int k = 0; k < 4; k++) {
        sum = fmaRounded(a[4 * row + k], b[4 * column + k], sum, plan.instruction.rounding);
      }
      results[index][lane] = sum;
    }
  }
  std::memcpy(operands.d[0], results[0], sizeof results[0]);
  std::memcpy(operands.d[1], results[1], sizeof results[1]);
}

} // namespace simgpu::arith
