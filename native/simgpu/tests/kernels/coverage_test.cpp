// Runs last: what the other cases covered.
#include "device.h"

#include <cstdio>

using namespace simgpu;
using namespace simgpu::testing;

TEST("every fixture kernel is launched, and their opcodes are listed") {
  std::set<std::string> opcodes;
  int kernels = 0;
  Device device;
  for (const std::string& name : fixtureNames()) {
    const Module& module = device.module(name);
    const auto used = module.opcodes();
    opcodes.insert(used.begin(), used.end());
    for (const Kernel& kernel : module.kernels()) {
      if (kernel.info.name.starts_with("_Z")) {
        continue; // from a header of the toolkit: the fixtures' own are extern "C"
      }
      kernels++;
      if (!launchedKernels().contains(name + "/" + kernel.info.name)) {
        fail(__FILE__, __LINE__, name + "/" + kernel.info.name + " is never launched");
      }
    }
  }
  for (const std::string& opcode : opcodes) {
    std::printf("  %s\n", opcode.c_str());
  }
  std::printf("%d kernels cover %zu opcodes with their modifiers\n", kernels, opcodes.size());
  CHECK(kernels >= 60);
}
