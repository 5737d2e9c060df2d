// Libraries and their kernels: modules and functions under other names, in the current context.
#include "driver/call.h"
#include "driver/cuda_api.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

template <class Body> CUresult withModule(const char* name, CUmodule handle, Body body) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<LoadedModule> module = driver.modules.find(handle);
    if (module == nullptr) return badHandle(driver, "module or library", handle);
    return body(driver, *module);
  });
}

} // namespace

CUresult cuModuleGetFunctionCount(unsigned* count, CUmodule handle) {
  return withModule("cuModuleGetFunctionCount", handle, [&](Driver& driver, const LoadedModule& module) -> CUresult {
    if (count == nullptr) return nullArgument(driver, "count");
    *count = static_cast<unsigned>(module.code->kernels().size());
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleEnumerateFunctions(CUfunction* functions, unsigned count, CUmodule handle) {
  return withModule("cuModuleEnumerateFunctions", handle, [&](Driver& driver, const LoadedModule& module) -> CUresult {
    if (functions == nullptr) return nullArgument(driver, "functions");
    for (const Kernel& kernel : module.code->kernels()) {
      if (count == 0) break;
      if (const CUresult failed = cuModuleGetFunction(functions++, handle, kernel.info.name.c_str())) return failed;
      --count;
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncLoad(CUfunction function) {
  int state = 0;
  return cuFuncIsLoaded(&state, function);
}

CUresult cuFuncIsLoaded(int* state, CUfunction handle) {
  return callInContext("cuFuncIsLoaded", [&](Driver& driver, Context&) -> CUresult {
    if (state == nullptr) return nullArgument(driver, "state");
    if (driver.functions.find(handle) == nullptr) return badHandle(driver, "function", handle);
    *state = 1; // CU_FUNCTION_LOADING_STATE_LOADED
    return CUDA_SUCCESS;
  });
}

CUresult cuLibraryLoadData(CUlibrary* library, const void* code, CUjit_option* options, void** values, unsigned count,
                           void*, void**, unsigned) {
  return cuModuleLoadDataEx(library, code, count, options, values);
}

CUresult cuLibraryLoadFromFile(CUlibrary* library, const char* file, CUjit_option*, void**, unsigned, void*, void**,
                               unsigned) {
  return cuModuleLoad(library, file);
}

CUresult cuLibraryUnload(CUlibrary library) { return cuModuleUnload(library); }

CUresult cuLibraryGetKernel(CUkernel* kernel, CUlibrary library, const char* name) {
  return cuModuleGetFunction(kernel, library, name);
}

CUresult cuLibraryGetKernelCount(unsigned* count, CUlibrary library) {
  return cuModuleGetFunctionCount(count, library);
}

CUresult cuLibraryEnumerateKernels(CUkernel* kernels, unsigned count, CUlibrary library) {
  return cuModuleEnumerateFunctions(kernels, count, library);
}

CUresult cuLibraryGetModule(CUmodule* module, CUlibrary library) {
  return withModule("cuLibraryGetModule", library, [&](Driver& driver, const LoadedModule&) -> CUresult {
    if (module == nullptr) return nullArgument(driver, "module");
    *module = library;
    return CUDA_SUCCESS;
  });
}

CUresult cuLibraryGetGlobal(CUdeviceptr* address, std::size_t* bytes, CUlibrary library, const char* name) {
  return cuModuleGetGlobal_v2(address, bytes, library, name);
}

CUresult cuLibraryGetManaged(CUdeviceptr* address, std::size_t* bytes, CUlibrary library, const char* name) {
  return cuModuleGetGlobal_v2(address, bytes, library, name);
}

CUresult cuKernelGetFunction(CUfunction* function, CUkernel kernel) {
  return callInContext("cuKernelGetFunction", [&](Driver& driver, Context&) -> CUresult {
    if (function == nullptr) return nullArgument(driver, "function");
    if (driver.functions.find(kernel) == nullptr) return badHandle(driver, "kernel", kernel);
    *function = kernel;
    return CUDA_SUCCESS;
  });
}

CUresult cuKernelGetLibrary(CUlibrary* library, CUkernel kernel) { return cuFuncGetModule(library, kernel); }

CUresult cuKernelGetName(const char** name, CUkernel kernel) { return cuFuncGetName(name, kernel); }

CUresult cuKernelGetParamInfo(CUkernel kernel, std::size_t index, std::size_t* offset, std::size_t* size) {
  return cuFuncGetParamInfo(kernel, index, offset, size);
}

CUresult cuKernelGetAttribute(int* value, CUfunction_attribute attribute, CUkernel kernel, CUdevice) {
  return cuFuncGetAttribute(value, attribute, kernel);
}

CUresult cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel kernel, CUdevice) {
  return cuFuncSetAttribute(kernel, attribute, value);
}

CUresult cuKernelSetCacheConfig(CUkernel kernel, int config, CUdevice) { return cuFuncSetCacheConfig(kernel, config); }
