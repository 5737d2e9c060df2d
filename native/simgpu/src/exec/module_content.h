// What a compiled module consists of, for the engine's own use.
#pragma once

#include "exec/engine.h"
#include "exec/program.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace simgpu {

/** What launching a kernel needs besides its KernelInfo. */
struct EntryPoint {
  std::uint32_t function = 0;    // into Code::functions
  std::uint32_t sharedStatic = 0; // where dynamic shared memory begins
};

struct Module::Content {
  explicit Content(DeviceMemory& deviceMemory) : memory(deviceMemory) {}
  ~Content();
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  DeviceMemory& memory;
  std::uint64_t owner = 0;
  Code code;
  std::vector<Kernel> kernels;
  std::vector<EntryPoint> entries; // same indices as kernels
  std::vector<GlobalInfo> globals;
  std::vector<DeviceAddress> allocations;
};

} // namespace simgpu
