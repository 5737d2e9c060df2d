// Vectors of 512 bits for the kernels that are written once for all widths.
#include <immintrin.h>
#include <stdint.h>

#define FG_LANES 16
#define FG_INLINE static inline __attribute__((always_inline))

typedef __m512 vf;
typedef __m512i vi;

FG_INLINE vf f_load(const float *p) { return _mm512_loadu_ps(p); }
FG_INLINE void f_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
FG_INLINE vf f_set(float a) { return _mm512_set1_ps(a); }
FG_INLINE vf f_add(vf a, vf b) { return _mm512_add_ps(a, b); }
FG_INLINE vf f_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
FG_INLINE vf f_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
FG_INLINE vf f_div(vf a, vf b) { return _mm512_div_ps(a, b); }
FG_INLINE vf f_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
// the second operand where one is NaN, as the instruction has it
FG_INLINE vf f_min(vf a, vf b) { return _mm512_min_ps(a, b); }
FG_INLINE vf f_max(vf a, vf b) { return _mm512_max_ps(a, b); }
FG_INLINE vf f_of(vi a) { return _mm512_cvtepi32_ps(a); }
FG_INLINE vi i_of(vf a) { return _mm512_cvtps_epi32(a); }
FG_INLINE vf f_bits(vi a) { return _mm512_castsi512_ps(a); }
FG_INLINE vi i_bits(vf a) { return _mm512_castps_si512(a); }

FG_INLINE vi i_load(const void *p) { return _mm512_loadu_si512(p); }
FG_INLINE void i_store(void *p, vi a) { _mm512_storeu_si512(p, a); }
FG_INLINE vi i_set(int32_t a) { return _mm512_set1_epi32(a); }
FG_INLINE vi i_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
FG_INLINE vi i_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
FG_INLINE vi i_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
FG_INLINE vi i_min(vi a, vi b) { return _mm512_min_epi32(a, b); }
FG_INLINE vi i_max(vi a, vi b) { return _mm512_max_epi32(a, b); }
FG_INLINE vi i_and(vi a, vi b) { return _mm512_and_si512(a, b); }
FG_INLINE vi i_or(vi a, vi b) { return _mm512_or_si512(a, b); }
#define i_shl(a, n) _mm512_slli_epi32(a, n)
#define i_shr(a, n) _mm512_srli_epi32(a, n)
#define i_sar(a, n) _mm512_srai_epi32(a, n)

// a where a comparison holds, or else b
FG_INLINE vf f_if_lt(vf x, vf y, vf a, vf b) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_LT_OQ), b, a);
}
FG_INLINE vf f_if_ge(vf x, vf y, vf a, vf b) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_GE_OQ), b, a);
}
FG_INLINE vf f_if_eq(vf x, vf y, vf a, vf b) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_EQ_OQ), b, a);
}
FG_INLINE vf f_if_nan(vf x, vf a, vf b) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), b, a);
}

FG_INLINE float f_least(vf a) { return _mm512_reduce_min_ps(a); }
FG_INLINE float f_greatest(vf a) { return _mm512_reduce_max_ps(a); }
FG_INLINE float f_sum(vf a) { return _mm512_reduce_add_ps(a); }
FG_INLINE int32_t i_sum(vi a) { return _mm512_reduce_add_epi32(a); }

// the low byte of every lane, and the low half
FG_INLINE void i_store_bytes(uint8_t *p, vi a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a)); }
FG_INLINE void i_store_halves(uint8_t *p, vi a) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(a)); }
