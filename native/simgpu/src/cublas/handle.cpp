#include "cublas/handle.h"

#include "library/memory_check.h"

#include <map>

using namespace simgpu::library;

namespace {

constexpr int libraryVersion = 120603;
constexpr std::uint64_t workspaceAlignment = 256;

struct Handles {
  std::mutex mutex;
  std::map<cublasHandle, std::shared_ptr<Handle>> live;
  std::uintptr_t last = std::uintptr_t{0xB1A5} << 28; // handles are numbers that are never used twice
};

Handles& handles() {
  static Handles* const all = new Handles(); // outlives every thread that may still call
  return *all;
}

template <class Body> cublasStatus withHandle(cublasHandle handle, Body body) {
  const std::shared_ptr<Handle> found = findHandle(handle);
  if (found == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const std::scoped_lock lock(found->mutex);
  return body(*found);
}

cublasStatus give(int* to, int value) {
  if (to == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *to = value;
  return CUBLAS_STATUS_SUCCESS;
}

} // namespace

std::shared_ptr<Handle> simgpu::library::findHandle(cublasHandle handle) {
  const std::scoped_lock lock(handles().mutex);
  const auto found = handles().live.find(handle);
  return found == handles().live.end() ? nullptr : found->second;
}

cublasStatus cublasCreate_v2(cublasHandle* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (simgpuStreamIsValid(nullptr) == 0) {
    return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "cublasCreate", "no context is current to the calling thread");
  }
  const std::scoped_lock lock(handles().mutex);
  *handle = reinterpret_cast<cublasHandle>(handles().last += 16);
  handles().live[*handle] = std::make_shared<Handle>();
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus cublasDestroy_v2(cublasHandle handle) {
  const std::scoped_lock lock(handles().mutex);
  return handles().live.erase(handle) == 1 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus cublasGetVersion_v2(cublasHandle handle, int* version) {
  return withHandle(handle, [&](Handle&) { return give(version, libraryVersion); });
}

std::size_t cublasGetCudartVersion() { return 12060; }

cublasStatus cublasSetStream_v2(cublasHandle handle, void* stream) {
  return withHandle(handle, [&](Handle& found) {
    if (simgpuStreamIsValid(stream) == 0) {
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasSetStream", "no such stream");
    }
    found.stream = stream;
    // a workspace belongs to the stream it was set for
    found.workspace = nullptr;
    found.workspaceBytes = 0;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus cublasGetStream_v2(cublasHandle handle, void** stream) {
  return withHandle(handle, [&](Handle& found) {
    if (stream == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *stream = found.stream;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus cublasSetWorkspace_v2(cublasHandle handle, void* workspace, std::size_t bytes) {
  return withHandle(handle, [&](Handle& found) {
    if (reinterpret_cast<std::uint64_t>(workspace) % workspaceAlignment != 0) {
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasSetWorkspace", "a workspace starts at a multiple of 256 bytes");
    }
    const std::string problem = rangeProblem("workspace", workspace, bytes);
    if (!problem.empty()) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasSetWorkspace", problem);
    found.workspace = workspace;
    found.workspaceBytes = bytes;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus cublasSetPointerMode_v2(cublasHandle handle, int mode) {
  return withHandle(handle, [&](Handle& found) {
    if (mode != 0 && mode != 1) return CUBLAS_STATUS_INVALID_VALUE;
    found.devicePointers = mode == 1;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus cublasGetPointerMode_v2(cublasHandle handle, int* mode) {
  return withHandle(handle, [&](Handle& found) { return give(mode, found.devicePointers ? 1 : 0); });
}

cublasStatus cublasSetMathMode(cublasHandle handle, int mode) {
  return withHandle(handle, [&](Handle& found) {
    constexpr int reducedPrecisionFlag = 16; // CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION
    if (mode < 0 || (mode & ~reducedPrecisionFlag) > 3) return CUBLAS_STATUS_INVALID_VALUE;
    found.mathMode = mode;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus cublasGetMathMode(cublasHandle handle, int* mode) {
  return withHandle(handle, [&](Handle& found) { return give(mode, found.mathMode); });
}

cublasStatus cublasSetAtomicsMode(cublasHandle handle, int mode) {
  return withHandle(handle, [&](Handle& found) {
    if (mode != 0 && mode != 1) return CUBLAS_STATUS_INVALID_VALUE;
    found.atomicsMode = mode;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus cublasGetAtomicsMode(cublasHandle handle, int* mode) {
  return withHandle(handle, [&](Handle& found) { return give(mode, found.atomicsMode); });
}

const char* cublasGetStatusName(cublasStatus status) {
  switch (status) {
  case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
  case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
  case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
  case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
  case CUBLAS_STATUS_ARCH_MISMATCH: return "CUBLAS_STATUS_ARCH_MISMATCH";
  case CUBLAS_STATUS_MAPPING_ERROR: return "CUBLAS_STATUS_MAPPING_ERROR";
  case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
  case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
  case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
  case CUBLAS_STATUS_LICENSE_ERROR: return "CUBLAS_STATUS_LICENSE_ERROR";
  }
  return "CUBLAS_STATUS_UNKNOWN";
}

const char* cublasGetStatusString(cublasStatus status) {
  switch (status) {
  case CUBLAS_STATUS_SUCCESS: return "success";
  case CUBLAS_STATUS_NOT_INITIALIZED: return "the library was not initialized";
  case CUBLAS_STATUS_ALLOC_FAILED: return "the resource allocation failed";
  case CUBLAS_STATUS_INVALID_VALUE: return "an unsupported value or parameter was passed to the function";
  case CUBLAS_STATUS_ARCH_MISMATCH: return "the requested functionality is not supported on the current device";
  case CUBLAS_STATUS_MAPPING_ERROR: return "an access to GPU memory space failed";
  case CUBLAS_STATUS_EXECUTION_FAILED: return "the function failed to launch on the GPU";
  case CUBLAS_STATUS_INTERNAL_ERROR: return "an internal operation failed";
  case CUBLAS_STATUS_NOT_SUPPORTED: return "the functionality requested is not supported";
  case CUBLAS_STATUS_LICENSE_ERROR:
    return "the functionality requested requires some license and an error was detected";
  }
  return "unknown status";
}
