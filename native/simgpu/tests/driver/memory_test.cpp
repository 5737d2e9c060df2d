// Memory and copies.
#include "program.h"

using namespace simgpu::testing;

TEST("copies in every direction carry their bytes") {
  const Program program;
  const CUdeviceptr a = program.upload({1, 2, 3, 4});
  CUdeviceptr b = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&b, 16), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoD_v2(b, a, 16), CUDA_SUCCESS);
  CHECK(program.download(b, 4) == (std::vector<float>{1, 2, 3, 4}));
  std::vector<float> host(4);
  CHECK_EQUAL(cuMemcpy(reinterpret_cast<CUdeviceptr>(host.data()), b, 16), CUDA_SUCCESS);
  CHECK_EQUAL(host[3], 4.0F);
  CHECK_EQUAL(cuMemcpyPeer(a, program.context(), b, program.context(), 8), CUDA_SUCCESS);
}

TEST("a rectangle is copied without its surroundings") {
  const Program program;
  const CUdeviceptr matrix = program.upload({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}); // 3 rows of 4
  std::vector<float> host(4, -1);
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = matrix;
  copy.srcPitch = 16;
  copy.srcXInBytes = 4;
  copy.srcY = 1;
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstHost = host.data();
  copy.dstPitch = 8;
  copy.WidthInBytes = 8;
  copy.Height = 2;
  CHECK_EQUAL(cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  CHECK(host == (std::vector<float>{5, 6, 9, 10}));
  copy.Height = 3;
  CHECK_EQUAL(cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
}

TEST("fills write elements of one, two and four bytes") {
  const Program program;
  CUdeviceptr data = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&data, 16), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemsetD8_v2(data, 0xAB, 16), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemsetD16_v2(data + 4, 0x1234, 2), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemsetD32_v2(data + 8, 0x89ABCDEF, 1), CUDA_SUCCESS);
  std::uint32_t words[4];
  CHECK_EQUAL(cuMemcpyDtoH_v2(words, data, 16), CUDA_SUCCESS);
  CHECK_EQUAL(words[0], 0xABABABABU);
  CHECK_EQUAL(words[1], 0x12341234U);
  CHECK_EQUAL(words[2], 0x89ABCDEFU);
  CHECK_EQUAL(words[3], 0xABABABABU);
  CHECK_EQUAL(cuMemsetD32_v2(data + 2, 0, 1), CUDA_ERROR_INVALID_VALUE);
}

TEST("foreign, freed and doubly freed pointers are refused and the program goes on") {
  const Program program;
  CUdeviceptr data = program.upload({1, 2, 3, 4});
  float value = 0;
  CHECK_EQUAL(cuMemcpyDtoH_v2(&value, data + 16, 4), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemcpyDtoH_v2(&value, data, 20), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemcpyHtoD_v2(data, nullptr, 4), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemcpyHtoD_v2(data, reinterpret_cast<void*>(64), 4), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemFree_v2(data + 4), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemFree_v2(reinterpret_cast<CUdeviceptr>(&value)), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemFree_v2(data), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFree_v2(data), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemcpyDtoH_v2(&value, data, 4), CUDA_ERROR_INVALID_VALUE);
  CHECK(findings().find("lies in memory that was freed") != std::string::npos);
}

TEST("the device's memory can be used up") {
  const Program program;
  std::size_t free = 0;
  std::size_t total = 0;
  CHECK_EQUAL(cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  CHECK_EQUAL(total, std::size_t{67108864});
  CUdeviceptr data = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&data, total + 1), CUDA_ERROR_OUT_OF_MEMORY);
  CHECK_EQUAL(cuMemAlloc_v2(&data, total / 2), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  CHECK(free <= total / 2);
}

TEST("pinned memory is seen by the device at its own address") {
  const Program program;
  void* pinned = nullptr;
  CHECK_EQUAL(cuMemHostAlloc(&pinned, 16, CU_MEMHOSTALLOC_DEVICEMAP), CUDA_SUCCESS);
  auto* numbers = static_cast<float*>(pinned);
  for (int i = 0; i < 4; ++i) numbers[i] = static_cast<float>(i + 1);
  CUdeviceptr data = 0;
  CHECK_EQUAL(cuMemHostGetDevicePointer_v2(&data, pinned, 0), CUDA_SUCCESS);
  float factor = 10;
  unsigned n = 4;
  CHECK_EQUAL(launch(program.function(scaleKernel, "scale"), n, nullptr, {&data, &factor, &n}), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
  CHECK_EQUAL(numbers[3], 40.0F);
  unsigned type = 0;
  CHECK_EQUAL(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, data), CUDA_SUCCESS);
  CHECK_EQUAL(type, static_cast<unsigned>(CU_MEMORYTYPE_HOST));
  CHECK_EQUAL(cuMemFreeHost(pinned), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFreeHost(pinned), CUDA_ERROR_INVALID_VALUE);
}
