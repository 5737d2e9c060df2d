// Launches: right values, wrong configurations, faults found and faults on demand.
#include "program.h"

#include <numeric>

using namespace simgpu::testing;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST("a kernel adds two vectors") {
  const Program program;
  std::vector<float> a(1000);
  std::iota(a.begin(), a.end(), 0.0F);
  CUdeviceptr da = program.upload(a);
  CUdeviceptr db = program.upload(a);
  CUdeviceptr out = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&out, 4000), CUDA_SUCCESS);
  unsigned n = 1000;
  CHECK_EQUAL(launch(program.function(addKernel, "add"), n, nullptr, {&out, &da, &db, &n}), CUDA_SUCCESS);
  const std::vector<float> sum = program.download(out, 1000);
  for (std::size_t i = 0; i < 1000; ++i) CHECK_EQUAL(sum[i], 2.0F * static_cast<float>(i));
}

TEST("a buffer of parameters must have the size .entry declares") {
  const Program program;
  CUdeviceptr data = program.upload({1, 2, 3, 4});
  struct {
    CUdeviceptr data;
    float factor;
    unsigned n;
  } buffer{data, 3.0F, 4};
  std::size_t size = sizeof buffer;
  void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END};
  const CUfunction scale = program.function(scaleKernel, "scale");
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, extra), CUDA_SUCCESS);
  CHECK(program.download(data, 4) == (std::vector<float>{3, 6, 9, 12}));
  size = 12;
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, extra), CUDA_ERROR_INVALID_VALUE);
  CHECK(contains(findings(), "a buffer of 12 bytes where .entry declares parameters of 16"));
}

TEST("absurd launches are refused with the kernel's name and a reason") {
  const Program program;
  const CUfunction scale = program.function(scaleKernel, "scale");
  CUdeviceptr data = program.upload({1});
  float factor = 2;
  unsigned n = 1;
  void* parameters[] = {&data, &factor, &n};
  CHECK_EQUAL(cuLaunchKernel(scale, 0, 1, 1, 32, 1, 1, 0, nullptr, parameters, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 70000, 1, 32, 1, 1, 0, nullptr, parameters, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 1, 1, 2048, 1, 1, 0, nullptr, parameters, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 1, 1, 32, 1, 1, 49153, nullptr, parameters, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
  void* broken[] = {&data, reinterpret_cast<void*>(8), &n};
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 1, 1, 32, 1, 1, 0, nullptr, broken, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK(contains(findings(), "parameter 1 of 3"));
  CHECK_EQUAL(cuLaunchKernel(reinterpret_cast<CUfunction>(&n), 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr),
              CUDA_ERROR_INVALID_HANDLE);
  CHECK_EQUAL(cuLaunchCooperativeKernel(scale, 1000000, 1, 1, 1024, 1, 1, 0, nullptr, parameters),
              CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
  // none of this spoils the context
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 1, 1, 32, 1, 1, 0, nullptr, parameters, nullptr), CUDA_SUCCESS);
  CHECK(program.download(data, 1) == std::vector<float>{2});
}

namespace {

/** out[thread] becomes 80 times itself + 1, the sum of values that are all live at once. */
std::string eightyValues(const std::string& bounds) {
  std::string text = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry sum(.param .u64 out)\n" + bounds +
                     "\n{\n.reg .f32 %f<82>;\n.reg .b32 %r<2>;\n.reg .b64 %rd<4>;\n"
                     "ld.param.u64 %rd1, [out];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %rd2, %r1, 4;\n"
                     "add.s64 %rd3, %rd1, %rd2;\nld.global.f32 %f81, [%rd3];\n";
  for (int i = 0; i < 80; ++i) {
    text += "add.f32 %f" + std::to_string(i) + ", %f81, 0f3F800000;\n";
  }
  text += "mov.f32 %f81, 0f00000000;\n";
  for (int i = 0; i < 80; ++i) text += "add.f32 %f81, %f81, %f" + std::to_string(i) + ";\n";
  return text + "st.global.f32 [%rd3], %f81;\nret;\n}\n";
}

int registersOf(CUfunction function) {
  int number = 0;
  CHECK_EQUAL(cuFuncGetAttribute(&number, CU_FUNC_ATTRIBUTE_NUM_REGS, function), CUDA_SUCCESS);
  return number;
}

} // namespace

TEST("an estimate of registers refuses no launch, and stays within what the kernel declares") {
  const Program program;
  for (const std::string bounds : {"", ".maxntid 1024, 1, 1", ".reqntid 1024, 1, 1", ".maxnreg 40"}) {
    const CUfunction sum = program.function(eightyValues(bounds).c_str(), "sum");
    CUdeviceptr out = program.upload(std::vector<float>(1024, 1));
    void* parameters[] = {&out};
    CHECK_EQUAL(cuLaunchKernel(sum, 1, 1, 1, 1024, 1, 1, 0, nullptr, parameters, nullptr), CUDA_SUCCESS);
    CHECK_EQUAL(program.download(out, 1024)[1023], 160.0F);
    CHECK_EQUAL(registersOf(sum) > 80, bounds.empty());
    CHECK(bounds != ".maxnreg 40" || registersOf(sum) == 40);
    int blocks = 0;
    CHECK_EQUAL(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, sum, 1024, 0), CUDA_SUCCESS);
    CHECK_EQUAL(blocks, 1);
  }
}

TEST("more dynamic shared memory must be allowed first") {
  const Program program;
  const CUfunction scale = program.function(scaleKernel, "scale");
  CUdeviceptr data = program.upload({1});
  float factor = 2;
  unsigned n = 1;
  void* parameters[] = {&data, &factor, &n};
  int value = 0;
  CHECK_EQUAL(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, scale), CUDA_SUCCESS);
  CHECK_EQUAL(value, 49152);
  CHECK_EQUAL(cuFuncSetAttribute(scale, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 163 * 1024 + 1),
              CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuFuncSetAttribute(scale, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100 * 1024), CUDA_SUCCESS);
  CHECK_EQUAL(cuLaunchKernel(scale, 1, 1, 1, 32, 1, 1, 100 * 1024, nullptr, parameters, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
}

TEST("an access out of bounds is told with its place and makes the context unusable") {
  const Program program;
  const CUfunction scale = program.function(scaleKernel, "scale");
  CUdeviceptr data = program.upload({1, 2});
  float factor = 2;
  unsigned n = 1024;
  CHECK_EQUAL(launch(scale, n, nullptr, {&data, &factor, &n}), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  const std::string found = findings();
  CHECK(contains(found, "\"kernel\":\"scale\""));
  CHECK(contains(found, "ld.global.f32"));
  CHECK(contains(found, "CUDA_ERROR_ILLEGAL_ADDRESS"));
  CUdeviceptr more = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&more, 16), CUDA_ERROR_ILLEGAL_ADDRESS);
  CHECK_EQUAL(cuCtxDestroy_v2(program.context()), CUDA_SUCCESS);
  CUcontext fresh = nullptr;
  CHECK_EQUAL(cuCtxCreate_v2(&fresh, 0, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemAlloc_v2(&more, 16), CUDA_SUCCESS);
}

TEST("the demanded allocation fails, and only that one") {
  const Program program("faults=alloc=2");
  CUdeviceptr address = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&address, 16), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemAlloc_v2(&address, 16), CUDA_ERROR_OUT_OF_MEMORY);
  CHECK_EQUAL(cuMemAlloc_v2(&address, 16), CUDA_SUCCESS);
}

TEST("the demanded launch fails, meets a memory error, or finds the device gone") {
  for (const auto& [fault, expected] : {std::pair{"faults=launch=1", CUDA_ERROR_LAUNCH_FAILED},
                                        {"faults=ecc=1", CUDA_ERROR_ECC_UNCORRECTABLE}}) {
    const Program program(fault);
    CUdeviceptr data = program.upload({1});
    float factor = 2;
    unsigned n = 1;
    CHECK_EQUAL(launch(program.function(scaleKernel, "scale"), n, nullptr, {&data, &factor, &n}), CUDA_SUCCESS);
    CHECK_EQUAL(cuCtxSynchronize(), expected);
    CHECK_EQUAL(cuCtxSynchronize(), expected);
  }
  const Program program("faults=lost=3");
  int count = 0;
  CHECK_EQUAL(cuDeviceGetCount(&count), CUDA_SUCCESS);
  CHECK_EQUAL(cuDeviceGetCount(&count), CUDA_SUCCESS);
  CHECK_EQUAL(cuDeviceGetCount(&count), CUDA_ERROR_UNKNOWN);
}

TEST("what is not freed is reported when the context ends") {
  CUcontext own = nullptr;
  const Program program;
  CHECK_EQUAL(cuCtxCreate_v2(&own, 0, 0), CUDA_SUCCESS);
  program.upload({1, 2, 3});
  program.stream();
  program.load(addKernel);
  CHECK_EQUAL(cuCtxDestroy_v2(own), CUDA_SUCCESS);
  const std::string found = findings();
  CHECK(contains(found, "12 bytes"));
  CHECK(contains(found, "module with kernel add"));
  CHECK(contains(found, "stream 0x"));
}

