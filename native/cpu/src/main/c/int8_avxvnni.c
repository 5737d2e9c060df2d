// int8 by AVX-VNNI, which processors without AVX-512 have.
#include "isa_avx2.h"

#define FG_NAME(name) FG_JOIN(name)
#define FG_JOIN(name) fg_##name##_avxvnni
#define FG_KIND int8_linear

// in assembly, since gcc 12 copies every sum to and fro around the intrinsic
FG_INLINE __m256i fg_dot(__m256i sum, __m256i x, __m256i w) {
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
  return sum;
}
#define FG_DOT(sum, x, w) fg_dot(sum, x, w)

#include "linear.h"
#include "activation.h"
#include "encode_int8.h"
#include "int8.h"
