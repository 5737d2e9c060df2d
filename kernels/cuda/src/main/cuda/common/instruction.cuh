// PTX instructions that CUDA C++ has no good name for.
#pragma once

#include "common/element.cuh"

__device__ inline unsigned sharedAddress(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// Copies 16 bytes to shared memory without waiting, or writes 16 zero bytes there. `from` is not read in that case.
__device__ inline void copyAsync(void* to, const void* from, bool exists) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)), "l"(from), "r"(exists ? 16 : 0)
               : "memory");
}

__device__ inline void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most PENDING of the newest groups are under way.
template <int PENDING>
__device__ inline void waitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Four 8x8 matrices of 16-bit elements; lane 8i + r gives the address of row r of matrix i. Lane 4g + q receives
// elements 2q and 2q+1 of row g of each.
__device__ inline void loadMatrices(unsigned (&into)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(into[0]), "=r"(into[1]), "=r"(into[2]), "=r"(into[3])
               : "r"(sharedAddress(row))
               : "memory");
}

// The same with each matrix transposed: lane 4g + q receives elements g of the rows 2q and 2q+1.
__device__ inline void loadTransposed(unsigned (&into)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(into[0]), "=r"(into[1]), "=r"(into[2]), "=r"(into[3])
               : "r"(sharedAddress(row))
               : "memory");
}

// d += a * b for a 16x16 tile, a 16x8 tile stored column by column, and a 16x8 tile of sums; g = lane / 4, q = lane % 4:
//   a: rows g, g+8, columns 2q, 2q+1 | the same, columns + 8     b: column g, rows 2q, 2q+1 | rows + 8
//   d: row g, columns 2q, 2q+1 | row g+8
template <typename T>
__device__ void multiplyAdd(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);

template <>
__device__ inline void multiplyAdd<__half>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <>
__device__ inline void multiplyAdd<__nv_bfloat16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// 2 to the power of x, with an error of two units in the last place; subnormal results become zero.
__device__ inline float exp2Approximate(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Two neighbouring elements in one register, the first in the low half.
template <typename T>
__device__ inline unsigned pair(float first, float second) {
  T both[2] = {fromFloat<T>(first), fromFloat<T>(second)};
  unsigned bits;
  memcpy(&bits, both, sizeof bits);
  return bits;
}
