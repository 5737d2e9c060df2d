// bf16 by AVX-512 BF16.
#include "isa_avx512.h"

#define FG_NAME(name) FG_JOIN(name)
#define FG_JOIN(name) fg_##name##_avx512
#define FG_KIND bf16_linear

// in assembly, since gcc 12 copies every sum to and fro around the intrinsic
FG_INLINE __m512 fg_dot(__m512 sum, __m512i x, __m512i w) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  return sum;
}
#define FG_DOT(sum, x, w) fg_dot(sum, x, w)

#include "linear.h"
#include "activation.h"
#include "bf16.h"

// Rounds a panel to bf16, ties to even; subnormal numbers become 0.
FG_EXPORT void fg_bf16_encode_avx512(const float *x, int64_t width, int64_t features, uint8_t *codes) {
  int64_t row_bytes = (features + 31) / 32 * 64;
  if (width == 1) {
    int64_t f = 0;
    for (; f + FG_LANES <= features; f += FG_LANES) {
      _mm256_storeu_si256((__m256i *)(codes + 2 * f), (__m256i)_mm512_cvtneps_pbh(f_load(x + f)));
    }
    for (; 2 * f < row_bytes; f += FG_LANES) {
      // features beyond the last are zeros
      int64_t rest = features > f ? features - f : 0;
      __m512 values = _mm512_maskz_loadu_ps((__mmask16)((1u << rest) - 1), x + f);
      _mm256_storeu_si256((__m256i *)(codes + 2 * f), (__m256i)_mm512_cvtneps_pbh(values));
    }
    return;
  }
  // lane i of the even feature, then lane i of the odd one
  const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (int64_t t = 0; t < width; t += FG_LANES) {
    uint8_t *to = codes + 4 * t;
    for (int64_t f = 0; 2 * f < row_bytes; f += 2, to += 4 * width) {
      vf even = f < features ? f_load(x + f * width + t) : f_set(0);
      vf odd = f + 1 < features ? f_load(x + (f + 1) * width + t) : f_set(0);
      i_store(to, _mm512_permutexvar_epi16(pairs, (__m512i)_mm512_cvtne2ps_pbh(odd, even)));
    }
  }
}
