// What programs built with later headers than JCuda's call.
#include "program.h"

#include <string>
#include <vector>

using namespace simgpu::testing;

TEST("later forms of functions do what the first ones do") {
  const Program program;
  CUcontext context = nullptr;
  CUctxCreateParams none{};
  CHECK_EQUAL(cuCtxCreate_v4(&context, &none, 0, 0), CUDA_SUCCESS);
  CUdevice device = 7;
  CHECK_EQUAL(cuCtxGetDevice_v2(&device, context), CUDA_SUCCESS);
  CHECK_EQUAL(device, 0);
  CHECK_EQUAL(cuCtxSynchronize_v2(context), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxDestroy_v2(context), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize_v2(context), CUDA_ERROR_INVALID_CONTEXT);
  CUctxCreateParams part{&none, 1, nullptr};
  CHECK_EQUAL(cuCtxCreate_v4(&context, &part, 0, 0), CUDA_ERROR_NOT_SUPPORTED);
}

TEST("the device's pool keeps what a program sets") {
  const Program program;
  CUmemoryPool pool = nullptr;
  CUmemoryPool again = nullptr;
  CHECK_EQUAL(cuDeviceGetDefaultMemPool(&pool, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuDeviceGetMemPool(&again, 0), CUDA_SUCCESS);
  CHECK(pool == again);
  std::uint64_t threshold = 1 << 20;
  CHECK_EQUAL(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold), CUDA_SUCCESS);
  threshold = 0;
  CHECK_EQUAL(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold), CUDA_SUCCESS);
  CHECK_EQUAL(threshold, std::uint64_t{1 << 20});
  int reuse = 0;
  CHECK_EQUAL(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, &reuse), CUDA_SUCCESS);
  CHECK_EQUAL(reuse, 1);
  CHECK_EQUAL(cuMemPoolGetAttribute(pool, static_cast<CUmemPool_attribute>(7), &threshold), CUDA_ERROR_NOT_SUPPORTED);
  CUdeviceptr data = 0;
  CHECK_EQUAL(cuMemAllocFromPoolAsync(&data, 64, pool, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFreeAsync(data, nullptr), CUDA_SUCCESS);
}

TEST("a library's kernels are launched like functions") {
  const Program program;
  CUlibrary library = nullptr;
  CHECK_EQUAL(cuLibraryLoadData(&library, scaleKernel, nullptr, nullptr, 0, nullptr, nullptr, 0), CUDA_SUCCESS);
  unsigned count = 0;
  CHECK_EQUAL(cuLibraryGetKernelCount(&count, library), CUDA_SUCCESS);
  CHECK_EQUAL(count, 1u);
  CUkernel kernel = nullptr;
  CUkernel listed = nullptr;
  CHECK_EQUAL(cuLibraryGetKernel(&kernel, library, "scale"), CUDA_SUCCESS);
  CHECK_EQUAL(cuLibraryEnumerateKernels(&listed, 1, library), CUDA_SUCCESS);
  CHECK(kernel == listed);
  CUfunction function = nullptr;
  CHECK_EQUAL(cuKernelGetFunction(&function, kernel), CUDA_SUCCESS);
  int state = 0;
  CHECK_EQUAL(cuFuncIsLoaded(&state, function), CUDA_SUCCESS);
  CHECK_EQUAL(state, 1);
  CUdeviceptr data = program.upload({1, 2, 3, 4});
  float factor = 3;
  unsigned n = 4;
  CHECK_EQUAL(launch(kernel, n, nullptr, {&data, &factor, &n}), CUDA_SUCCESS);
  CHECK(program.download(data, 4) == (std::vector<float>{3, 6, 9, 12}));
  CUdeviceptr table = 0;
  std::size_t bytes = 0;
  CHECK_EQUAL(cuLibraryGetGlobal(&table, &bytes, library, "table"), CUDA_SUCCESS);
  CHECK_EQUAL(bytes, std::size_t{16});
  CHECK_EQUAL(cuLibraryUnload(library), CUDA_SUCCESS);
  CHECK_EQUAL(cuLibraryGetKernel(&kernel, library, "scale"), CUDA_ERROR_INVALID_HANDLE);
}

TEST("functions are found by name, in the form that a version has") {
  const Program program;
  const auto find = [](const char* name, int version, CUdriverProcAddressQueryResult* status) {
    void* function = nullptr;
    const CUresult result = cuGetProcAddress_v2(name, &function, version, 0, status);
    CHECK((result == CUDA_SUCCESS) == (function != nullptr));
    return function;
  };
  CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  CHECK(find("cuMemAlloc", 12000, &status) == reinterpret_cast<void*>(&cuMemAlloc_v2));
  CHECK_EQUAL(static_cast<int>(status), 0);
  CHECK(find("cuCtxCreate", 11000, &status) == reinterpret_cast<void*>(&cuCtxCreate_v2));
  CHECK(find("cuCtxCreate", 12000, &status) == reinterpret_cast<void*>(&cuCtxCreate_v3));
  CHECK(find("cuCtxCreate", 13000, &status) == reinterpret_cast<void*>(&cuCtxCreate_v4));
  CHECK(find("cuEventElapsedTime", 12000, &status) == reinterpret_cast<void*>(&cuEventElapsedTime));
  CHECK(find("cuGraphInstantiate", 12000, &status) == reinterpret_cast<void*>(&cuGraphInstantiateWithFlags));
  CHECK(find("cuInit", 12000, &status) == reinterpret_cast<void*>(&cuInit));
  CHECK(find("cuFrobnicate", 12000, &status) == nullptr);
  CHECK_EQUAL(static_cast<int>(status), 1);
  void* function = nullptr;
  CHECK_EQUAL(cuGetProcAddress_v2("cuLaunchKernel", &function, 12000, 2, &status), CUDA_ERROR_NOT_SUPPORTED);
}

TEST("what is not simulated is there and says so by name") {
  const Program program;
  void* found = nullptr;
  CHECK_EQUAL(cuGetProcAddress_v2("cuGreenCtxCreate", &found, 13000, 0, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(reinterpret_cast<int (*)()>(found)(), 801);
  CHECK(simgpu::testing::found("cuGreenCtxCreate"));
}
