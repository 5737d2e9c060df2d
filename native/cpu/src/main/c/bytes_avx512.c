// One token times weights of 8 bits, by AVX-512, in f32 with every code as it is: sixteen codes become sixteen floats and
// are multiplied. Each weight is read once, so that memory bounds this; four rows go side by side and are fetched ahead,
// at their end those of the next four. The scalar twin is dev.filigree.weights.Quantized.
#include <immintrin.h>
#include <string.h>

#include "bytes.h"
#include "linear.h"

// Rows side by side, codes that a step takes, and bytes by which a row is fetched ahead of its use.
enum { FG_TOGETHER = 4, FG_STEP_CODES = 64, FG_AHEAD = 1024 };

static inline __attribute__((always_inline)) __m512 fg_floats(__m128i codes, int has_sign) {
  return _mm512_cvtepi32_ps(has_sign ? _mm512_cvtepi8_epi32(codes) : _mm512_cvtepu8_epi32(codes));
}

static inline __attribute__((always_inline)) void fg_some(const struct fg_bytes *w, const float *x, float sum, float *y,
                                                          int64_t row, int rows, int has_sign) {
  int64_t columns = w->columns, whole = columns / 16 * 16;
  const uint8_t *codes = w->codes + row * columns;
  __m512 sums[FG_TOGETHER];
  for (int r = 0; r < rows; r++) sums[r] = _mm512_setzero_ps();
  int64_t i = 0;
  for (; i + FG_STEP_CODES <= columns; i += FG_STEP_CODES) {
    // the row after those side by side begins where the last of them ends
    int64_t ahead = i + FG_AHEAD < columns ? FG_AHEAD : FG_AHEAD + (rows - 1) * columns;
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) _mm_prefetch((const char *)(codes + r * columns + i + ahead), _MM_HINT_T0);
    for (int part = 0; part < FG_STEP_CODES; part += 16) {
      __m512 inputs = _mm512_loadu_ps(x + i + part);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        __m128i sixteen = _mm_loadu_si128((const __m128i *)(codes + r * columns + i + part));
        sums[r] = _mm512_fmadd_ps(fg_floats(sixteen, has_sign), inputs, sums[r]);
      }
    }
  }
  for (; i < whole; i += 16) {
    for (int r = 0; r < rows; r++) {
      __m128i sixteen = _mm_loadu_si128((const __m128i *)(codes + r * columns + i));
      sums[r] = _mm512_fmadd_ps(fg_floats(sixteen, has_sign), _mm512_loadu_ps(x + i), sums[r]);
    }
  }
  for (int r = 0; r < rows; r++, codes += columns) {
    float product = _mm512_reduce_add_ps(sums[r]);
    for (int64_t k = whole; k < columns; k++) product += (has_sign ? (float)(int8_t)codes[k] : (float)codes[k]) * x[k];
    int64_t at = w->one_scale ? 0 : row + r;
    float scale, zero = w->zeros == 0 ? 0 : has_sign ? (float)(int8_t)w->zeros[at] : (float)w->zeros[at];
    memcpy(&scale, w->scales + 4 * at, sizeof scale);  // a file may have it anywhere
    if (zero != 0) product -= zero * sum;
    y[row + r] += product * scale;
  }
}

static inline __attribute__((always_inline)) void fg_all(const struct fg_bytes *w, const float *x, float *y, int64_t from,
                                                         int64_t to, int has_sign) {
  float sum = 0;
  for (int64_t k = 0; w->zeros != 0 && k < w->columns; k++) sum += x[k];
  int64_t row = from;
  for (; row + FG_TOGETHER <= to; row += FG_TOGETHER) fg_some(w, x, sum, y, row, FG_TOGETHER, has_sign);
  for (; row < to; row++) fg_some(w, x, sum, y, row, 1, has_sign);
}

// Adds the products of rows from one up to another to their outputs.
FG_EXPORT void fg_bytes_token_avx512(const struct fg_bytes *w, const float *x, float *y, int64_t from, int64_t to) {
  if (w->has_sign) {
    fg_all(w, x, y, from, to, 1);
  } else {
    fg_all(w, x, y, from, to, 0);
  }
}
