// Device memory for a program: counted, so that faults can be injected, and labelled by what asked for it.
#pragma once

#include "driver/call.h"

namespace simgpu::driver {

/** Labels of allocations that are not plain device memory. */
inline constexpr const char* managedLabel = "managed";
inline constexpr const char* hostLabel = "pinned host memory";

/** Allocates; notes why it cannot. */
inline CUresult allocate(Driver& driver, const Context& context, std::size_t bytes, const char* label,
                         CUdeviceptr* address, std::uint64_t alignment = DeviceMemory::usualAlignment) {
  if (bytes == 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "an allocation of 0 bytes");
  if (!driver.configuration.faults.countAllocation()) {
    return driver.refuse(CUDA_ERROR_OUT_OF_MEMORY, "an allocation of " + std::to_string(bytes) +
                                                       " bytes fails, as the fault 'alloc' demands");
  }
  const DeviceAddress found = driver.memory().allocate(bytes, AllocationKind::user, context.id, label, alignment);
  if (found == 0) {
    return driver.refuse(CUDA_ERROR_OUT_OF_MEMORY,
                         std::to_string(bytes) + " bytes wanted, " +
                             std::to_string(driver.memory().capacity() - driver.memory().used()) + " of " +
                             std::to_string(driver.memory().capacity()) + " free");
  }
  *address = found;
  return CUDA_SUCCESS;
}

} // namespace simgpu::driver
