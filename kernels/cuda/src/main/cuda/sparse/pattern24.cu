// 2:4 sparsity on the device: packing by an explicit mask, unpacking, and the check of metadata. The twin is
// dev.filigree.weights.Sparse24 with Metadata24. A thread takes the 16 columns of one metadata word:
//
//   dense    c0 c1 c2 c3 | c4 .. c7 | c8 .. c11 | c12 .. c15      two accesses of 16 bytes
//   mask     b0 b1 b2 b3   b4 .. b7 | b8 ..           b15         two bytes, lowest bit first
//   values   v0 v1       | v2 v3    | v4 v5     | v6 v7           one access of 16 bytes
//   meta     bits 0-3    | 4-7      | 8-11      | 12-15           a nibble: position of the first, of the second << 2
//
// A nibble is legal if the first position is below the second. A group that keeps fewer than two is completed with zeros
// the way PyTorch's packer does it. Faults lower *fault to the position of a group, so that after the launch it is the
// first bad one; it starts at the greatest number.
#include "common/element.cuh"
#include "facts.cuh"

namespace {

constexpr int threads = 256;
constexpr int wordColumns = 16;
constexpr int wordGroups = 4;
constexpr int wordValues = 8;

// The kept columns of a group completed to two.
__device__ inline unsigned completed(unsigned kept) {
  switch (kept) {
    case 0b0000:
    case 0b0100:
    case 0b1000: return 0b1100;
    case 0b0001: return 0b0101;
    case 0b0010: return 0b0110;
    default: return kept;
  }
}

__device__ inline void report(unsigned long long* fault, int64_t group) {
  atomicMin(fault, static_cast<unsigned long long>(group));
}

}  // namespace

/**
 * Keeps the masked weights.
 *
 *   w       16-bit [rows][pitchW], `columns` of them
 *   mask    [rows][ceil(columns / 8)] bytes, no bit set beyond the last column
 *   values  16-bit [rows][8 * words]
 *   meta    u16 [rows][words]; words cover the columns and may go further
 */
extern "C" __global__ void __launch_bounds__(threads)
    pack24_b16(const uint16_t* w, const uint8_t* mask, uint16_t* values, uint16_t* meta, int rows, int columns, int pitchW,
               int words, unsigned long long* fault) {
  KERNEL_FACT("operation pack24");
  KERNEL_FACT("grid elements");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters w:pointer mask:pointer values:pointer meta:pointer rows:i32 columns:i32 pitchW:i32 words:i32 "
              "fault:pointer");
  int64_t at = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  int64_t row = at / words;
  int column = at % words * wordColumns;
  if (row >= rows) {
    return;
  }
  int maskPitch = ceilDiv(columns, 8);
  unsigned kept = column < columns ? mask[row * maskPitch + column / 8] : 0;
  kept |= column + 8 < columns ? mask[row * maskPitch + column / 8 + 1] << 8 : 0;
  Pack<uint16_t> low = column < columns ? Pack<uint16_t>::load(w + row * pitchW + column) : Pack<uint16_t>::zero();
  Pack<uint16_t> high = column + 8 < columns ? Pack<uint16_t>::load(w + row * pitchW + column + 8) : Pack<uint16_t>::zero();
  Pack<uint16_t> packed;
  unsigned word = 0;
#pragma unroll
  for (int g = 0; g < wordGroups; g++) {
    unsigned survivors = kept >> 4 * g & 0xf;
    if (__popc(survivors) > 2) {
      report(fault, row * words * wordGroups + column / 4 + g);
    }
    unsigned both = completed(survivors);
    int first = __ffs(both) - 1;
    int second = 31 - __clz(both);
    word |= (first | second << 2) << 4 * g;
    uint16_t chosen[2] = {};
#pragma unroll
    for (int c = 0; c < 4; c++) {
      // a filler is zero, whatever stands there
      uint16_t value = (survivors >> c & 1) != 0 ? (g < 2 ? low : high).at[g % 2 * 4 + c] : 0;
      chosen[0] = c == first ? value : chosen[0];
      chosen[1] = c == second ? value : chosen[1];
    }
    packed.at[2 * g] = chosen[0];
    packed.at[2 * g + 1] = chosen[1];
  }
  packed.store(values + at * wordValues);
  meta[at] = word;
}

/** The dense form again: w receives zeros where nothing is kept, and from `columns` up to the pitch. */
extern "C" __global__ void __launch_bounds__(threads)
    unpack24_b16(const uint16_t* values, const uint16_t* meta, uint16_t* w, int rows, int columns, int pitchW, int words,
                 unsigned long long* fault) {
  KERNEL_FACT("operation unpack24");
  KERNEL_FACT("grid elements");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters values:pointer meta:pointer w:pointer rows:i32 columns:i32 pitchW:i32 words:i32 fault:pointer");
  int across = ceilDiv(pitchW, wordColumns);
  int64_t at = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  int64_t row = at / across;
  int index = at % across;
  if (row >= rows) {
    return;
  }
  Pack<uint16_t> halves[2] = {Pack<uint16_t>::zero(), Pack<uint16_t>::zero()};
  if (index < words) {
    unsigned word = meta[row * words + index];
    Pack<uint16_t> packed = Pack<uint16_t>::load(values + (row * words + index) * wordValues);
#pragma unroll
    for (int g = 0; g < wordGroups; g++) {
      int first = word >> 4 * g & 3;
      int second = word >> (4 * g + 2) & 3;
      if (first >= second) {
        report(fault, (row * words + index) * wordGroups + g);
      }
#pragma unroll
      for (int c = 0; c < 4; c++) {
        bool exists = index * wordColumns + g * 4 + c < columns;
        uint16_t value = c == first ? packed.at[2 * g] : c == second ? packed.at[2 * g + 1] : 0;
        halves[g / 2].at[g % 2 * 4 + c] = exists ? value : 0;
      }
    }
  }
  uint16_t* to = w + row * pitchW + index * wordColumns;
  halves[0].store(to);
  if (index * wordColumns + 8 < pitchW) {
    halves[1].store(to + 8);
  }
}

/** Checks the eight nibbles of each of `count` words, in any order: logical metadata as well as that of fragments. */
extern "C" __global__ void __launch_bounds__(threads)
    check24(const uint32_t* meta, int64_t count, unsigned long long* fault) {
  KERNEL_FACT("operation check24");
  KERNEL_FACT("grid elements");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters meta:pointer count:i64 fault:pointer");
  constexpr unsigned lowest = 0x11111111;
  constexpr unsigned legalWord = 0xeeeeeeee;
  int64_t at = (static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x) * 4;
  uint32_t words[4] = {};
  if (at + 4 <= count) {
    *reinterpret_cast<uint4*>(words) = *reinterpret_cast<const uint4*>(meta + at);
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      words[i] = at + i < count ? meta[at + i] : legalWord;
    }
  }
#pragma unroll
  for (int i = 0; i < 4; i++) {
    unsigned word = words[i];
    unsigned first0 = word;
    unsigned first1 = word >> 1;
    unsigned second0 = word >> 2;
    unsigned second1 = word >> 3;
    // all nibbles at once: first < second as two-bit numbers
    unsigned legal = (second1 & ~first1) | (~(second1 ^ first1) & second0 & ~first0);
    unsigned illegal = ~legal & lowest;
    if (illegal != 0) {
      report(fault, (at + i) * 8 + (__ffs(illegal) - 1) / 4);
    }
  }
}
