#include "cublas/gemm.h"

#include <algorithm>

namespace simgpu::library {
namespace {

/** Columns of C computed together, so that a column of A is read once for all of them. */
constexpr std::int64_t columnTile = 4;

const std::byte* matrix(const Operand& operand, const std::vector<const void*>& batch, std::int64_t index) {
  if (!batch.empty()) return static_cast<const std::byte*>(batch[static_cast<std::size_t>(index)]);
  return static_cast<const std::byte*>(operand.data) +
         index * operand.stride * static_cast<std::int64_t>(bytesOf(operand.type));
}

/** op(operand) as consecutive columns of `rows` numbers. */
template <class Number>
std::vector<Number> unpack(const Operand& operand, const std::byte* data, std::int64_t rows, std::int64_t columns) {
  std::vector<Number> result(static_cast<std::size_t>(rows * columns));
  const auto size = static_cast<std::int64_t>(bytesOf(operand.type));
  const std::int64_t rowStep = operand.transposed ? operand.ld : 1;
  const std::int64_t columnStep = operand.transposed ? 1 : operand.ld;
  for (std::int64_t column = 0; column < columns; ++column) {
    Number* to = result.data() + column * rows;
    for (std::int64_t row = 0; row < rows; ++row) {
      to[row] = load<Number>(operand.type, data + (row * rowStep + column * columnStep) * size);
    }
  }
  return result;
}

template <class Number> void multiplyOne(const Gemm& gemm, std::int64_t index, double alpha, double beta) {
  const std::vector<Number> a = unpack<Number>(gemm.a, matrix(gemm.a, gemm.batchA, index), gemm.m, gemm.k);
  const std::vector<Number> b = unpack<Number>(gemm.b, matrix(gemm.b, gemm.batchB, index), gemm.k, gemm.n);
  const std::vector<const void*> batchC(gemm.batchC.begin(), gemm.batchC.end());
  auto* c = const_cast<std::byte*>(matrix(gemm.c, batchC, index));
  const auto size = static_cast<std::int64_t>(bytesOf(gemm.c.type));
  std::vector<Number> sums(static_cast<std::size_t>(gemm.m * columnTile));
  for (std::int64_t first = 0; first < gemm.n; first += columnTile) {
    const std::int64_t count = std::min(columnTile, gemm.n - first);
    std::fill(sums.begin(), sums.end(), Number{});
    for (std::int64_t l = 0; l < gemm.k; ++l) {
      const Number* column = a.data() + l * gemm.m;
      for (std::int64_t j = 0; j < count; ++j) {
        const Number factor = b[static_cast<std::size_t>((first + j) * gemm.k + l)];
        Number* sum = sums.data() + j * gemm.m;
        for (std::int64_t i = 0; i < gemm.m; ++i) sum[i] += column[i] * factor;
      }
    }
    for (std::int64_t j = 0; j < count; ++j) {
      for (std::int64_t i = 0; i < gemm.m; ++i) {
        std::byte* at = c + (i + (first + j) * gemm.c.ld) * size;
        const Number sum = sums[static_cast<std::size_t>(j * gemm.m + i)];
        Number value = static_cast<Number>(alpha) * sum;
        if (beta != 0) value += static_cast<Number>(beta) * load<Number>(gemm.c.type, at);
        store(gemm.c.type, at, value);
      }
    }
  }
}

} // namespace

void multiply(const Gemm& gemm, const void* alpha, const void* beta) {
  const auto scaleA = load<double>(gemm.scale, static_cast<const std::byte*>(alpha));
  const auto scaleB = load<double>(gemm.scale, static_cast<const std::byte*>(beta));
  for (std::int64_t index = 0; index < gemm.batch; ++index) {
    switch (gemm.accumulator) {
    case Type::f64: multiplyOne<double>(gemm, index, scaleA, scaleB); break;
    case Type::s32: multiplyOne<std::int32_t>(gemm, index, scaleA, scaleB); break;
    default: multiplyOne<float>(gemm, index, scaleA, scaleB); break;
    }
  }
}

std::uint64_t spanBytes(const Operand& operand, std::int64_t rows, std::int64_t columns) {
  if (rows == 0 || columns == 0) return 0;
  const std::int64_t stored = operand.transposed ? columns : rows;
  const std::int64_t storedColumns = operand.transposed ? rows : columns;
  return static_cast<std::uint64_t>((storedColumns - 1) * operand.ld + stored) * bytesOf(operand.type);
}

} // namespace simgpu::library
