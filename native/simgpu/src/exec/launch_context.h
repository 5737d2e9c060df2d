// Everything the blocks of one launch share.
#pragma once

#include "exec/engine.h"
#include "exec/program.h"
#include "exec/warp.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace simgpu {

/** Blocks that the check of races between blocks tells apart; beyond, several share a number. */
inline constexpr std::uint64_t blocksTraced = std::uint64_t{1} << 20;

/** Thrown to end a launch after the reason was reported. */
struct LaunchFault {};

class LaunchContext {
public:
  LaunchContext(DeviceMemory& deviceMemory, const DeviceModel& deviceModel, const Settings& launchSettings);

  /** Notes a finding. Equal ones (kind, line, opcode) are counted, not repeated. */
  void report(Finding finding);
  /** Reports and ends the launch. */
  [[noreturn]] void fail(Finding finding);

  /** A finding located at a lane of an operation. */
  Finding locate(FindingKind kind, Status status, const Warp& warp, const Op& op, int lane) const;

  /** "allocation 7 (...)" around or near an address, for Finding::allocation. */
  std::string describeAddress(DeviceAddress address) const;

  /** A block came to its end: the watchdog begins anew. */
  void blockEnded() { executedAtEnd.store(executed.load(std::memory_order_relaxed), std::memory_order_relaxed); }
  /** The watchdog's patience is over. */
  bool outOfTime() const {
    const std::uint64_t end = executedAtEnd.load(std::memory_order_relaxed); // first: `executed` only grows
    return settings.watchdog != 0 && executed.load(std::memory_order_relaxed) - end > settings.watchdog;
  }

  void print(std::string_view text);
  std::vector<Finding> takeFindings();
  std::string takePrinted();

  /** Nanoseconds since the launch began. */
  std::uint64_t nanoseconds() const;

  DeviceMemory& memory;
  const DeviceModel& model;
  const Settings settings;
  Limits limits;
  const TextureTable* textures = nullptr;
  const Code* code = nullptr;
  const FunctionCode* entry = nullptr;
  std::string kernel;
  Dim3 grid;
  Dim3 block;
  std::uint32_t threads = 0; // per block
  std::span<const std::byte> parameters;
  std::uint32_t staticShared = 0;
  std::uint32_t dynamicShared = 0;
  std::uint32_t sharedBytes = 0;    // static, dynamic
  std::uint32_t reservedShared = 0; // offset of the region the driver reserves for cooperative groups
  std::uint32_t sharedTotal = 0;    // with the reserved region
  std::uint32_t launchId = 0;       // differs between launches of an engine, never 0
  std::uint64_t heapOwner = 0;
  DeviceAddress gridWorkspace = 0;
  bool recordAccesses = false; // in each worker's recorder
  std::atomic<bool> aborted{false};
  std::atomic<std::uint64_t> nextBlock{0};
  std::atomic<std::uint64_t> heapUsed{0};
  // for the watchdog: operations so far, and how many they were when a block last came to its end
  std::atomic<std::uint64_t> executed{0};
  std::atomic<std::uint64_t> executedAtEnd{0};

  // Order of synchronisation between blocks, for the check of races between them: see global_race.cpp.
  std::atomic<std::uint32_t> clock{1};
  std::vector<std::atomic<std::uint32_t>> fences; // last fence of each block on that clock; empty when checks are off

private:
  std::mutex mutex_;
  std::vector<Finding> findings_;
  std::string printed_;
  std::chrono::steady_clock::time_point start_;
};

} // namespace simgpu
