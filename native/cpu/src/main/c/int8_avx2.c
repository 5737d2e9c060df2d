// int8 by AVX2. The instruction for bytes adds pairs of products into 16 bits and saturates there. Weights are laid out
// so that it never does: among the four of two neighbouring groups whose products meet in a 16-bit lane,
//
//   group g    w0 w1 | w2 w3        lane 0 adds the products of w0, w1, w4 and w5
//   group g+1  w4 w5 | w6 w7        lane 1 those of w2, w3, w6 and w7
//
// the positive ones sum to 128 at most and the negative ones to -128 at least, and a code is 255 at most: 32,640 fits.
// What that takes from a weight stands in a list beside its row, which is added afterwards: entries of four bytes of a
// group, of which no pair can saturate either. Of normal weights one group in six needs it where every row fills the
// range of its codes, and one in thirty where only the matrix does.
#include "isa_avx2.h"

#define FG_NAME(name) FG_JOIN(name)
#define FG_JOIN(name) fg_##name##_avx2
#define FG_KIND int8_linear

// A group.
FG_INLINE __m256i fg_dot(__m256i sum, __m256i x, __m256i w) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)));
}
#define FG_DOT_ONE(sum, x, w) fg_dot(sum, x, w)

// Two neighbouring groups.
struct fg_two {
  __m256i first, second;
};
FG_INLINE struct fg_two fg_tokens(const uint8_t *x, int64_t width) {
  return (struct fg_two){i_load(x), i_load(x + 4 * width)};
}
FG_INLINE struct fg_two fg_weights(const uint8_t *w) {
  return (struct fg_two){i_set(*(const int32_t *)w), i_set(*(const int32_t *)(w + 4))};
}
// In assembly, and with the ones in memory: eight sums, four vectors of tokens, two of weights and these two fill all
// registers, and gcc 12 keeps some of the sums in memory where it may order the instructions itself.
FG_INLINE __m256i fg_dot_two(__m256i sum, struct fg_two x, struct fg_two w) {
  static const __m256i ones = {0x0001000100010001, 0x0001000100010001, 0x0001000100010001, 0x0001000100010001};
  __m256i pairs, more;
  __asm__("vpmaddubsw %4, %3, %1\n\t"
          "vpmaddubsw %6, %5, %2\n\t"
          "vpaddw %2, %1, %1\n\t"
          "vpmaddwd %7, %1, %1\n\t"
          "vpaddd %1, %0, %0"
          : "+x"(sum), "=&x"(pairs), "=&x"(more)
          : "x"(x.first), "x"(w.first), "x"(x.second), "x"(w.second), "m"(ones));
  return sum;
}
#define FG_DOT(sum, x, w) fg_dot_two(sum, x, w)
#define FG_STEP 2
#define FG_OPERAND struct fg_two
#define FG_TOKENS(x, width) fg_tokens(x, width)
#define FG_WEIGHTS(w) fg_weights(w)

#define FG_REST(r, v) sum##r##_##v = fg_dot(sum##r##_##v, i_load(at + 4 * FG_LANES * v), four);
#define FG_ROW_REST(r, n)                                                         \
  for (int32_t e = l->starts[row + r]; e < l->starts[row + r + 1]; e++) {         \
    const uint8_t *at = first + (int64_t)l->rest_groups[e] * 4 * width;           \
    vi four = i_set(l->rest_bytes[e]);                                            \
    FG_WITH##n(FG_REST, r)                                                        \
  }

#include "linear.h"

// The same for one token, eight entries at a time.
static int32_t fg_rest_of_token(const struct fg_linear *l, const uint8_t *codes, int64_t row) {
  int32_t e = l->starts[row], end = l->starts[row + 1], rest = 0;
  if (e + FG_LANES <= end) {
    vi sum = i_set(0);
    for (; e + FG_LANES <= end; e += FG_LANES) {
      vi x = _mm256_i32gather_epi32((const int *)codes, i_load(l->rest_groups + e), 4);
      sum = fg_dot(sum, x, i_load(l->rest_bytes + e));
    }
    rest = i_sum(sum);
  }
  for (; e < end; e++) {
    const uint8_t *x = codes + (int64_t)l->rest_groups[e] * 4;
    const int8_t *w = (const int8_t *)(l->rest_bytes + e);
    for (int j = 0; j < 4; j++) rest += x[j] * w[j];
  }
  return rest;
}
#define FG_REST_OF_TOKEN(l, codes, row) fg_rest_of_token(l, codes, row)

#include "activation.h"
#include "encode_int8.h"
#include "int8.h"
