#include "program.h"

namespace simgpu::testing {

const char* const addKernel = R"(.version 7.1
.target sm_80
.address_size 64
.visible .entry add(.param .u64 out, .param .u64 a, .param .u64 b, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .f32 %f<4>;
  .reg .b32 %r<6>;
  .reg .b64 %rd<11>;
  ld.param.u64 %rd1, [out];
  ld.param.u64 %rd2, [a];
  ld.param.u64 %rd3, [b];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %p1, %r5, %r1;
  @%p1 bra DONE;
  cvta.to.global.u64 %rd4, %rd2;
  mul.wide.u32 %rd5, %r5, 4;
  add.s64 %rd6, %rd4, %rd5;
  cvta.to.global.u64 %rd7, %rd3;
  add.s64 %rd8, %rd7, %rd5;
  ld.global.f32 %f1, [%rd6];
  ld.global.f32 %f2, [%rd8];
  add.f32 %f3, %f1, %f2;
  cvta.to.global.u64 %rd9, %rd1;
  add.s64 %rd10, %rd9, %rd5;
  st.global.f32 [%rd10], %f3;
DONE:
  ret;
}
)";

const char* const scaleKernel = R"(.version 7.1
.target sm_80
.address_size 64
.visible .global .align 4 .f32 table[4] = {0f3F800000, 0f40000000, 0f40400000, 0f40800000};
.visible .entry scale(.param .u64 data, .param .f32 factor, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .f32 %f<4>;
  .reg .b32 %r<6>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [data];
  ld.param.f32 %f1, [factor];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %p1, %r5, %r1;
  @%p1 bra DONE;
  mul.wide.u32 %rd2, %r5, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.f32 %f2, [%rd3];
  mul.f32 %f3, %f2, %f1;
  st.global.f32 [%rd3], %f3;
DONE:
  ret;
}
)";

Program::Program(const std::string& settings) {
  CHECK_EQUAL(simgpuConfigure(("report=off memory=67108864 " + settings).c_str()), 0);
  simgpuClear();
  CHECK_EQUAL(cuInit(0), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxCreate_v2(&context_, 0, 0), CUDA_SUCCESS);
}

Program::~Program() {
  simgpuEndContexts();
  cuCtxSetCurrent(nullptr);
  simgpuConfigure("report=off");
}

CUmodule Program::load(const char* ptx) const {
  CUmodule module = nullptr;
  CHECK_EQUAL(cuModuleLoadData(&module, ptx), CUDA_SUCCESS);
  return module;
}

CUfunction Program::function(const char* ptx, const char* name) const {
  CUfunction function = nullptr;
  CHECK_EQUAL(cuModuleGetFunction(&function, load(ptx), name), CUDA_SUCCESS);
  return function;
}

CUdeviceptr Program::upload(const std::vector<float>& values) const {
  CUdeviceptr address = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&address, values.size() * 4), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyHtoD_v2(address, values.data(), values.size() * 4), CUDA_SUCCESS);
  return address;
}

std::vector<float> Program::download(CUdeviceptr from, std::size_t count) const {
  std::vector<float> values(count);
  CHECK_EQUAL(cuMemcpyDtoH_v2(values.data(), from, count * 4), CUDA_SUCCESS);
  return values;
}

CUstream Program::stream(unsigned flags) const {
  CUstream stream = nullptr;
  CHECK_EQUAL(cuStreamCreate(&stream, flags), CUDA_SUCCESS);
  return stream;
}

CUevent Program::event(unsigned flags) const {
  CUevent event = nullptr;
  CHECK_EQUAL(cuEventCreate(&event, flags), CUDA_SUCCESS);
  return event;
}

std::string findings() {
  char* text = simgpuFindings();
  const std::string copy = text;
  simgpuFree(text);
  return copy;
}

bool found(const std::string& part) { return findings().find(part) != std::string::npos; }

CUresult launch(CUfunction function, unsigned count, CUstream stream, std::vector<void*> parameters) {
  return cuLaunchKernel(function, (count + 31) / 32, 1, 1, 32, 1, 1, 0, stream, parameters.data(), nullptr);
}

const char* const keepKernel = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry keep(.param .u64 data) {
  .reg .b32 %r<4>; .reg .b64 %rd<4>; .reg .pred %p;
  .shared .align 4 .b8 s[128];
  mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [data]; mul.wide.u32 %rd2, %r1, 4; add.s64 %rd1, %rd1, %rd2;
  shl.b32 %r2, %r1, 2; mov.u32 %r3, s; add.s32 %r2, %r2, %r3; setp.eq.u32 %p, %r1, 0;
  @%p st.shared.u32 [%r2], %r1; ld.shared.u32 %r3, [%r2]; st.global.u32 [%rd1], %r3;
})";

} // namespace simgpu::testing
