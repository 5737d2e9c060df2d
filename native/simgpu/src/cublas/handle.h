// cuBLAS handles.
#pragma once

#include "cublas/cublas_api.h"

#include <memory>
#include <mutex>

namespace simgpu::library {

struct Handle {
  void* stream = nullptr;
  const void* workspace = nullptr; // the program's, if it set one
  std::uint64_t workspaceBytes = 0;
  bool devicePointers = false; // alpha and beta lie on the device
  int mathMode = 0;
  int atomicsMode = 0;
  std::mutex mutex;
};

/** Null for what is no live handle; calls with it answer CUBLAS_STATUS_NOT_INITIALIZED. */
std::shared_ptr<Handle> findHandle(cublasHandle handle);

} // namespace simgpu::library
