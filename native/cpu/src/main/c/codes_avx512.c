// One token times weights that are codes of 4 bits, by AVX-512: a vector holds a codebook, and an instruction looks
// sixteen codes up in it, each by the low four bits of a lane.
//
//   bytes of memory   1 0 | 3 2 | 5 4 | ...    codes of inputs, two to a byte
//   lanes               0     2     4   ...    a byte each; the even code is what is looked up as it stands
//   shifted right       1     3     5   ...    the odd one
//
// The inputs of even and of odd codes are set apart once for all rows. Four rows go side by side, so that memory works
// on several streams and an input is loaded once for the four. The scalar twin is dev.filigree.weights.Codebook.
#include <immintrin.h>
#include <stdint.h>

#define FG_CODES_TOKEN fg_codes_token_avx512

// Codes that a step takes, rows side by side, and bytes by which a row is fetched ahead of its use.
enum { FG_STEP_CODES = 64, FG_TOGETHER = 4, FG_AHEAD = 1024 };

struct fg_book {
  __m512 centroids;
};

static inline struct fg_book fg_book_of(const float *centroids) {
  return (struct fg_book){_mm512_loadu_ps(centroids)};
}

static void fg_arrange(const float *x, int64_t count, float *to) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  for (int64_t i = 0; i < count; i += 32) {
    __m512 a = _mm512_loadu_ps(x + i), b = _mm512_loadu_ps(x + i + 16);
    _mm512_storeu_ps(to + i, _mm512_permutex2var_ps(a, even, b));
    _mm512_storeu_ps(to + i + 16, _mm512_permutex2var_ps(a, odd, b));
  }
}

static inline __attribute__((always_inline)) void fg_dots(const uint8_t *codes, int64_t row_bytes, int64_t count,
                                                          const float *x, const struct fg_book *books, int rows,
                                                          float *sums) {
  __m512 even[FG_TOGETHER], odd[FG_TOGETHER];
  for (int r = 0; r < rows; r++) even[r] = odd[r] = _mm512_setzero_ps();
  for (int64_t i = 0; i < count; i += FG_STEP_CODES) {
    for (int half = 0; half < 2; half++) {
      __m512 x0 = _mm512_loadu_ps(x + i + 32 * half), x1 = _mm512_loadu_ps(x + i + 32 * half + 16);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        const uint8_t *at = codes + r * row_bytes + i / 2 + 16 * half;
        if (half == 0) _mm_prefetch((const char *)(at + FG_AHEAD), _MM_HINT_T0);
        __m512i code = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)at));
        __m512 low = _mm512_permutexvar_ps(code, books[r].centroids);
        __m512 high = _mm512_permutexvar_ps(_mm512_srli_epi32(code, 4), books[r].centroids);
        even[r] = _mm512_fmadd_ps(low, x0, even[r]);
        odd[r] = _mm512_fmadd_ps(high, x1, odd[r]);
      }
    }
  }
  for (int r = 0; r < rows; r++) sums[r] = _mm512_reduce_add_ps(_mm512_add_ps(even[r], odd[r]));
}

#include "codes_rows.h"
