// Modules, their logs and variables; the linker.
#include "program.h"

#include <cstring>

using namespace simgpu::testing;

TEST("a broken text is refused with the line in the log") {
  const Program program;
  char log[4096] = "untouched";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
  CUmodule module = nullptr;
  const char* broken = ".version 7.1\n.target sm_80\n.address_size 64\n"
                       ".visible .entry k()\n{\n  .reg .b32 %r<2>;\n  frobnicate.u32 %r1;\n  ret;\n}\n";
  CHECK_EQUAL(cuModuleLoadDataEx(&module, broken, 2, options, values), CUDA_ERROR_INVALID_PTX);
  CHECK(std::string(log).find("line 7") != std::string::npos);
  CHECK(std::string(log).find("frobnicate") != std::string::npos);
  CHECK(module == nullptr);
}

TEST("machine code is no text") {
  const Program program;
  CUmodule module = nullptr;
  const unsigned char cubin[] = {0x7F, 'E', 'L', 'F', 0, 0, 0, 0};
  CHECK_EQUAL(cuModuleLoadData(&module, cubin), CUDA_ERROR_NO_BINARY_FOR_GPU);
}

TEST("kernels and variables are found by name and others are not") {
  const Program program;
  const CUmodule module = program.load(scaleKernel);
  CUfunction function = nullptr;
  CHECK_EQUAL(cuModuleGetFunction(&function, module, "scales"), CUDA_ERROR_NOT_FOUND);
  CUdeviceptr table = 0;
  std::size_t bytes = 0;
  CHECK_EQUAL(cuModuleGetGlobal_v2(&table, &bytes, module, "table"), CUDA_SUCCESS);
  CHECK_EQUAL(bytes, std::size_t{16});
  CHECK(program.download(table, 4) == (std::vector<float>{1, 2, 3, 4}));
  CHECK_EQUAL(cuModuleUnload(module), CUDA_SUCCESS);
  CHECK_EQUAL(cuModuleUnload(module), CUDA_ERROR_INVALID_HANDLE);
}

TEST("linked texts become one module") {
  const Program program;
  CUlinkState state = nullptr;
  CHECK_EQUAL(cuLinkCreate_v2(0, nullptr, nullptr, &state), CUDA_SUCCESS);
  for (const char* text : {addKernel, scaleKernel}) {
    CHECK_EQUAL(cuLinkAddData_v2(state, CU_JIT_INPUT_PTX, const_cast<char*>(text), std::strlen(text) + 1, "text", 0,
                                 nullptr, nullptr),
                CUDA_SUCCESS);
  }
  void* image = nullptr;
  std::size_t bytes = 0;
  CHECK_EQUAL(cuLinkComplete(state, &image, &bytes), CUDA_SUCCESS);
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  CHECK_EQUAL(cuModuleLoadData(&module, image), CUDA_SUCCESS);
  CHECK_EQUAL(cuModuleGetFunction(&function, module, "add"), CUDA_SUCCESS);
  CHECK_EQUAL(cuModuleGetFunction(&function, module, "scale"), CUDA_SUCCESS);
  CHECK_EQUAL(cuLinkDestroy(state), CUDA_SUCCESS);
}

TEST("the compiler's options are read, and logs are cut to their buffers") {
  const Program program;
  CUmodule module = nullptr;
  char info[64] = "untouched";
  char error[16] = "untouched";
  CUjit_option options[] = {CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, CU_JIT_LOG_VERBOSE};
  void* values[] = {info, reinterpret_cast<void*>(sizeof info), error, reinterpret_cast<void*>(sizeof error), nullptr};
  CHECK_EQUAL(cuModuleLoadDataEx(&module, scaleKernel, 5, options, values), CUDA_SUCCESS);
  CHECK(std::string(info).starts_with("simgpu: kernel scale"));
  CHECK_EQUAL(reinterpret_cast<std::size_t>(values[1]), std::strlen(info)); // the driver tells how much it wrote
  CHECK_EQUAL(error[0], '\0');
  values[1] = reinterpret_cast<void*>(sizeof info);
  values[3] = reinterpret_cast<void*>(sizeof error);
  CHECK_EQUAL(cuModuleLoadDataEx(&module, ".version 7.1\n.target sm_80\nnonsense", 5, options, values),
              CUDA_ERROR_INVALID_PTX);
  CHECK_EQUAL(std::strlen(error), sizeof error - 1);
  CHECK_EQUAL(cuModuleLoadDataEx(&module, scaleKernel, 5, nullptr, values), CUDA_ERROR_INVALID_VALUE);
  values[2] = reinterpret_cast<void*>(std::uintptr_t{64});
  values[3] = reinterpret_cast<void*>(sizeof error);
  CHECK_EQUAL(cuModuleLoadDataEx(&module, scaleKernel, 5, options, values), CUDA_ERROR_INVALID_VALUE);
  CUjit_option unknown[] = {static_cast<CUjit_option>(999)};
  CHECK_EQUAL(cuModuleLoadDataEx(&module, scaleKernel, 1, unknown, values), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuModuleLoadData(&module, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuModuleLoadData(nullptr, scaleKernel), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuModuleLoad(&module, "/no/such/file.ptx"), CUDA_ERROR_FILE_NOT_FOUND);
}
