// Turns the arguments of the launch functions into launches, checked.
#pragma once

#include "driver/driver.h"

namespace simgpu::driver {

struct LaunchArguments {
  CUfunction function = nullptr;
  Dim3 grid;
  Dim3 block;
  std::uint32_t sharedBytes = 0;
  bool cooperative = false;
  void** parameters = nullptr;
  void** extra = nullptr;
};

/** Builds the launch with a copy of its parameters; notes why it cannot be made. */
CUresult prepareLaunch(Driver& driver, const LaunchArguments& arguments, KernelWork& launch);

/** Whether the device has the room the launch needs; notes why not. */
CUresult checkResources(Driver& driver, const Function& function, const LaunchConfig& config);

/** Makes `pointers` lead into the launch's own parameter block, after it was copied. */
void resetPointers(KernelWork& launch);

/** What a program sees of a kernel node's parameters; the pointers lead into `launch`. */
CUDA_KERNEL_NODE_PARAMS asNodeParameters(const KernelWork& launch);

} // namespace simgpu::driver
