// The PTX instructions of the linear layers, one function each. Layouts: PTX ISA 9.7.14.5 and 9.7.14.6.
#pragma once

#include "common/instruction.cuh"

#include <cstdint>
#include <utility>

namespace filigree {

/** Calls f with the compile-time numbers 0 to n - 1: offsets in addresses then cost no instruction. */
template <class F, int... i> __device__ void forEach(F f, std::integer_sequence<int, i...>) {
  (f(std::integral_constant<int, i>{}), ...);
}
template <int n, class F> __device__ void forEach(F f) { forEach(f, std::make_integer_sequence<int, n>{}); }

/** Starts a copy of 16 bytes past the first-level cache. */
template <int offset> __device__ void copyAsync(uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0+%2], [%1], 16;" ::"r"(to), "l"(from), "n"(offset));
}

/** The same of 16 or 0 `bytes`, and zeros for the rest; from 0 bytes nothing is read, whatever the address. */
template <int offset> __device__ void copyAsync(uint32_t to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0+%3], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes), "n"(offset));
}

/** Four matrices of 8 rows x 16 bytes; lane l gives the address of row l%8 of matrix l/8. */
template <int offset> __device__ void loadMatrices(uint32_t (&r)[4], uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4+%5];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from), "n"(offset));
}

template <int words> struct Words { uint32_t r[words]; };

template <int offset = 0> __device__ Words<4> loadShared16(uint32_t from) {
  Words<4> v;
  asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4+%5];"
               : "=r"(v.r[0]), "=r"(v.r[1]), "=r"(v.r[2]), "=r"(v.r[3])
               : "r"(from), "n"(offset));
  return v;
}

__device__ inline Words<2> loadShared8(uint32_t from) {
  Words<2> v;
  asm volatile("ld.shared.v2.u32 {%0,%1}, [%2];" : "=r"(v.r[0]), "=r"(v.r[1]) : "r"(from));
  return v;
}

/**
 * Bytes chosen by the four nibbles of a selector from a (0..3) and b (4..7); a nibble's fourth bit takes the chosen
 * byte's sign instead, eight times.
 */
__device__ inline uint32_t permuteBytes(uint32_t a, uint32_t b, uint32_t selector) {
  uint32_t chosen;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(chosen) : "r"(a), "r"(b), "r"(selector));
  return chosen;
}

/** The bits of `ones` where the mask has a 1, of `zeros` where it has a 0. */
__device__ inline uint32_t choose(uint32_t mask, uint32_t ones, uint32_t zeros) {
  uint32_t chosen;
  asm("lop3.b32 %0, %1, %2, %3, 0xca;" : "=r"(chosen) : "r"(mask), "r"(ones), "r"(zeros));
  return chosen;
}

struct F16 {};
struct BF16 {};

__device__ inline void multiplyDense(F16, float (&c)[4], const uint32_t* a, const uint32_t* b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void multiplyDense(BF16, float (&c)[4], const uint32_t* a, const uint32_t* b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void multiplyDense(int (&c)[4], const uint32_t* a, const uint32_t* b) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/** `selector` names the pair of lanes in each quad that supplies the metadata. */
template <int selector>
__device__ inline void multiplySparse(F16, float (&c)[4], const uint32_t* a, const uint32_t* b, uint32_t metadata) {
  static_assert(selector == 0 || selector == 1, "m16n8k32 has two pairs of lanes; ptxas accepts 2 and 3 and computes nonsense");
  asm("mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, "
      "{%0,%1,%2,%3}, %12, %13;"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata), "n"(selector));
}

template <int selector>
__device__ inline void multiplySparse(BF16, float (&c)[4], const uint32_t* a, const uint32_t* b, uint32_t metadata) {
  static_assert(selector == 0 || selector == 1, "m16n8k32 has two pairs of lanes; ptxas accepts 2 and 3 and computes nonsense");
  asm("mma.sp.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, "
      "{%0,%1,%2,%3}, %12, %13;"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata), "n"(selector));
}

/** All four lanes of a quad supply metadata, so there is only selector 0. */
__device__ inline void multiplySparse(int (&c)[4], const uint32_t* a, const uint32_t* b, uint32_t metadata) {
  asm("mma.sp.sync.aligned.m16n8k64.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, "
      "{%0,%1,%2,%3}, %12, 0x0;"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata));
}

} // namespace filigree
