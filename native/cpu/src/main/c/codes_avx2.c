// One token times weights that are codes of 4 bits, by AVX2. An instruction looks sixteen bytes up in a table of sixteen,
// twice, for the two halves of a vector. A centroid has four bytes, so there are four tables, one for each:
//
//   bytes of memory    1 0 | 3 2 | 5 4 | ...                 codes of inputs, two to a byte
//   even codes           0     2     4    ...                one to a byte, 32 of them; the odd ones after these
//   looked up          first bytes, second bytes, third bytes and fourth bytes of 32 centroids
//   put together       centroids 0..3, 16..19 | 4..7, 20..23 | 8..11, 24..27 | 12..15, 28..31 of the even codes
//
// which are floats, bit for bit. The inputs are put in the same order once for all rows. The scalar twin is
// dev.filigree.weights.Codebook.
#include <immintrin.h>
#include <stdint.h>

#define FG_CODES_TOKEN fg_codes_token_avx2

// Codes that a step takes, rows side by side, and bytes by which a row is fetched ahead of its use.
enum { FG_STEP_CODES = 64, FG_TOGETHER = 1, FG_AHEAD = 1024 };

struct fg_book {
  __m256i byte[4];
};

// Four tables of bytes of a codebook, in both halves.
static struct fg_book fg_book_of(const float *book) {
  const __m128i apart = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m128i four[4];
  for (int i = 0; i < 4; i++) four[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(book + 4 * i)), apart);
  // a square of 32-bit words is turned over its diagonal
  __m128i a = _mm_unpacklo_epi32(four[0], four[1]), b = _mm_unpacklo_epi32(four[2], four[3]);
  __m128i c = _mm_unpackhi_epi32(four[0], four[1]), d = _mm_unpackhi_epi32(four[2], four[3]);
  return (struct fg_book){{_mm256_broadcastsi128_si256(_mm_unpacklo_epi64(a, b)),
                          _mm256_broadcastsi128_si256(_mm_unpackhi_epi64(a, b)),
                          _mm256_broadcastsi128_si256(_mm_unpacklo_epi64(c, d)),
                          _mm256_broadcastsi128_si256(_mm_unpackhi_epi64(c, d))}};
}

// Puts the inputs of whole steps in the order in which centroids come.
static void fg_arrange(const float *x, int64_t count, float *to) {
  for (int64_t i = 0; i < count; i += FG_STEP_CODES) {
    for (int odd = 0; odd < 2; odd++) {
      for (int j = 0; j < 4; j++) {
        for (int t = 0; t < 4; t++) {
          to[i + 32 * odd + 8 * j + t] = x[i + 2 * (4 * j + t) + odd];
          to[i + 32 * odd + 8 * j + 4 + t] = x[i + 2 * (16 + 4 * j + t) + odd];
        }
      }
    }
  }
}

static inline __attribute__((always_inline)) __m256 floats(__m256i bits) { return _mm256_castsi256_ps(bits); }

static inline void fg_dots(const uint8_t *codes, int64_t row_bytes, int64_t count, const float *x,
                           const struct fg_book *book, int rows, float *sums) {
  (void)row_bytes, (void)rows;  // one row at a time: its tables fill the registers
  const __m256i low = _mm256_set1_epi8(15);
  __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
  for (int64_t i = 0; i < count; i += FG_STEP_CODES) {
    __m256i both = _mm256_loadu_si256((const __m256i *)(codes + i / 2));
    _mm_prefetch((const char *)(codes + i / 2 + FG_AHEAD), _MM_HINT_T0);
    for (int odd = 0; odd < 2; odd++) {
      const float *at = x + i + 32 * odd;
      __m256i code = _mm256_and_si256(odd ? _mm256_srli_epi16(both, 4) : both, low);
      __m256i first = _mm256_shuffle_epi8(book->byte[0], code), second = _mm256_shuffle_epi8(book->byte[1], code);
      __m256i third = _mm256_shuffle_epi8(book->byte[2], code), fourth = _mm256_shuffle_epi8(book->byte[3], code);
      __m256i lower = _mm256_unpacklo_epi8(first, second), upper = _mm256_unpacklo_epi8(third, fourth);
      a = _mm256_fmadd_ps(floats(_mm256_unpacklo_epi16(lower, upper)), _mm256_loadu_ps(at), a);
      b = _mm256_fmadd_ps(floats(_mm256_unpackhi_epi16(lower, upper)), _mm256_loadu_ps(at + 8), b);
      lower = _mm256_unpackhi_epi8(first, second), upper = _mm256_unpackhi_epi8(third, fourth);
      c = _mm256_fmadd_ps(floats(_mm256_unpacklo_epi16(lower, upper)), _mm256_loadu_ps(at + 16), c);
      d = _mm256_fmadd_ps(floats(_mm256_unpackhi_epi16(lower, upper)), _mm256_loadu_ps(at + 24), d);
    }
  }
  float lanes[8];
  _mm256_storeu_ps(lanes, _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
  *sums = 0;
  for (int i = 0; i < 8; i++) *sums += lanes[i];
}

#include "codes_rows.h"
