// What the benchmarks have in common.
#pragma once

#include "exec/engine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace simgpu::benchmark {

/** A kernel's parameter block, each value at its natural alignment. */
class Parameters {
public:
  template <class T> Parameters& add(T value) {
    const std::size_t offset = (bytes_.size() + sizeof value - 1) / sizeof value * sizeof value;
    bytes_.resize(offset + sizeof value);
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
    return *this;
  }
  std::span<const std::byte> bytes() const { return bytes_; }

private:
  std::vector<std::byte> bytes_;
};

/** Processor time of the process, which runs one worker: what others take of the machine is left out. */
inline double cpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class T> DeviceAddress upload(DeviceMemory& memory, const std::vector<T>& values) {
  const DeviceAddress address = memory.allocate(values.size() * sizeof(T), AllocationKind::user);
  memory.copyIn(address, values.data(), values.size() * sizeof(T));
  return address;
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/** Compiles a file; ends the program with the log when it cannot. */
inline std::unique_ptr<Module> compileFile(Engine& engine, const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  CompileResult compiled = engine.compile(text.str());
  if (compiled.module == nullptr) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), compiled.log().c_str());
    std::exit(1);
  }
  return std::move(compiled.module);
}

/** Launches and ends the program with the findings when there are any. */
inline LaunchResult launch(Engine& engine, const Module& module, const char* kernel, const LaunchConfig& config,
                           const Parameters& parameters) {
  LaunchResult result = engine.launch(*module.kernel(kernel), config, parameters.bytes());
  if (result.status != Status::success) {
    std::fprintf(stderr, "%s", result.report().c_str());
    std::exit(1);
  }
  return result;
}

} // namespace simgpu::benchmark
