// int8 by AVX-512 VNNI.
#include "isa_avx512.h"

#define FG_NAME(name) FG_JOIN(name)
#define FG_JOIN(name) fg_##name##_avx512
#define FG_KIND int8_linear

// in assembly, since gcc 12 copies every sum to and fro around the intrinsic
FG_INLINE __m512i fg_dot(__m512i sum, __m512i x, __m512i w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  return sum;
}
#define FG_DOT(sum, x, w) fg_dot(sum, x, w)

#include "linear.h"
#include "activation.h"
#include "encode_int8.h"
#include "int8.h"
