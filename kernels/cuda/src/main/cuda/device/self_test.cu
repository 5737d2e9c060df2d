// One sparse tensor-core product of known operands: what a device must get right before anything else runs on it.
#include "facts.cuh"

#include <cstdint>

namespace {

constexpr int threads = 32;

} // namespace

/**
 * y = W x for one 2:4 fragment, by mma.sp m16n8k32 in f16 with an f32 sum.
 *
 *   w     one lane's four registers together, [32 lanes][4]
 *   meta  [32 lanes], selector 0
 *   x     f16 [8 columns][32 k]
 *   y     f32 [16 rows][8 columns]
 */
extern "C" __global__ void __launch_bounds__(threads)
    self_test(const uint4* __restrict__ w, const uint32_t* __restrict__ meta, const uint32_t* __restrict__ x,
              float* __restrict__ y) {
  KERNEL_FACT("operation selfTest");
  KERNEL_FACT("grid single");
  KERNEL_FACT("parameters w:pointer meta:pointer x:pointer y:pointer");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", 0);
  const int lane = static_cast<int>(threadIdx.x);
  const int group = lane >> 2;
  const int quad = lane & 3;
  const uint4 a = w[lane];
  uint32_t b[4];
  for (int i = 0; i < 4; i++) {
    b[i] = x[group * 16 + 4 * i + quad];
  }
  float c[4] = {};
  asm volatile("mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, "
               "{%0,%1,%2,%3}, %12, 0x0;"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(meta[lane]));
  float* const upper = y + group * 8 + quad * 2;
  upper[0] = c[0];
  upper[1] = c[1];
  upper[64] = c[2];
  upper[65] = c[3];
}
