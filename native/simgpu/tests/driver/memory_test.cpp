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

TEST("a box is copied between volumes of different pitch and height") {
  const Program program;
  std::vector<float> volume(4 * 3 * 2); // 2 slices of 3 rows of 4
  for (std::size_t i = 0; i < volume.size(); ++i) volume[i] = static_cast<float>(i);
  const CUdeviceptr device = program.upload(volume);
  std::vector<float> host(3 * 2 * 2, -1); // 2 slices of 2 rows of 3
  CUDA_MEMCPY3D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = device;
  copy.srcPitch = 16;
  copy.srcHeight = 3;
  copy.srcXInBytes = 4;
  copy.srcY = 1;
  copy.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
  copy.dstDevice = reinterpret_cast<CUdeviceptr>(host.data());
  copy.dstPitch = 12;
  copy.dstHeight = 2;
  copy.WidthInBytes = 8;
  copy.Height = 2;
  copy.Depth = 2;
  CHECK_EQUAL(cuMemcpy3D_v2(&copy), CUDA_SUCCESS);
  CHECK(host == (std::vector<float>{5, 6, -1, 9, 10, -1, 17, 18, -1, 21, 22, -1}));
  // and in a stream, back to front
  std::vector<float> zeros(4, 0);
  CUDA_MEMCPY3D back{};
  back.srcMemoryType = CU_MEMORYTYPE_HOST;
  back.srcHost = zeros.data();
  back.srcPitch = 4;
  back.srcHeight = 2;
  back.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  back.dstDevice = device;
  back.dstPitch = 16;
  back.dstHeight = 3;
  back.dstZ = 0;
  back.WidthInBytes = 4;
  back.Height = 2;
  back.Depth = 2;
  CHECK_EQUAL(cuMemcpy3DAsync_v2(&back, program.stream()), CUDA_SUCCESS);
  const std::vector<float> changed = program.download(device, 24);
  CHECK(changed[0] == 0 && changed[4] == 0 && changed[8] == 8 && changed[12] == 0 && changed[16] == 0);
  for (const auto& spoil :
       {+[](CUDA_MEMCPY3D& box) { box.srcZ = 1; }, +[](CUDA_MEMCPY3D& box) { box.WidthInBytes = 20; },
        +[](CUDA_MEMCPY3D& box) { box.srcHeight = 2; }, +[](CUDA_MEMCPY3D& box) { box.srcLOD = 1; },
        +[](CUDA_MEMCPY3D& box) { box.srcZ = ~std::size_t{0} / 48; },
        +[](CUDA_MEMCPY3D& box) { box.Depth = std::size_t{1} << 60; },
        +[](CUDA_MEMCPY3D& box) { box.srcMemoryType = static_cast<CUmemorytype>(9); }}) {
    CUDA_MEMCPY3D broken = copy;
    spoil(broken);
    CHECK_EQUAL(cuMemcpy3D_v2(&broken), CUDA_ERROR_INVALID_VALUE);
  }
  CHECK_EQUAL(cuMemcpy3D_v2(nullptr), CUDA_ERROR_INVALID_VALUE);
}

TEST("pitched rows start at multiples of 512 bytes") {
  const Program program;
  CUdeviceptr data = 0;
  std::size_t pitch = 0;
  CHECK_EQUAL(cuMemAllocPitch_v2(&data, &pitch, 100, 3, 4), CUDA_SUCCESS);
  CHECK_EQUAL(pitch, std::size_t{512});
  CHECK_EQUAL(cuMemsetD2D32_v2(data, pitch, 7, 25, 3), CUDA_SUCCESS);
  std::uint32_t word = 0;
  CHECK_EQUAL(cuMemcpyDtoH_v2(&word, data + 2 * pitch + 96, 4), CUDA_SUCCESS);
  CHECK_EQUAL(word, 7U);
  CHECK_EQUAL(cuMemsetD2D32_v2(data, pitch, 7, 129, 3), CUDA_ERROR_INVALID_VALUE); // wider than the pitch
  CHECK_EQUAL(cuMemAllocPitch_v2(&data, &pitch, 100, 3, 3), CUDA_ERROR_INVALID_VALUE);
}

TEST("memory of pools and streams is given and taken in stream order") {
  const Program program;
  CUmemPoolProps properties{};
  properties.allocType = 1;
  properties.locationType = 1;
  CUmemoryPool pool = nullptr;
  CHECK_EQUAL(cuMemPoolCreate(&pool, &properties), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemPoolCreate(nullptr, &properties), CUDA_ERROR_INVALID_VALUE);
  CUmemPoolProps elsewhere = properties;
  elsewhere.locationId = 3;
  CUmemoryPool none = nullptr;
  CHECK_EQUAL(cuMemPoolCreate(&none, &elsewhere), CUDA_ERROR_INVALID_VALUE);
  const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
  CUdeviceptr data = 0;
  CHECK_EQUAL(cuMemAllocFromPoolAsync(&data, 64, pool, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemsetD8Async(data, 9, 64, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFreeAsync(data, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFreeAsync(data, stream), CUDA_ERROR_INVALID_VALUE); // freed already, though it has not run
  CHECK_EQUAL(cuMemFree_v2(data), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  std::uint8_t byte = 0;
  CHECK_EQUAL(cuMemcpyDtoH_v2(&byte, data, 1), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemPoolTrimTo(pool, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemPoolDestroy(pool), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemPoolDestroy(pool), CUDA_ERROR_INVALID_HANDLE);
  CHECK_EQUAL(cuMemAllocFromPoolAsync(&data, 64, pool, stream), CUDA_ERROR_INVALID_HANDLE);
}

TEST("managed memory is read and written from both sides") {
  const Program program;
  CUdeviceptr data = 0;
  CHECK_EQUAL(cuMemAllocManaged(&data, 16, 7), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuMemAllocManaged(&data, 16, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  auto* numbers = reinterpret_cast<float*>(data);
  for (int i = 0; i < 4; ++i) numbers[i] = static_cast<float>(i);
  float factor = 3;
  unsigned n = 4;
  CHECK_EQUAL(cuMemAdvise(data, 16, 1, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemPrefetchAsync(data, 16, 0, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemPrefetchAsync(data, 17, 0, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(launch(program.function(scaleKernel, "scale"), n, nullptr, {&data, &factor, &n}), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
  CHECK_EQUAL(numbers[3], 9.0F);
  unsigned managed = 0;
  CHECK_EQUAL(cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, data), CUDA_SUCCESS);
  CHECK_EQUAL(managed, 1U);
  CHECK_EQUAL(findings().find("uninitialised"), std::string::npos);
}

namespace {

CUresult keep(const Program& program, CUdeviceptr data) {
  const CUresult launched = launch(program.function(keepKernel, "keep"), 32, nullptr, {&data});
  return launched != CUDA_SUCCESS ? launched : cuCtxSynchronize();
}

} // namespace

TEST("a value nobody wrote may be kept on the device, and not brought to the host") {
  const Program program;
  const CUdeviceptr data = program.upload(std::vector<float>(32));
  CHECK_EQUAL(keep(program, data), CUDA_SUCCESS);
  CHECK(found("unwritten value stored"));
  CHECK(!found("uninitialised read"));
  float value = 1;
  CHECK_EQUAL(cuMemcpyDtoH_v2(&value, data, 4), CUDA_SUCCESS);
  CHECK_EQUAL(value, 0.0F);
  CHECK(!found("uninitialised read"));
  CHECK_EQUAL(cuMemcpyDtoH_v2(&value, data + 4, 4), CUDA_ERROR_LAUNCH_FAILED);
  CHECK(found("uninitialised read: nobody wrote this shared byte"));
  CHECK(found("a copy to the host reads it at"));
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED); // as after any fault of a kernel
}

TEST("a value nobody wrote is found in a later copy of a stream, and where the host needs no copy") {
  {
    const Program program;
    const CUdeviceptr data = program.upload(std::vector<float>(32));
    CHECK_EQUAL(keep(program, data), CUDA_SUCCESS);
    void* pinned = nullptr;
    CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 128), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, data, 128, program.stream()), CUDA_SUCCESS);
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
  }
  {
    const Program program;
    CUdeviceptr managed = 0;
    CHECK_EQUAL(cuMemAllocManaged(&managed, 128, 1), CUDA_SUCCESS);
    CHECK_EQUAL(keep(program, managed), CUDA_ERROR_LAUNCH_FAILED);
    CHECK(found("uses its value"));
  }
  const Program unchecked("checks=off");
  const CUdeviceptr data = unchecked.upload(std::vector<float>(32));
  CHECK_EQUAL(keep(unchecked, data), CUDA_SUCCESS);
  CHECK_EQUAL(unchecked.download(data, 32).size(), std::size_t{32});
}
