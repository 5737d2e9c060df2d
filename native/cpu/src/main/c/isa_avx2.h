// Vectors of 256 bits for the kernels that are written once for all widths.
#include <immintrin.h>
#include <stdint.h>

#define FG_LANES 8
#define FG_INLINE static inline __attribute__((always_inline))

typedef __m256 vf;
typedef __m256i vi;

FG_INLINE vf f_load(const float *p) { return _mm256_loadu_ps(p); }
FG_INLINE void f_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
FG_INLINE vf f_set(float a) { return _mm256_set1_ps(a); }
FG_INLINE vf f_add(vf a, vf b) { return _mm256_add_ps(a, b); }
FG_INLINE vf f_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
FG_INLINE vf f_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
FG_INLINE vf f_div(vf a, vf b) { return _mm256_div_ps(a, b); }
FG_INLINE vf f_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
// the second operand where one is NaN, as the instruction has it
FG_INLINE vf f_min(vf a, vf b) { return _mm256_min_ps(a, b); }
FG_INLINE vf f_max(vf a, vf b) { return _mm256_max_ps(a, b); }
FG_INLINE vf f_of(vi a) { return _mm256_cvtepi32_ps(a); }
FG_INLINE vi i_of(vf a) { return _mm256_cvtps_epi32(a); }
FG_INLINE vf f_bits(vi a) { return _mm256_castsi256_ps(a); }
FG_INLINE vi i_bits(vf a) { return _mm256_castps_si256(a); }

FG_INLINE vi i_load(const void *p) { return _mm256_loadu_si256(p); }
FG_INLINE void i_store(void *p, vi a) { _mm256_storeu_si256(p, a); }
FG_INLINE vi i_set(int32_t a) { return _mm256_set1_epi32(a); }
FG_INLINE vi i_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
FG_INLINE vi i_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
FG_INLINE vi i_mul(vi a, vi b) { return _mm256_mullo_epi32(a, b); }
FG_INLINE vi i_min(vi a, vi b) { return _mm256_min_epi32(a, b); }
FG_INLINE vi i_max(vi a, vi b) { return _mm256_max_epi32(a, b); }
FG_INLINE vi i_and(vi a, vi b) { return _mm256_and_si256(a, b); }
FG_INLINE vi i_or(vi a, vi b) { return _mm256_or_si256(a, b); }
#define i_shl(a, n) _mm256_slli_epi32(a, n)
#define i_shr(a, n) _mm256_srli_epi32(a, n)
#define i_sar(a, n) _mm256_srai_epi32(a, n)

// a where a comparison holds, or else b
FG_INLINE vf f_if_lt(vf x, vf y, vf a, vf b) { return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_LT_OQ)); }
FG_INLINE vf f_if_ge(vf x, vf y, vf a, vf b) { return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_GE_OQ)); }
FG_INLINE vf f_if_eq(vf x, vf y, vf a, vf b) { return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_EQ_OQ)); }
FG_INLINE vf f_if_nan(vf x, vf a, vf b) { return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, x, _CMP_UNORD_Q)); }

FG_INLINE float f_least(vf a) {
  float lanes[FG_LANES], least;
  f_store(lanes, a);
  least = lanes[0];
  for (int i = 1; i < FG_LANES; i++) least = lanes[i] < least ? lanes[i] : least;
  return least;
}
FG_INLINE float f_greatest(vf a) { return -f_least(f_sub(f_set(0), a)); }
FG_INLINE float f_sum(vf a) {
  float lanes[FG_LANES], sum = 0;
  f_store(lanes, a);
  for (int i = 0; i < FG_LANES; i++) sum += lanes[i];
  return sum;
}
FG_INLINE int32_t i_sum(vi a) {
  int32_t lanes[FG_LANES], sum = 0;
  i_store(lanes, a);
  for (int i = 0; i < FG_LANES; i++) sum += lanes[i];
  return sum;
}

// the low byte of every lane
FG_INLINE void i_store_bytes(uint8_t *p, vi a) {
  int32_t lanes[FG_LANES];
  i_store(lanes, a);
  for (int i = 0; i < FG_LANES; i++) p[i] = (uint8_t)lanes[i];
}
