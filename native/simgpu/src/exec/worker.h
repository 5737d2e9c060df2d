// A host thread that runs blocks, with the storage it reuses from block to block.
#pragma once

#include "exec/launch_context.h"

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace simgpu {

class Block;

/** The allocation that the last accesses hit: nearly every access of a kernel goes to one of a few. */
struct AllocationCache {
  static constexpr std::size_t entries = 64;
  struct Entry {
    DeviceAddress base = 1;
    DeviceAddress end = 0;
    std::uint64_t generation = 0;
  };
  Entry entry[entries];
};

/** Register frames of one function, with their constants already in place. */
struct FramePool {
  std::vector<std::byte*> free;
};

class Worker {
public:
  Worker(LaunchContext& context, std::uint32_t residentLimit);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /** Runs blocks until none is left or the launch failed. */
  void run();

  std::byte* takeRegisters(const FunctionCode& function);
  void returnRegisters(const FunctionCode& function, std::byte* registers);

  Counters counters;
  AllocationCache cache;
  AccessRecorder accesses;
  LaunchContext& launch;

private:
  std::unique_ptr<Block> startNext();
  void runResident();

  std::uint32_t residentLimit_;
  std::deque<std::unique_ptr<Block>> resident_;
  std::unordered_map<const FunctionCode*, FramePool> pools_;
  std::vector<std::byte*> allRegisters_;
};

} // namespace simgpu
