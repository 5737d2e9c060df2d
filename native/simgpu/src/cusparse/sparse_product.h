// C = alpha op(A) op(B) + beta C with sparse A and dense B, on the CPU.
#pragma once

#include "cusparse/descriptor.h"
#include "driver/simgpu.h"

#include <string>
#include <vector>

namespace simgpu::library {

struct SparseProduct {
  SparseMatrix a;
  DenseMatrix b;
  DenseMatrix c;
  bool transposeA = false;
  bool transposeB = false;
  Type compute = Type::f32; // of the sums and of alpha and beta
};

/** Why the pointers of the product cannot be used; empty when they can. */
std::string checkMemory(const SparseProduct& product);

/** What the product reads and writes; `readsC` when beta is known not to be 0. */
std::vector<simgpuRange> rangesOf(const SparseProduct& product, bool readsC);

/** Computes it; on a broken structure (offsets or indices out of range) says what is broken and leaves C alone. */
std::string multiply(const SparseProduct& product, const void* alpha, const void* beta);

} // namespace simgpu::library
