// The memory of a simulated device: allocations at addresses the host can read, and shadows that remember which
// bytes were written. Addresses lie in one reserved range, so a device pointer is also a host pointer to the same
// bytes; freed ranges stay known (quarantined) and lose their contents, so that a use after free is found.
#pragma once

#include "memory/unwritten_values.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

namespace simgpu {

using DeviceAddress = std::uint64_t;

enum class AllocationKind : std::uint8_t {
  user,     // cuMemAlloc and its relatives
  module,   // a .global variable of a loaded module
  constant, // a .const variable
  heap,     // malloc called on the device
};

struct Allocation {
  std::uint64_t id = 0; // counts up from 1, never used twice
  DeviceAddress base = 0;
  std::uint64_t size = 0;
  AllocationKind kind = AllocationKind::user;
  std::uint64_t owner = 0; // whatever the allocating side groups by: a context, a module
  std::string label;       // variable name, may be empty
  bool freed = false;
  bool reserved = false; // by reserveAddresses(): the addresses stay its own while it is freed
  bool hostSees = false; // the host reads and writes there without a copy

  bool contains(DeviceAddress address, std::uint64_t bytes) const {
    return address >= base && bytes <= size && address - base <= size - bytes;
  }

  /** "allocation 7 (4096 bytes at 0x7f..., user)". */
  std::string describe() const;
};

enum class MemoryStatus : std::uint8_t {
  ok,
  unknown,     // no allocation there
  outOfBounds, // starts in an allocation, ends beyond it
  freed,       // inside an allocation that was freed
  notBase,     // free() of an address inside an allocation
};

/** All members may be called from any thread. */
class DeviceMemory {
public:
  /** Reserves address space; `capacity` bytes can be allocated. Throws std::bad_alloc when nothing can be reserved. */
  explicit DeviceMemory(std::uint64_t capacity);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /** What allocations are aligned to unless they ask for more: what cuMemAlloc gives on hardware. */
  static constexpr std::uint64_t usualAlignment = 512;
  /** Nothing else lies in the pages of an allocation that is aligned to this. */
  static constexpr std::uint64_t pageAlignment = 4096;

  /** A range of `size` (> 0) bytes with one of these alignments, or 0 when the device's memory is used up. */
  DeviceAddress allocate(std::uint64_t size, AllocationKind kind, std::uint64_t owner = 0, std::string label = {},
                         std::uint64_t alignment = usualAlignment);

  /** Frees the allocation that starts at `base`; its contents are gone and its range is quarantined. */
  MemoryStatus free(DeviceAddress base);

  /**
   * Memory of a graph: addresses that are known before there is anything at them. It starts freed; revive() makes it
   * live and unwritten (false: the device's memory is used up), free() ends that, release() gives the addresses up.
   */
  DeviceAddress reserveAddresses(std::uint64_t size, std::uint64_t owner, std::string label);
  bool revive(DeviceAddress base);
  void release(DeviceAddress base);

  /** The host reads and writes this allocation without copies: unseen, so all of it counts as written. */
  void shareWithHost(DeviceAddress base);

  /** Frees all live allocations of `owner`. */
  void freeOwned(std::uint64_t owner, AllocationKind kind);

  /** The live or freed allocation that contains `address`. */
  std::optional<Allocation> find(DeviceAddress address) const;

  /** The allocation that `address` most likely missed: the nearest live one, for messages. */
  std::optional<Allocation> nearest(DeviceAddress address) const;

  /** Whether `bytes` bytes at `address` lie in one live allocation. */
  MemoryStatus check(DeviceAddress address, std::uint64_t bytes) const;

  /** The same for work that runs later: whether reserved memory is live then is not known yet. */
  MemoryStatus checkForLater(DeviceAddress address, std::uint64_t bytes) const;

  /** Checked copies and fills. Nothing is written unless the whole range is good. Writes mark bytes as initialised. */
  MemoryStatus copyIn(DeviceAddress to, const void* from, std::uint64_t bytes);
  MemoryStatus copyOut(void* to, DeviceAddress from, std::uint64_t bytes) const;
  MemoryStatus copyWithin(DeviceAddress to, DeviceAddress from, std::uint64_t bytes);
  MemoryStatus fill(DeviceAddress to, const void* pattern, std::uint32_t patternBytes, std::uint64_t count);

  /** Whether every byte was written since it was allocated; the first byte that was not goes to `*firstBad`. */
  bool initialised(DeviceAddress address, std::uint64_t bytes, DeviceAddress* firstBad = nullptr) const;
  void markInitialised(DeviceAddress address, std::uint64_t bytes);

  /** The first of these bytes to hold a value that comes from bytes nobody wrote; 0 when none does. */
  DeviceAddress firstUnwrittenValue(DeviceAddress address, std::uint64_t bytes) const;
  /** Where those values come from. */
  UnwrittenValues& unwrittenValues() { return unwrittenValues_; }

  /** Live allocations, in order of their ids: what leaked, when the owner ends. */
  std::vector<Allocation> live() const;
  std::vector<Allocation> live(std::uint64_t owner) const;

  std::uint64_t capacity() const { return capacity_; }
  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }

  /** Grows by one with every free: a cached answer of find() is good while this stands still. */
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  /** The reserved range. */
  DeviceAddress begin() const { return base_; }
  DeviceAddress end() const { return base_ + reserved_; }
  /** Whether an address belongs to the reserved range at all. */
  bool covers(DeviceAddress address) const { return address - base_ < reserved_; }

  // Raw shadows, for the executor. One byte per byte: see unwritten_values.h.
  std::uint8_t* initialisedShadow(DeviceAddress address) const { return initShadow_ + (address - base_); }
  // One word per aligned four bytes: who wrote them last in which launch (see exec/global_race.cpp).
  std::uint64_t* writerShadow(DeviceAddress address) const { return writerShadow_ + (address - base_) / 4; }
  // Two words per 32-byte sector: the last launch that read it, the last that wrote it.
  std::uint32_t* sectorShadow(DeviceAddress address) const { return sectorShadow_ + (address - base_) / 32 * 2; }

private:
  using Table = std::map<DeviceAddress, Allocation>;

  const Allocation* findLocked(DeviceAddress address) const;
  MemoryStatus checkLocked(DeviceAddress address, std::uint64_t bytes) const;
  DeviceAddress reserveLocked(std::uint64_t span);
  void freeLocked(Allocation& allocation);
  void quarantineLocked(const Allocation& allocation);
  void discard(const Allocation& allocation);
  void recycleLocked(std::uint64_t span);

  std::uint64_t capacity_;
  std::uint64_t reserved_ = 0; // bytes of address space
  DeviceAddress base_ = 0;
  std::uint8_t* initShadow_ = nullptr;
  std::uint64_t* writerShadow_ = nullptr;
  std::uint32_t* sectorShadow_ = nullptr;
  UnwrittenValues unwrittenValues_;

  mutable std::shared_mutex mutex_;
  Table table_;                                       // live and quarantined, by base
  std::deque<DeviceAddress> quarantine_;              // freed, oldest first
  std::map<DeviceAddress, std::uint64_t> recyclable_; // spans that left the quarantine
  DeviceAddress next_ = 0;
  std::uint64_t nextId_ = 1;
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> generation_{0};
};

} // namespace simgpu
