// One token times weights that are codes of 4 bits, by AVX2. An instruction looks sixteen bytes up in a table of sixteen,
// twice, for the two halves of a vector. A centroid has four bytes, so there are four tables, one for each:
//
//   bytes of memory    1 0 | 3 2 | 5 4 | ...                 codes of inputs, two to a byte
//   even codes           0     2     4    ...                one to a byte, 32 of them; the odd ones after these
//   looked up          first bytes, second bytes, third bytes and fourth bytes of 32 centroids
//   put together       centroids 0..3, 16..19 | 4..7, 20..23 | 8..11, 24..27 | 12..15, 28..31 of the even codes
//
// which are floats, bit for bit. The inputs are put in the same order once for all rows, a stretch of them at a time,
// which then stays in the first cache. The scalar twin is dev.filigree.weights.Codebook.
#include <immintrin.h>
#include <string.h>

#include "codes.h"
#include "linear.h"

// Inputs that are put in order together, and codes that a step takes.
enum { FG_STRETCH = 4096, FG_STEP_CODES = 64 };

// How far ahead of its use a row is fetched.
enum { FG_AHEAD = 1024 };

struct tables {
  __m256i byte[4];
};

// Four tables of bytes of a codebook, in both halves.
static struct tables tables_of(const float *book) {
  const __m128i apart = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m128i four[4];
  for (int i = 0; i < 4; i++) four[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(book + 4 * i)), apart);
  // a square of 32-bit words is turned over its diagonal
  __m128i a = _mm_unpacklo_epi32(four[0], four[1]), b = _mm_unpacklo_epi32(four[2], four[3]);
  __m128i c = _mm_unpackhi_epi32(four[0], four[1]), d = _mm_unpackhi_epi32(four[2], four[3]);
  return (struct tables){{_mm256_broadcastsi128_si256(_mm_unpacklo_epi64(a, b)),
                          _mm256_broadcastsi128_si256(_mm_unpackhi_epi64(a, b)),
                          _mm256_broadcastsi128_si256(_mm_unpacklo_epi64(c, d)),
                          _mm256_broadcastsi128_si256(_mm_unpackhi_epi64(c, d))}};
}

// Puts the inputs of whole steps in the order in which centroids come.
static void arrange(const float *x, int64_t count, float *to) {
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

// The product of whole steps of a row; x is arranged.
static float dot(const uint8_t *codes, int64_t count, const float *x, const struct tables *book) {
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
  float lanes[8], sum = 0;
  _mm256_storeu_ps(lanes, _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
  for (int i = 0; i < 8; i++) sum += lanes[i];
  return sum;
}

// Adds the products of rows from one up to another to their outputs.
FG_EXPORT void fg_codes_token_avx2(const struct fg_codes *w, const float *x, float *y, int64_t from, int64_t to) {
  float arranged[FG_STRETCH] __attribute__((aligned(32)));
  for (int64_t k = 0; k < w->columns; k += FG_STRETCH) {
    int64_t count = w->columns - k < FG_STRETCH ? w->columns - k : FG_STRETCH;
    int64_t whole = count / FG_STEP_CODES * FG_STEP_CODES;
    struct tables tables;
    int64_t known = -1;
    arrange(x + k, whole, arranged);
    for (int64_t row = from; row < to; row++) {
      const uint8_t *codes = w->codes + row * w->row_bytes + k / 2;
      int64_t number = w->rows_per_book == 0 ? 0 : row / w->rows_per_book;
      const float *book = w->books + 16 * number;
      if (number != known) {
        tables = tables_of(book);
        known = number;
      }
      float sum = dot(codes, whole, arranged, &tables);
      for (int64_t i = whole; i < count; i++) sum += book[codes[i / 2] >> (i % 2 * 4) & 15] * x[k + i];
      y[row] += sum;
    }
  }
}
