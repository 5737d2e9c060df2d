// A thread block: its warps, shared memory and barriers.
#pragma once

#include "exec/launch_context.h"
#include "exec/shared_shadow.h"
#include "exec/warp.h"

#include <array>
#include <memory>
#include <vector>

namespace simgpu {

class Worker;

/** Lanes that wait at a block barrier; bar.red needs to know where their result goes. */
struct BarrierWaiter {
  Warp* warp = nullptr;
  const Op* op = nullptr;
  std::byte* registers = nullptr;
  std::uint32_t mask = 0;
};

struct BlockBarrier {
  std::uint32_t arrived = 0;  // threads
  std::uint32_t expected = 0; // 0: every thread that has not exited
  std::uint32_t ones = 0;     // of bar.red: threads whose predicate was true
  std::uint32_t votes = 0;    // threads that voted
  std::vector<BarrierWaiter> waiters;
};

inline constexpr std::uint32_t barrierCount = 16;

enum class BlockStop : std::uint8_t { done, preempted };

class Block {
public:
  Block(Worker& ownWorker, std::uint64_t linearIndex);

  /** Runs until all threads have exited, or the slice is over and it seems to wait for other blocks. */
  BlockStop run();

  /** Lanes `mask` arrive at barrier `id`; `expected` as in BlockBarrier. `waits`: bar.arrive does not. */
  void arrive(Warp& warp, const Op& op, std::uint32_t id, std::uint32_t mask, std::uint32_t expected, bool waits);
  /** Threads exited: barriers that wait for all threads may be complete now. */
  void threadsExited(std::uint32_t count);

  std::byte* shared() { return shared_.data(); }

  /** Marks a synchronisation of a warp with the rest of the block: fences, mbarriers, acquire and release. */
  void release(Warp& warp);
  void acquire(Warp& warp) { warp.acquired = time; }

  Worker& worker;
  LaunchContext& launch;
  Position position;
  std::uint64_t linear = 0;
  SharedShadow shadow;    // empty when checks are off
  std::uint32_t time = 1; // grows with every synchronisation inside the block
  bool usesReservedShared = false; // it asked where the region lies that the driver reserves
  std::vector<std::unique_ptr<Warp>> warps;

private:
  void advance();
  void complete(std::uint32_t id);
  bool finished(const BlockBarrier& barrier) const;
  [[noreturn]] void reportStuck();
  void reportTimeout(const Warp& last) const;

  std::vector<std::byte> shared_;
  std::array<BlockBarrier, barrierCount> barriers_;
  std::uint32_t liveThreads_ = 0;
};

} // namespace simgpu
