// Handles and descriptors of matrices, by numbers that are never used twice.
#pragma once

#include "cusparse/cusparse_api.h"
#include "library/element.h"

#include <map>
#include <memory>
#include <mutex>

namespace simgpu::library {

struct SparseHandle {
  void* stream = nullptr;
  bool devicePointers = false;
};

struct SparseMatrix {
  cusparseFormat format = CUSPARSE_FORMAT_CSR;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t nonzeros = 0; // stored values
  const void* offsets = nullptr;
  const void* indices = nullptr;
  const void* values = nullptr;
  int offsetType = CUSPARSE_INDEX_32I;
  int indexType = CUSPARSE_INDEX_32I;
  int base = 0; // of all indices: 0 or 1
  Type type = Type::f32;
  std::int64_t blockSize = 0;  // Blocked-ELL
  std::int64_t ellColumns = 0; // stored columns of each row, a multiple of the block size
};

struct DenseMatrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t ld = 0;
  const void* values = nullptr;
  Type type = Type::f32;
  bool rowMajor = false;

  std::int64_t rowStep() const { return rowMajor ? ld : 1; }
  std::int64_t columnStep() const { return rowMajor ? 1 : ld; }
  std::uint64_t bytes() const {
    const std::int64_t lines = rowMajor ? rows : columns;
    const std::int64_t length = rowMajor ? columns : rows;
    if (lines == 0 || length == 0) return 0;
    return static_cast<std::uint64_t>((lines - 1) * ld + length) * bytesOf(type);
  }
};

/** A table of objects, safe to use from any thread. */
template <class Key, class Object> class DescriptorTable {
public:
  /** Outlives every thread that may still call. */
  static DescriptorTable& instance() {
    static DescriptorTable* const table = new DescriptorTable();
    return *table;
  }

  Key add(Object object) {
    const std::scoped_lock lock(mutex_);
    const auto key = reinterpret_cast<Key>(last_ += 16);
    objects_[key] = std::make_shared<Object>(std::move(object));
    return key;
  }

  std::shared_ptr<Object> find(Key key) const {
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : found->second;
  }

  bool remove(Key key) {
    const std::scoped_lock lock(mutex_);
    return objects_.erase(key) == 1;
  }

private:
  mutable std::mutex mutex_;
  std::map<Key, std::shared_ptr<Object>> objects_;
  std::uintptr_t last_ = std::uintptr_t{0xC5A5} << 28;
};

using SparseHandles = DescriptorTable<cusparseHandle, SparseHandle>;
using SparseMatrices = DescriptorTable<cusparseSpMat, SparseMatrix>;
using DenseMatrices = DescriptorTable<cusparseDnMat, DenseMatrix>;
/** A vector is a matrix of one column. */
using DenseVectors = DescriptorTable<cusparseDnVec, DenseMatrix>;

} // namespace simgpu::library
