#include "cusparse/sparse_product.h"

#include "library/memory_check.h"

#include <vector>

namespace simgpu::library {
namespace {

/** One stored value: its place in A. */
template <class Number> struct Entry {
  std::int64_t row;
  std::int64_t column;
  Number value;
};

std::int64_t index(const void* list, int type, std::int64_t at) {
  const std::byte* start = bytesAt(list);
  return type == CUSPARSE_INDEX_64I ? loadRaw<std::int64_t>(start + at * 8) : loadRaw<std::int32_t>(start + at * 4);
}

std::uint64_t indexBytes(int type) { return type == CUSPARSE_INDEX_64I ? 8 : 4; }

template <class Number> std::string readCsr(const SparseMatrix& a, std::vector<Entry<Number>>& entries) {
  const std::size_t size = bytesOf(a.type);
  for (std::int64_t row = 0; row < a.rows; ++row) {
    const std::int64_t first = index(a.offsets, a.offsetType, row) - a.base;
    const std::int64_t last = index(a.offsets, a.offsetType, row + 1) - a.base;
    if (first < 0 || last < first || last > a.nonzeros) {
      return "the row offsets of row " + std::to_string(row) + " are " + std::to_string(first) + " and " +
             std::to_string(last) + " with " + std::to_string(a.nonzeros) + " stored values";
    }
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t column = index(a.indices, a.indexType, i) - a.base;
      if (column < 0 || column >= a.columns) {
        return "stored value " + std::to_string(i) + " of row " + std::to_string(row) + " names column " +
               std::to_string(column) + " of " + std::to_string(a.columns);
      }
      entries.push_back({row, column, load<Number>(a.type, bytesAt(a.values) + static_cast<std::size_t>(i) * size)});
    }
  }
  return {};
}

// The values of Blocked-ELL are a row-major matrix of rows x ellColumns; index -1 marks a block that is not there.
//
//            ellColumns = 2 blocks        indices (rows / blockSize rows of 2)
//   row 0    | v v | v v |                | 1  4 |
//   row 1    | v v | v v |
//   row 2    | v v | . . |                | 0 -1 |
template <class Number> std::string readBlockedEll(const SparseMatrix& a, std::vector<Entry<Number>>& entries) {
  const std::int64_t perRow = a.ellColumns / a.blockSize;
  const auto size = static_cast<std::int64_t>(bytesOf(a.type));
  for (std::int64_t row = 0; row < a.rows; ++row) {
    for (std::int64_t block = 0; block < perRow; ++block) {
      const std::int64_t raw = index(a.indices, a.indexType, row / a.blockSize * perRow + block);
      if (raw < 0) continue;
      const std::int64_t first = (raw - a.base) * a.blockSize;
      if (first < 0 || first + a.blockSize > a.columns) {
        return "block " + std::to_string(block) + " of row " + std::to_string(row) + " is at block column " +
               std::to_string(raw) + " of " + std::to_string(a.columns / a.blockSize);
      }
      for (std::int64_t i = 0; i < a.blockSize; ++i) {
        const std::int64_t at = row * a.ellColumns + block * a.blockSize + i;
        entries.push_back({row, first + i, load<Number>(a.type, bytesAt(a.values) + at * size)});
      }
    }
  }
  return {};
}

template <class Number> std::string multiplyAs(const SparseProduct& product, double alpha, double beta) {
  std::vector<Entry<Number>> entries;
  const std::string broken = product.a.format == CUSPARSE_FORMAT_CSR ? readCsr(product.a, entries)
                                                                     : readBlockedEll(product.a, entries);
  if (!broken.empty()) return broken;
  const DenseMatrix& b = product.b;
  const DenseMatrix& c = product.c;
  const std::int64_t inner = product.transposeB ? b.columns : b.rows;
  const std::int64_t columns = c.columns;
  const auto sizeB = static_cast<std::int64_t>(bytesOf(b.type));
  const std::int64_t stepK = product.transposeB ? b.columnStep() : b.rowStep();
  const std::int64_t stepN = product.transposeB ? b.rowStep() : b.columnStep();
  std::vector<Number> dense(static_cast<std::size_t>(inner * columns)); // op(B), row-major
  for (std::int64_t k = 0; k < inner; ++k) {
    for (std::int64_t n = 0; n < columns; ++n) {
      dense[static_cast<std::size_t>(k * columns + n)] =
          load<Number>(b.type, bytesAt(b.values) + (k * stepK + n * stepN) * sizeB);
    }
  }
  std::vector<Number> sums(static_cast<std::size_t>(c.rows * columns));
  for (const Entry<Number>& entry : entries) {
    const std::int64_t row = product.transposeA ? entry.column : entry.row;
    const std::int64_t k = product.transposeA ? entry.row : entry.column;
    Number* sum = sums.data() + row * columns;
    const Number* line = dense.data() + k * columns;
    for (std::int64_t n = 0; n < columns; ++n) sum[n] += entry.value * line[n];
  }
  const auto sizeC = static_cast<std::int64_t>(bytesOf(c.type));
  auto* to = const_cast<std::byte*>(bytesAt(c.values));
  for (std::int64_t row = 0; row < c.rows; ++row) {
    for (std::int64_t n = 0; n < columns; ++n) {
      std::byte* at = to + (row * c.rowStep() + n * c.columnStep()) * sizeC;
      Number value = static_cast<Number>(alpha) * sums[static_cast<std::size_t>(row * columns + n)];
      if (beta != 0) value += static_cast<Number>(beta) * load<Number>(c.type, at);
      store(c.type, at, value);
    }
  }
  return {};
}

} // namespace

std::string checkMemory(const SparseProduct& product) {
  const SparseMatrix& a = product.a;
  const auto stored = static_cast<std::uint64_t>(a.nonzeros);
  std::string problem = rangeProblem("the values of A", a.values, stored * bytesOf(a.type));
  if (problem.empty() && a.format == CUSPARSE_FORMAT_CSR) {
    problem = rangeProblem("the row offsets of A", a.offsets,
                           (static_cast<std::uint64_t>(a.rows) + 1) * indexBytes(a.offsetType));
    if (problem.empty()) problem = rangeProblem("the column indices of A", a.indices, stored * indexBytes(a.indexType));
  } else if (problem.empty()) {
    const auto blocks = static_cast<std::uint64_t>(a.rows / a.blockSize * (a.ellColumns / a.blockSize));
    problem = rangeProblem("the block indices of A", a.indices, blocks * indexBytes(a.indexType));
  }
  if (problem.empty()) problem = rangeProblem("B", product.b.values, product.b.bytes());
  if (problem.empty()) problem = rangeProblem("C", product.c.values, product.c.bytes());
  return problem;
}

std::vector<simgpuRange> rangesOf(const SparseProduct& product, bool readsC) {
  const SparseMatrix& a = product.a;
  const auto stored = static_cast<std::uint64_t>(a.nonzeros);
  const auto list = [](const char* name, const void* data, std::uint64_t bytes) {
    return simgpuRange{name, reinterpret_cast<std::uint64_t>(data), bytes, 1, 0, 0};
  };
  const auto dense = [](const char* name, const DenseMatrix& matrix, bool written) {
    const std::uint64_t size = bytesOf(matrix.type);
    const std::int64_t lines = matrix.rowMajor ? matrix.rows : matrix.columns;
    const std::int64_t length = matrix.rowMajor ? matrix.columns : matrix.rows;
    return simgpuRange{name,
                       reinterpret_cast<std::uint64_t>(matrix.values),
                       static_cast<std::uint64_t>(length) * size,
                       static_cast<std::uint64_t>(lines),
                       static_cast<std::uint64_t>(matrix.ld) * size,
                       written ? 1 : 0};
  };
  std::vector<simgpuRange> ranges;
  if (stored > 0) ranges.push_back(list("the values of A", a.values, stored * bytesOf(a.type)));
  if (a.format == CUSPARSE_FORMAT_CSR) {
    ranges.push_back(list("the row offsets of A", a.offsets,
                          (static_cast<std::uint64_t>(a.rows) + 1) * indexBytes(a.offsetType)));
    if (stored > 0) ranges.push_back(list("the column indices of A", a.indices, stored * indexBytes(a.indexType)));
  } else if (stored > 0) {
    const auto blocks = static_cast<std::uint64_t>(a.rows / a.blockSize * (a.ellColumns / a.blockSize));
    ranges.push_back(list("the block indices of A", a.indices, blocks * indexBytes(a.indexType)));
  }
  ranges.push_back(dense("B", product.b, false));
  if (readsC) ranges.push_back(dense("C", product.c, false));
  ranges.push_back(dense("C", product.c, true));
  return ranges;
}

std::string multiply(const SparseProduct& product, const void* alpha, const void* beta) {
  const auto scaleA = load<double>(product.compute, bytesAt(alpha));
  const auto scaleB = load<double>(product.compute, bytesAt(beta));
  switch (product.compute) {
  case Type::f64: return multiplyAs<double>(product, scaleA, scaleB);
  case Type::s32: return multiplyAs<std::int32_t>(product, scaleA, scaleB);
  default: return multiplyAs<float>(product, scaleA, scaleB);
  }
}

} // namespace simgpu::library
