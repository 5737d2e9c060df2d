// The 2:4 GEMM that the interpreter's speed is measured with: D[n][m] = sum over k of W[m][k] * X[n][k] in fp16, W
// compressed, tiles of 64x64x64, three cp.async stages, four warps.
//
//   nvcc -arch=compute_80 -std=c++17 -O3 -ptx spgemm.cu
#include <cuda_fp16.h>
#include <stdint.h>

constexpr int tileM = 64;
constexpr int tileN = 64;
constexpr int tileK = 64;
constexpr int stages = 3;
constexpr int threads = 128;
constexpr int strideA = tileK / 2 + 8; // halves; the padding keeps ldmatrix free of bank conflicts
constexpr int strideB = tileK + 8;

__device__ uint32_t sharedAddress(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/** 16 bytes, or zeros when the row does not exist. */
__device__ void copy16(uint32_t to, const void* from, bool exists) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from), "r"(exists ? 16 : 0));
}

__device__ void loadMatrices(uint32_t (&r)[4], uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from));
}

__device__ void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t metadata) {
  asm volatile("mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9,%10,%11}, "
               "{%0,%1,%2,%3}, %12, 0x0;\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(metadata));
}

extern "C" __global__ void __launch_bounds__(threads)
    spgemm_f16(const half* weights, const uint32_t* metadata, const half* inputs, const float* bias, half* outputs,
               int m, int n, int k, int activation) {
  extern __shared__ __align__(16) unsigned char memory[];
  half* const a = reinterpret_cast<half*>(memory);
  half* const b = a + stages * tileM * strideA;
  const int lane = threadIdx.x & 31;
  const int warpM = (threadIdx.x >> 5 & 1) * (tileM / 2);
  const int warpN = (threadIdx.x >> 6) * (tileN / 2);
  const int firstM = blockIdx.y * tileM;
  const int firstN = blockIdx.x * tileN;
  float sums[2][4][4] = {};

  const auto load = [&](int stage, int step) {
#pragma unroll
    for (int i = threadIdx.x; i < tileM * (tileK / 16); i += threads) {
      const int row = i / (tileK / 16);
      const int column = i % (tileK / 16) * 8;
      copy16(sharedAddress(a + (stage * tileM + row) * strideA + column),
             weights + static_cast<size_t>(firstM + row) * (k / 2) + step * (tileK / 2) + column, firstM + row < m);
    }
#pragma unroll
    for (int i = threadIdx.x; i < tileN * (tileK / 8); i += threads) {
      const int row = i / (tileK / 8);
      const int column = i % (tileK / 8) * 8;
      copy16(sharedAddress(b + (stage * tileN + row) * strideB + column),
             inputs + static_cast<size_t>(firstN + row) * k + step * tileK + column, firstN + row < n);
    }
    asm volatile("cp.async.commit_group;\n");
  };

  const int steps = k / tileK;
#pragma unroll
  for (int stage = 0; stage < stages - 1; stage++) {
    load(stage, stage);
  }
  for (int step = 0; step < steps; step++) {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(stages - 2));
    __syncthreads();
    if (step + stages - 1 < steps) {
      load((step + stages - 1) % stages, step + stages - 1);
    } else {
      asm volatile("cp.async.commit_group;\n");
    }
    const half* const stageA = a + step % stages * tileM * strideA;
    const half* const stageB = b + step % stages * tileN * strideB;
#pragma unroll
    for (int inner = 0; inner < tileK; inner += 32) {
      uint32_t fragmentA[2][4];
      uint32_t fragmentB[4][4];
      uint32_t selectors[2];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        loadMatrices(fragmentA[i], sharedAddress(stageA + (warpM + i * 16 + (lane & 15)) * strideA + inner / 2 +
                                                 (lane >> 4) * 8));
        const size_t block = static_cast<size_t>((firstM + warpM) / 16 + i) * (k / 32) + (step * tileK + inner) / 32;
        selectors[i] = __ldg(metadata + block * 16 + (lane >> 2) * 2 + (lane & 1));
      }
#pragma unroll
      for (int j = 0; j < 4; j++) {
        loadMatrices(fragmentB[j], sharedAddress(stageB + (warpN + j * 8 + (lane & 7)) * strideB + inner +
                                                 (lane >> 3) * 8));
      }
#pragma unroll
      for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
          multiply(sums[i][j], fragmentA[i], fragmentB[j], selectors[i]);
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = firstM + warpM + i * 16 + (lane >> 2);
    const float upper = bias != nullptr ? bias[row] : 0.0f;
    const float lower = bias != nullptr ? bias[row + 8] : 0.0f;
#pragma unroll
    for (int j = 0; j < 4; j++) {
#pragma unroll
      for (int c = 0; c < 2; c++) {
        const int column = firstN + warpN + j * 8 + (lane & 3) * 2 + c;
        if (column < n) {
          const float first = sums[i][j][c] + upper;
          const float second = sums[i][j][2 + c] + lower;
          outputs[static_cast<size_t>(column) * m + row] = __float2half_rn(activation != 0 ? fmaxf(first, 0.0f) : first);
          outputs[static_cast<size_t>(column) * m + row + 8] =
              __float2half_rn(activation != 0 ? fmaxf(second, 0.0f) : second);
        }
      }
    }
  }
}
