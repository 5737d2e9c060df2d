// One token times 2:4 weights that are codes of 4 bits, by AVX-512. An instruction selects for each lane one of the four
// inputs of its group by the low two bits of a word (vpermilps), as another one selects one of sixteen centroids by the
// low four. A row keeps two inputs of a group, so that two rows fill its four lanes:
//
//   a step        inputs 0 1 2 3 | 4 .. 7  | 8 .. 11 | 12 .. 15
//                 lanes  a a b b | a a b b | a a b b | a a b b     the first and second kept of rows a and b
//   a block       16 words of eight codes, of step s in the bits 4s .. 4s+3 of the word of its lane; then
//                 16 half words of eight positions in a group, of step s in the bits 2s and 2s+1
//   a pair        its blocks, of 128 inputs each, one after the other; behind the last group is nothing that counts
//
// Inputs are taken in their own order, and those that are not kept meet nothing, whatever they are. Pairs go side by side
// and are fetched ahead for the reasons that codes_avx512.c gives. The Java side is dev.filigree.kernels.cpu.PairRows; the
// scalar twin is in kernels_test.c.
#include <immintrin.h>

#include "codes.h"
#include "linear.h"

// Inputs of a step, steps of a block and its bytes, pairs side by side, and bytes by which a pair is fetched ahead.
enum { FG_STEP = 16, FG_STEPS = 8, FG_BLOCK_BYTES = 96, FG_TOGETHER = 4, FG_AHEAD = 1024 };

// The centroids of sixteen codes, by one codebook, or where rows have their own by those of both.
static inline __attribute__((always_inline)) __m512 fg_look_up(__m512i code, const __m512 *books, int one_book) {
  if (one_book) return _mm512_permutexvar_ps(code, books[0]);
  const __m512i low = _mm512_set1_epi32(15), second = _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, 16, 16));
  __m512i of_both = _mm512_ternarylogic_epi32(code, low, second, 0xea);  // code & low | second
  return _mm512_permutex2var_ps(books[0], of_both, books[1]);
}

// Adds the products of a block of some pairs, of which 128 inputs are there, or else fewer.
static inline __attribute__((always_inline)) void fg_block(const uint8_t *from, int64_t pair_bytes, int64_t ahead,
                                                           int pairs, const float *x, int inputs, const __m512 *books,
                                                           int one_book, __m512 *sums) {
  __m512i codes[FG_TOGETHER], positions[FG_TOGETHER];
  for (int p = 0; p < pairs; p++, from += pair_bytes) {
    _mm_prefetch((const char *)(from + ahead), _MM_HINT_T0);
    _mm_prefetch((const char *)(from + ahead + 64), _MM_HINT_T0);
    codes[p] = _mm512_loadu_si512(from);
    positions[p] = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(from + 64)));
  }
#pragma GCC unroll 8
  for (int k = 0; k < inputs; k += FG_STEP) {
    int left = inputs - k < FG_STEP ? inputs - k : FG_STEP;
    // all lanes of a group that begins within the inputs
    __mmask16 there = (__mmask16)((1 << left) - 1), lanes = (__mmask16)((1 << (left + 3) / 4 * 4) - 1);
    __m512 in = _mm512_maskz_loadu_ps(there, x + k);
#pragma GCC unroll 4
    for (int p = 0; p < pairs; p++) {
      __m512 kept = _mm512_permutevar_ps(in, positions[p]);
      __m512 centroids = fg_look_up(codes[p], books + (one_book ? 0 : 2 * p), one_book);
      sums[p] = _mm512_mask3_fmadd_ps(centroids, kept, sums[p], lanes);
      codes[p] = _mm512_srli_epi32(codes[p], 4);
      positions[p] = _mm512_srli_epi32(positions[p], 2);
    }
  }
}

// Adds the products of some pairs of rows to their outputs, of which the last may be one row.
static inline __attribute__((always_inline)) void fg_some(const struct fg_codes *w, const float *x, float *y, int64_t row,
                                                          int64_t to, int pairs, int one_book) {
  enum { BLOCK = FG_STEP * FG_STEPS };
  __m512 books[2 * FG_TOGETHER], sums[FG_TOGETHER];
  for (int i = 0; i < (one_book ? 1 : 2 * pairs); i++) {
    int64_t last = to - 1;
    books[i] = _mm512_loadu_ps(fg_centroids(w, row + i < last ? row + i : last));
  }
  for (int p = 0; p < pairs; p++) sums[p] = _mm512_setzero_ps();
  const uint8_t *from = w->codes + row / 2 * w->row_bytes;
  int64_t k = 0, at = 0;
  for (; k + BLOCK <= w->columns; k += BLOCK, at += FG_BLOCK_BYTES) {
    // the pair after those side by side begins where the last of them ends
    int64_t ahead = at + FG_AHEAD < w->row_bytes ? FG_AHEAD : FG_AHEAD + (pairs - 1) * w->row_bytes;
    fg_block(from + at, w->row_bytes, ahead, pairs, x + k, BLOCK, books, one_book, sums);
  }
  if (k < w->columns) fg_block(from + at, w->row_bytes, 0, pairs, x + k, (int)(w->columns - k), books, one_book, sums);
  for (int p = 0; p < pairs; p++, row += 2) {
    __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(sums[p]), _mm512_extractf32x8_ps(sums[p], 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
    __m128 two = _mm_hadd_ps(four, four);
    y[row] += _mm_cvtss_f32(two);
    if (row + 1 < to) y[row + 1] += _mm_cvtss_f32(_mm_movehdup_ps(two));
  }
}

static inline __attribute__((always_inline)) void fg_all(const struct fg_codes *w, const float *x, float *y, int64_t from,
                                                         int64_t to, int one_book) {
  int64_t row = from;
  for (; row + 2 * FG_TOGETHER <= to; row += 2 * FG_TOGETHER) fg_some(w, x, y, row, to, FG_TOGETHER, one_book);
  for (; row < to; row += 2) fg_some(w, x, y, row, to, 1, one_book);
}

// Adds the products of rows from an even one up to another to their outputs.
FG_EXPORT void fg_codes24_token_avx512(const struct fg_codes *w, const float *x, float *y, int64_t from, int64_t to) {
  if (w->rows_per_book == 0) {
    fg_all(w, x, y, from, to, 1);
  } else {
    fg_all(w, x, y, from, to, 0);
  }
}
