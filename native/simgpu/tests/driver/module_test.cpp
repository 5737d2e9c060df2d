// Modules, their logs and variables; the linker.
#include "program.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

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

TEST("of a fat binary the PTX for the latest architecture the device has is taken, if it is not compressed") {
  struct Entry {
    std::uint16_t kind;
    std::uint32_t target;
    std::string content;
  };
  // as nvcc --no-compress makes them: a header of 16 bytes, then entries with headers of 64
  const auto container = [](const std::vector<Entry>& entries) {
    std::string all;
    const auto put = [&](auto value) { all.append(reinterpret_cast<const char*>(&value), sizeof value); };
    for (const Entry& entry : entries) {
      put(entry.kind);
      put(std::uint16_t{0x101});
      put(std::uint32_t{64});
      put(std::uint64_t{entry.content.size()});
      put(std::uint32_t{0});
      put(std::uint32_t{0x40});
      put(std::uint32_t{0x90000});
      put(entry.target);
      all.append(32, '\0');
      all += entry.content;
    }
    const std::string body = std::move(all);
    all.clear();
    put(std::uint32_t{0xBA55ED50});
    put(std::uint16_t{1});
    put(std::uint16_t{16});
    put(std::uint64_t{body.size()});
    return all + body;
  };
  const Program program;
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  const std::string code = "\x7F" "ELF";
  const std::string good = container({{2, 80, code}, {1, 75, addKernel}, {1, 80, scaleKernel}, {1, 90, addKernel}});
  CHECK_EQUAL(cuModuleLoadData(&module, good.data()), CUDA_SUCCESS);
  CHECK_EQUAL(cuModuleGetFunction(&function, module, "scale"), CUDA_SUCCESS);
  struct {
    std::uint32_t magic = 0x466243B1;
    std::uint32_t version = 1;
    const void* data = nullptr;
  } wrapper;
  wrapper.data = good.data();
  CHECK_EQUAL(cuModuleLoadFatBinary(&module, &wrapper), CUDA_SUCCESS);

  CHECK_EQUAL(cuModuleLoadData(&module, container({{2, 80, code}}).data()), CUDA_ERROR_NO_BINARY_FOR_GPU);
  CHECK(found("has no PTX for sm_80"));
  CHECK_EQUAL(cuModuleLoadData(&module, container({{1, 80, "\x28\xB5\x2F\xFD"}}).data()), CUDA_ERROR_NO_BINARY_FOR_GPU);
  CHECK(found("--no-compress"));
  std::string cut = good;
  cut[24] = '\x7F'; // the first entry says it is longer than all of them
  cut[29] = '\x7F';
  CHECK_EQUAL(cuModuleLoadData(&module, cut.data()), CUDA_ERROR_NO_BINARY_FOR_GPU);
  CHECK(found("damaged"));
}

TEST("what is missing of the device runtime is told from what is not defined at all") {
  const Program program;
  CUmodule module = nullptr;
  const auto calling = [](const std::string& name) {
    return ".version 7.1\n.target sm_80\n.address_size 64\n.extern .func (.param .b32 r) " + name +
           "();\n.visible .entry k()\n{\n.param .b32 r;\ncall.uni (r), " + name + ", ();\nret;\n}\n";
  };
  const CUfunction kernel = program.function(calling("__cudaCDP2GetLastError").c_str(), "k");
  CHECK_EQUAL(launch(kernel, 32, nullptr, {}), CUDA_ERROR_NOT_SUPPORTED);
  CHECK(found("launches by kernels are not simulated"));
  CHECK_EQUAL(cuModuleLoadData(&module, calling("frobnicate").c_str()), CUDA_ERROR_INVALID_PTX);
  CHECK(found("'frobnicate' is not defined"));
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
