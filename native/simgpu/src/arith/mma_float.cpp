#include "arith/mma_kernel.h"

#include "arith/half_arithmetic.h"
#include "arith/tensor_core.h"

#include <cstring>

namespace simgpu::arith {
namespace {

constexpr int largestDepth = 32; // k of the deepest floating-point mma.sp
constexpr int largestStored = 16;

/** A row-major tile of accumulators. */
using Accumulators = float[16][8];

/** 16 bytes of matrix elements as floats; returns how many. */
int widen(Element element, const std::uint8_t* bytes, float* values) {
  if (element == Element::f16) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    _mm256_storeu_ps(values, _mm256_cvtph_ps(halves));
    return 8;
  }
  if (element == Element::bf16) {
    const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    _mm256_storeu_ps(values, _mm256_castsi256_ps(_mm256_slli_epi32(words, 16)));
    return 8;
  }
  std::uint32_t words[4];
  std::memcpy(words, bytes, sizeof words);
  for (int i = 0; i < 4; i++) {
    values[i] = floatOf(words[i] & 0xffffe000); // a tf32 operand's low 13 bits are ignored
  }
  return 4;
}

/** B as rows of k: b[k][column]. */
void loadB(const TilePlan& plan, const TileOperands& operands, float b[largestDepth][8]) {
  BBytes bytes;
  gatherB(plan, operands, bytes);
  const int depth = plan.instruction.shape.k;
  float columns[8][largestDepth];
  for (int column = 0; column < 8; column++) {
    int k = 0;
    for (int reg = 0; reg < plan.bRegisters; reg++) {
      k += widen(plan.instruction.b, bytes[column] + 16 * reg, columns[column] + k);
    }
  }
  if (depth % 8 != 0) { // m16n8k4 of tf32
    for (int k = 0; k < depth; k++) {
      for (int column = 0; column < 8; column++) {
        b[k][column] = columns[column][k];
      }
    }
    return;
  }
  for (int k = 0; k < depth; k += 8) {
    __m256 block[8];
    for (int column = 0; column < 8; column++) {
      block[column] = _mm256_loadu_ps(columns[column] + k);
    }
    transposeBlock(block);
    for (int i = 0; i < 8; i++) {
      _mm256_storeu_ps(b[k + i], block[i]);
    }
  }
}

/** A as stored, compressed for mma.sp; returns the number of stored columns. */
int loadA(const TilePlan& plan, const TileOperands& operands, float a[16][largestStored]) {
  ABytes bytes;
  gatherA(plan, operands, bytes);
  const int runs = plan.aRegisters / 2;
  int stored = 0;
  for (int row = 0; row < 16; row++) {
    stored = 0;
    for (int run = 0; run < runs; run++) {
      stored += widen(plan.instruction.a, bytes[row] + 16 * run, a[row] + stored);
    }
  }
  return stored;
}

void loadC(const TilePlan& plan, const TileOperands& operands, Accumulators c) {
  for (int lane = 0; lane < warpLanes; lane++) {
    const int row = lane >> 2;
    const int column = 2 * (lane & 3);
    for (int half = 0; half < 2; half++) {
      float* to = &c[row + 8 * half][column];
      if (plan.instruction.c == Element::f16) {
        const std::uint32_t pair = static_cast<const std::uint32_t*>(operands.c[half])[lane];
        to[0] = f16ToFloat(static_cast<std::uint16_t>(pair));
        to[1] = f16ToFloat(static_cast<std::uint16_t>(pair >> 16));
      } else {
        to[0] = static_cast<const float*>(operands.c[2 * half])[lane];
        to[1] = static_cast<const float*>(operands.c[2 * half + 1])[lane];
      }
    }
  }
}

void storeD(const TilePlan& plan, const TileOperands& operands, const Accumulators c) {
  for (int half = 0; half < 2; half++) {
    for (int lane = 0; lane < warpLanes; lane++) {
      const float* from = &c[(lane >> 2) + 8 * half][2 * (lane & 3)];
      if (plan.instruction.d == Element::f16) {
        static_cast<std::uint32_t*>(operands.d[half])[lane] =
            std::uint32_t{floatToF16(from[1])} << 16 | floatToF16(from[0]);
      } else {
        static_cast<float*>(operands.d[2 * half])[lane] = from[0];
        static_cast<float*>(operands.d[2 * half + 1])[lane] = from[1];
      }
    }
  }
}

/** c[r] += sum over k of a[r][k] * b[k]. Eight rows at a time keep both multiply-add units busy. */
void multiplyDense(const float a[16][largestStored], const float b[largestDepth][8], int depth, Accumulators c) {
  for (int top = 0; top < 16; top += 8) {
    __m256 sums[8];
    for (int row = 0; row < 8; row++) {
      sums[row] = _mm256_loadu_ps(c[top + row]);
    }
    for (int k = 0; k < depth; k++) {
      const __m256 factors = _mm256_loadu_ps(b[k]);
      for (int row = 0; row < 8; row++) {
        sums[row] = _mm256_fmadd_ps(_mm256_broadcast_ss(&a[top + row][k]), factors, sums[row]);
      }
    }
    for (int row = 0; row < 8; row++) {
      _mm256_storeu_ps(c[top + row], sums[row]);
    }
  }
}

void multiplySparse(const float a[16][largestStored], const float b[largestDepth][8], int stored,
                    const SelectedRows& selected, Accumulators c) {
  for (int row = 0; row < 16; row++) {
    __m256 sum = _mm256_loadu_ps(c[row]);
    for (int i = 0; i < stored; i++) {
      sum = _mm256_fmadd_ps(_mm256_broadcast_ss(&a[row][i]), _mm256_loadu_ps(b[selected[row][i]]), sum);
    }
    _mm256_storeu_ps(c[row], sum);
  }
}

/** Adds one step of a row's products to its eight sums, whatever the operands are. */
void addStep(Element element, const float* a, const float* const* bRows, const TensorTerm* terms,
             const TensorRow* const* splitRows, bool finite, float* c) {
  const int step = tensorStep(element);
  if (finite && allFinite(c, tensorColumns)) {
    tensorDotRow(element, terms, splitRows, step, c);
    return;
  }
  for (int column = 0; column < tensorColumns; column++) {
    float b[8];
    for (int i = 0; i < step; i++) {
      b[i] = bRows[i][column];
    }
    c[column] = tensorDot(element, a, b, step, c[column]);
  }
}

/** The tensor core's own steps, in the order of the stored elements. */
void multiplyExact(Element element, const float a[16][largestStored], const float b[largestDepth][8], int stored,
                   int depth, const SelectedRows* selected, Accumulators c) {
  const int step = tensorStep(element);
  const bool finiteB = allFinite(b[0], depth * tensorColumns);
  TensorRow split[largestDepth];
  for (int k = 0; k < depth; k++) {
    split[k] = splitOperands(element, b[k]);
  }
  for (int row = 0; row < 16; row++) {
    const bool finite = finiteB && allFinite(a[row], stored);
    for (int first = 0; first < stored; first += step) {
      const float* bRows[8];
      const TensorRow* splitRows[8];
      TensorTerm terms[8];
      for (int i = 0; i < step; i++) {
        const int k = selected != nullptr ? (*selected)[row][first + i] : first + i;
        bRows[i] = b[k];
        splitRows[i] = &split[k];
        terms[i] = splitOperand(element, a[row][first + i]);
      }
      addStep(element, a[row] + first, bRows, terms, splitRows, finite, c[row]);
    }
  }
}

} // namespace

void multiplyFloatTile(const TilePlan& plan, const TileOperands& operands, const SelectedRows* selected,
                       Accumulation accumulation) {
  float a[16][largestStored];
  float b[largestDepth][8];
  Accumulators c;
  const int stored = loadA(plan, operands, a);
  loadB(plan, operands, b);
  loadC(plan, operands, c);
  if (accumulation == Accumulation::exact) {
    multiplyExact(plan.instruction.a, a, b, stored, plan.instruction.shape.k, selected, c);
  } else if (selected != nullptr) {
    multiplySparse(a, b, stored, *selected, c);
  } else {
    multiplyDense(a, b, stored, c);
  }
  storeD(plan, operands, c);
}

void multiplyQuadPairs(const TilePlan& plan, const TileOperands& operands, Accumulation accumulation) {
  const MmaInstruction& i = plan.instruction;
  const Fragment aMap = Fragment::quadPair(MatrixUse::a, i.a, i.aColumnMajor);
  const Fragment bMap = Fragment::quadPair(MatrixUse::b, i.b, i.bColumnMajor);
  const Fragment cMap = Fragment::quadPair(MatrixUse::c, i.c, false);
  const Fragment dMap = Fragment::quadPair(MatrixUse::c, i.d, false);
  const auto half = [](const void* const* registers, int lane, int index) {
    const std::uint32_t pair = static_cast<const std::uint32_t*>(registers[index / 2])[lane];
    return f16ToFloat(static_cast<std::uint16_t>(pair >> (16 * (index % 2))));
  };
  float a[32][4];
  float b[4][32];
  float c[32][8];
  for (int lane = 0; lane < warpLanes; lane++) {
    for (int index = 0; index < 4; index++) {
      const Position inA = aMap.at(lane, index);
      const Position inB = bMap.at(lane, index);
      a[inA.row][inA.column] = half(operands.a, lane, index);
      b[inB.row][inB.column] = half(operands.b, lane, index);
    }
    for (int index = 0; index < 8; index++) {
      const Position inC = cMap.at(lane, index);
      c[inC.row][inC.column] =
          i.c == Element::f16 ? half(operands.c, lane, index) : static_cast<const float*>(operands.c[index])[lane];
    }
  }
  for (int row = 0; row < 32; row++) {
    const float* bRows[4];
    for (int k = 0; k < 4; k++) {
      bRows[k] = b[k] + row / 8 * 8; // the columns of the row's own product
    }
    if (accumulation == Accumulation::exact) {
      for (int column = 0; column < 8; column++) {
        const float bColumn[4] = {bRows[0][column], bRows[1][column], bRows[2][column], bRows[3][column]};
        c[row][column] = tensorDot(i.a, a[row], bColumn, 4, c[row][column]);
      }
      continue;
    }
    for (int k = 0; k < 4; k++) {
      for (int column = 0; column < 8; column++) {
        c[row][column] = std::fma(a[row][k], bRows[k][column], c[row][column]);
      }
    }
  }
  for (int lane = 0; lane < warpLanes; lane++) {
    for (int index = 0; index < 8; index++) {
      const Position inD = dMap.at(lane, index);
      const float value = c[inD.row][inD.column];
      if (i.d == Element::f16) {
        auto* halves = reinterpret_cast<std::uint16_t*>(static_cast<std::uint32_t*>(operands.d[index / 2]) + lane);
        halves[index % 2] = floatToF16(value);
      } else {
        static_cast<float*>(operands.d[index])[lane] = value;
      }
    }
  }
}

} // namespace simgpu::arith
