// Memory of graphs: addresses that are known before there is anything at them.
#include "memory/device_memory.h"

#include <utility>

namespace simgpu {

DeviceAddress DeviceMemory::reserveAddresses(std::uint64_t size, std::uint64_t owner, std::string label) {
  const DeviceAddress base = allocate(size, AllocationKind::user, owner, std::move(label));
  if (base != 0) {
    std::unique_lock lock(mutex_);
    Allocation& allocation = table_.find(base)->second;
    allocation.reserved = true;
    freeLocked(allocation);
  }
  return base;
}

bool DeviceMemory::revive(DeviceAddress base) {
  std::unique_lock lock(mutex_);
  Allocation& allocation = table_.at(base);
  if (allocation.size > capacity_ - used_.load(std::memory_order_relaxed)) {
    return false;
  }
  used_.fetch_add(allocation.size, std::memory_order_relaxed);
  allocation.freed = false;
  return true;
}

void DeviceMemory::release(DeviceAddress base) {
  std::unique_lock lock(mutex_);
  Allocation& allocation = table_.at(base);
  allocation.reserved = false;
  if (allocation.freed) {
    quarantineLocked(allocation);
  }
}

MemoryStatus DeviceMemory::checkForLater(DeviceAddress address, std::uint64_t bytes) const {
  std::shared_lock lock(mutex_);
  const Allocation* allocation = findLocked(address);
  return allocation != nullptr && allocation->reserved && allocation->contains(address, bytes)
             ? MemoryStatus::ok
             : checkLocked(address, bytes);
}

} // namespace simgpu
