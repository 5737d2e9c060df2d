// Functions by name and version, as programs ask for them that do not link the driver.
#include "driver/call.h"
#include "driver/cuda_api.h"

#include <array>
#include <dlfcn.h>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

/** The version of the interface that brought a form of a function, where another form was there before in 12.0. */
struct Since {
  std::string_view symbol;
  int version;
};

constexpr std::array newForms{
    Since{"cuCtxCreate_v3", 11040},
    Since{"cuCtxCreate_v4", 12050},
    Since{"cuCtxGetDevice_v2", 13000},
    Since{"cuCtxSynchronize_v2", 13000},
    Since{"cuEventElapsedTime_v2", 12080},
    Since{"cuMemAdvise_v2", 12020},
    Since{"cuMemPrefetchAsync_v2", 12020},
    Since{"cuStreamGetCtx_v2", 12050},
    Since{"cuStreamGetCaptureInfo_v2", 11030},
    Since{"cuStreamGetCaptureInfo_v3", 12030},
    Since{"cuStreamUpdateCaptureDependencies_v2", 12030},
    Since{"cuGraphAddNode_v2", 12030},
    Since{"cuGraphAddDependencies_v2", 12030},
    Since{"cuGraphRemoveDependencies_v2", 12030},
    Since{"cuGraphGetEdges_v2", 12030},
    Since{"cuGraphNodeGetDependencies_v2", 12030},
    Since{"cuGraphNodeGetDependentNodes_v2", 12030},
    Since{"cuMemcpyBatchAsync_v2", 13000},
    Since{"cuMemcpy3DBatchAsync_v2", 13000},
};

int since(std::string_view symbol) {
  for (const Since& form : newForms) {
    if (form.symbol == symbol) return form.version;
  }
  return 0;
}

void* exported(const std::string& symbol) {
  // this library, however it was loaded
  static void* const self = [] {
    Dl_info info{};
    return dladdr(reinterpret_cast<void*>(&exported), &info) == 0 ? nullptr
                                                                  : dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  }();
  return self == nullptr ? nullptr : dlsym(self, symbol.c_str());
}

} // namespace

CUresult cuGetProcAddress_v2(const char* symbol, void** function, int version, unsigned long long flags,
                             CUdriverProcAddressQueryResult* status) {
  return callAlways("cuGetProcAddress", [&](Driver& driver) -> CUresult {
    if (symbol == nullptr || function == nullptr) return nullArgument(driver, "symbol or function");
    constexpr unsigned long long perThread = 2; // CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM
    if ((flags & perThread) != 0) {
      return driver.refuse(CUDA_ERROR_NOT_SUPPORTED, "functions whose null stream is the thread's are not simulated");
    }
    *function = nullptr;
    const std::string name = symbol;
    bool tooNew = false;
    if (name == "cuGraphInstantiate") *function = exported("cuGraphInstantiateWithFlags");
    for (const char* form : {"_v4", "_v3", "_v2", ""}) {
      void* const found = *function == nullptr ? exported(name + form) : nullptr;
      if (found == nullptr) continue;
      tooNew = since(name + form) > version;
      if (!tooNew) *function = found;
    }
    if (status != nullptr) {
      *status = *function != nullptr ? CU_GET_PROC_ADDRESS_SUCCESS
                : tooNew             ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
                                     : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    }
    if (*function != nullptr) return CUDA_SUCCESS;
    return driver.refuse(CUDA_ERROR_NOT_FOUND, name + " is no function of the driver in version " +
                                                   std::to_string(version));
  });
}

CUresult cuGetProcAddress(const char* symbol, void** function, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}
