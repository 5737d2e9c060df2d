// C = alpha op(A) op(B) + beta C for column-major matrices, on the CPU.
#pragma once

#include "library/element.h"

#include <cstdint>
#include <vector>

namespace simgpu::library {

/** A matrix as cuBLAS sees it: columns `ld` elements apart. */
struct Operand {
  const void* data = nullptr;
  Type type = Type::f32;
  std::int64_t ld = 0;
  bool transposed = false;
  std::int64_t stride = 0; // elements from one matrix of a batch to the next
};

struct Gemm {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t batch = 1;
  Operand a;
  Operand b;
  Operand c;
  bool operationsKnown = true; // not transposed, transposed or conjugated
  Type scale = Type::f32;      // of alpha and beta
  Type accumulator = Type::f32;
  /** Pointers of each matrix of the batch; empty when the strides tell. */
  std::vector<const void*> batchA;
  std::vector<const void*> batchB;
  std::vector<void*> batchC;
};

/** Sums in `accumulator`: f32 (for every floating-point type below it), f64 or s32. A beta of 0 does not read C. */
void multiply(const Gemm& gemm, const void* alpha, const void* beta);

/** Bytes an operand of `rows` x `columns` elements spans. */
std::uint64_t spanBytes(const Operand& operand, std::int64_t rows, std::int64_t columns);

} // namespace simgpu::library
