// Short kernels written by hand, run with every check on.
#pragma once

#include "exec/engine.h"

#include "check.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace simgpu::testing {

/** Registers, and what most kernels begin with: %r1 thread, %r2 block, %rd1 p0, %rd3 the thread's word at p0. */
inline const std::string threadIndex = ".reg .b32 %r<20>; .reg .b64 %rd<20>; .reg .pred %p<8>; .reg .f32 %f<40>;\n"
                                       "mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; ld.param.u64 %rd1, [p0];\n"
                                       "mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2;\n";

/** A device with one compiled kernel "k". Its parameters are 64-bit values. */
class SmallKernel {
public:
  /** `declarations` go before the kernel, `parameters` is the number of .u64 parameters p0, p1 ... */
  SmallKernel(int parameters, const std::string& body, const std::string& declarations = {}, Settings settings = {})
      : memory_(std::uint64_t{1} << 30), engine_(DeviceModel::a100(), memory_, settings) {
    std::string text = ".version 8.0\n.target sm_80\n.address_size 64\n" + declarations + "\n.visible .entry k(";
    for (int i = 0; i < parameters; i++) {
      text.append(i == 0 ? "" : ", ").append(".param .u64 p").append(std::to_string(i));
    }
    text += ")\n{\n" + body + "\n}\n";
    CompileResult result = engine_.compile(text);
    if (result.module == nullptr) {
      throw std::runtime_error(result.log());
    }
    module_ = std::move(result.module);
  }

  LaunchResult launch(Dim3 grid, Dim3 block, const std::vector<std::uint64_t>& parameters,
                      std::uint32_t dynamicShared = 0) {
    LaunchConfig config;
    config.grid = grid;
    config.block = block;
    config.dynamicShared = dynamicShared;
    return engine_.launch(*module_->kernel("k"), config, std::as_bytes(std::span(parameters)));
  }

  DeviceAddress buffer(std::uint64_t bytes, bool written = true) {
    const DeviceAddress address = memory_.allocate(bytes, AllocationKind::user);
    if (written) {
      const std::uint8_t zero = 0;
      memory_.fill(address, &zero, 1, bytes);
    }
    return address;
  }

  template <class T> std::vector<T> read(DeviceAddress address, std::size_t count) {
    std::vector<T> values(count);
    memory_.copyOut(values.data(), address, count * sizeof(T));
    return values;
  }

  Engine& engine() { return engine_; }
  DeviceMemory& memory() { return memory_; }
  Module& module() { return *module_; }

private:
  DeviceMemory memory_;
  Engine engine_;
  std::unique_ptr<Module> module_;
};

/** The only finding's kind, with its text shown when it is another one. */
inline void expectFinding(const LaunchResult& result, FindingKind kind, Status status) {
  CHECK_EQUAL(statusName(result.status), std::string(statusName(status)));
  if (result.findings.empty()) {
    fail(__FILE__, __LINE__, std::string("no finding, expected: ") + findingKindName(kind));
  } else {
    CHECK_EQUAL(result.findings.front().text().substr(0, std::strlen(findingKindName(kind))),
                std::string(findingKindName(kind)));
  }
}

} // namespace simgpu::testing
