// int8 by AVX2.
#include "isa_avx2.h"

#define FG_NAME(name) FG_JOIN(name)
#define FG_JOIN(name) fg_##name##_avx2
#define FG_KIND int8_linear

// Even and odd bytes as 16-bit numbers, whose products of pairs are exact; the instruction for bytes saturates.
FG_INLINE __m256i fg_dot(__m256i sum, __m256i x, __m256i w) {
  __m256i x_even = _mm256_and_si256(x, _mm256_set1_epi16(0xff));
  __m256i x_odd = _mm256_srli_epi16(x, 8);
  __m256i w_even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
  __m256i w_odd = _mm256_srai_epi16(w, 8);
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x_even, w_even));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(x_odd, w_odd));
}
#define FG_DOT(sum, x, w) fg_dot(sum, x, w)

#include "linear.h"
#include "activation.h"
#include "encode_int8.h"
#include "int8.h"
