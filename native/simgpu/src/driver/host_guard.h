// Finds host threads that touch pinned memory before the copy into it was waited for: the pages are inaccessible until
// the copy runs, and the fault of an access makes them accessible again.
#pragma once

#include "memory/device_memory.h"

#include <cstdint>
#include <memory>

namespace simgpu::driver {

class HostGuard {
public:
  /**
   * Guards the pages of a pinned allocation that belong to the destination [address, address + bytes) alone; null when
   * there are none, or too many guards already. The first guard installs a handler of SIGSEGV, which passes on faults
   * elsewhere.
   */
  static std::shared_ptr<HostGuard> over(const DeviceMemory& memory, std::uint64_t address, std::uint64_t bytes);

  ~HostGuard() { lift(); }
  HostGuard(const HostGuard&) = delete;
  HostGuard& operator=(const HostGuard&) = delete;

  /** Makes the pages accessible. The address at which the program touched them meanwhile, or 0. */
  std::uint64_t lift();

private:
  explicit HostGuard(std::size_t slot) : slot_(slot) {}

  std::size_t slot_;
  bool lifted_ = false;
};

} // namespace simgpu::driver
