// What becomes of a sum of products of codes: the sum itself, or a code again.
#pragma once

#include "common/walk.cuh"

/** Codes of either sign, a byte each. */
struct Codes {
  const uint8_t* at;
  int isSigned;

  // the sign bit turned over makes signed codes unsigned ones, 128 too large
  __device__ int read(int64_t i) const { return (__ldg(at + i) ^ (isSigned << 7)) - (isSigned << 7); }
};

/** One number for all lines, or one for each; null stands for 0. */
template <typename T>
struct Lines {
  const T* at;
  int count;

  __device__ T of(int line) const { return at == nullptr ? T() : __ldg(at + (count == 1 ? 0 : line)); }
};

// The parameter `result`.
enum ResultKind : int { sums = 0, unsignedCodes = 1, signedCodes = 2 };

struct Requantization {
  Lines<float> scaleA;
  Lines<float> scaleB;
  double scaleY;
  double inverse;
  int zeroY;
  int kind;

  // A division calls a subroutine, around which sums would spill: the correct reciprocal comes of two of Newton's steps, and
  // with it a correct quotient of one (Markstein, 1990).
  __device__ Requantization(Lines<float> a, Lines<float> b, const float* scale, const int* zero, int result)
      : scaleA(a),
        scaleB(b),
        scaleY(result == sums ? 1 : __ldg(scale)),
        zeroY(result == sums ? 0 : __ldg(zero)),
        kind(result) {
    inverse = __fdividef(1, static_cast<float>(scaleY));
#pragma unroll
    for (int step = 0; step < 2; step++) {
      inverse = fma(fma(-scaleY, inverse, 1.0), inverse, inverse);
    }
  }

  // each step rounded to f32, half to even, saturated: sum * (scaleA * scaleB / scaleY) + zero, as the reference has it; a
  // quotient of floats that was rounded to double may be rounded again
  __device__ int code(int sum, int lineA, int lineB) const {
    const double product = __fmul_rn(scaleA.of(lineA), scaleB.of(lineB));
    const double near = product * inverse;
    const float scale = static_cast<float>(fma(fma(-near, scaleY, product), inverse, near));
    const float level = rintf(__fmul_rn(__int2float_rn(sum), scale)) + zeroY;
    const int least = kind == signedCodes ? -128 : 0;
    return level != level ? 0 : level <= least ? least : level >= least + 255 ? least + 255 : static_cast<int>(level);
  }

  // eight neighbours of a row of results
  __device__ void store(void* y, int64_t offset, int column, int columns, int pitch, const int (&sum)[perThread], int lineA,
                        int lineB, int stepB) const {
    if (kind == sums) {
      alignas(16) int results[perThread];
#pragma unroll
      for (int i = 0; i < perThread; i++) {
        results[i] = sum[i];
      }
      storeRow(static_cast<int*>(y) + offset, column, columns, pitch, results);
      return;
    }
    alignas(16) uint8_t codes[perThread];
#pragma unroll
    for (int i = 0; i < perThread; i++) {
      codes[i] = column + i < columns ? static_cast<uint8_t>(code(sum[i], lineA, lineB + i * stepB)) : 0;
    }
    storeRow(static_cast<uint8_t*>(y) + offset, column, columns, pitch, codes);
  }
};
