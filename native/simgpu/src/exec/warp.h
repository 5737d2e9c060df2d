// The state of a running warp: groups of lanes, call frames, registers.
#pragma once

#include "exec/lane_race.h"
#include "exec/program.h"
#include "exec/suspect.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace simgpu {

class Block;
class LaunchContext;
class Worker;

/** Operations a polling group may run while others are ready. */
inline constexpr std::uint64_t rotateAfter = 2048;

/** Calls `action(lane)` for every set bit. */
template <class Action> void forEachLane(std::uint32_t mask, Action action) {
  for (; mask != 0; mask &= mask - 1) {
    action(__builtin_ctz(mask));
  }
}

/** An activation of a function. Lanes that called it together share it; each has its own values. */
struct Frame {
  const FunctionCode* function = nullptr;
  std::byte* registers = nullptr;
  Frame* caller = nullptr;
  const CallSite* site = nullptr;
  std::uint32_t returnTo = 0;
  std::uint32_t depth = 0;
  std::uint32_t lanes = 0; // that have not returned or exited
  std::uint32_t localBase = 0;
  std::uint32_t localTop = 0; // end of what this frame uses, alloca included
};

/** Lanes of a warp that are at the same place. */
struct LaneGroup {
  enum class State : std::uint8_t {
    ready,
    yielded,     // ready, but others go first: it has been polling
    converging,  // waits for lanes named by `needed` at the same operation
    warpBarrier, // waits in bar.warp.sync for the lanes of `needed`
    barrier,     // waits at a block barrier
  };

  std::uint32_t pc = 0;
  std::uint32_t mask = 0;
  Frame* frame = nullptr;
  State state = State::ready;
  std::uint32_t needed = 0;
  std::uint8_t barrier = 0;
};

/** cp.async operations of a warp that have not been waited for. See exec/async_copy.h. */
struct PendingCopy {
  std::uint32_t mask = 0;
  std::uint32_t bytes = 0;
  std::array<std::uint32_t, lanesPerWarp> to{};         // shared offset
  std::array<const std::byte*, lanesPerWarp> from{};    // host address
  std::array<std::uint8_t, lanesPerWarp> sourceBytes{}; // the rest is zero-filled
  const Op* op = nullptr;
};

struct CopyBatch {
  std::uint32_t mask = 0; // lanes for which the batch is outstanding
  bool committed = false;
  std::uint32_t due = 0; // while waiting: lanes for which it must be done
  std::vector<PendingCopy> copies;
};

/** A read of shared memory that another warp, or a lane elsewhere, may overwrite before the value is used. */
struct SharedRead {
  const Op* op = nullptr;
  std::byte* registers = nullptr;
  std::uint32_t mask = 0;
  std::uint32_t ordered = 0; // lanes that are in order with it: the readers, and whoever met them since
  std::uint32_t bytes = 0;
  std::uint32_t time = 0; // of the block
  std::array<std::uint32_t, lanesPerWarp> at{}; // offset, by lane
};

inline constexpr std::size_t sharedReadsKept = 16;

/** Why Warp::run came back. */
enum class WarpStop : std::uint8_t { done, blocked, yielded, budget };

class Warp {
public:
  Warp(Block& ownBlock, Worker& ownWorker, std::uint32_t index, std::uint32_t lanes);
  Warp(const Warp&) = delete;
  Warp& operator=(const Warp&) = delete;
  ~Warp();

  /** Runs until it ends, waits, or has executed `budget` operations. */
  WarpStop run(std::uint64_t budget);

  bool done() const { return live_ == 0; }
  bool blocked() const { return blocked_; }

  /** Wakes the lanes that wait at block barrier `id`. */
  void release(std::uint8_t id);

  /** The first group that waits for other lanes of its warp, or null. */
  const LaneGroup* firstConverging() const;
  const std::vector<LaneGroup>& groups() const { return groups_; }

  // What handlers use.
  template <class T> T* slot(std::uint32_t offset) const { return reinterpret_cast<T*>(registers + offset); }
  std::uint32_t& predicate(std::uint32_t offset) const { return *slot<std::uint32_t>(offset); }
  void setPredicate(std::uint32_t offset, std::uint32_t mask, std::uint32_t value) const {
    std::uint32_t& target = predicate(offset);
    target = (target & ~mask) | (value & mask);
  }
  const std::uint32_t* extended(const Op& op) const { return extended_ + op.ext; }

  std::uint32_t live() const { return live_; }
  std::uint32_t index() const { return index_; }
  std::uint32_t existing() const { return existing_; }
  Frame& frame() { return *frame_; }
  std::uint32_t pc() const { return pc_; }
  /** The lanes that run at pc(); 0 while all of them wait. */
  std::uint32_t mask() const { return mask_; }

  /** Grows the frame's local memory (alloca); returns the local address of the new space. */
  std::uint32_t allocateLocal(const Op& op, std::uint32_t bytes, std::uint32_t alignment);
  std::byte* local(int lane) { return local_.data() + static_cast<std::size_t>(lane) * localStride_; }
  /** One byte per byte of local(lane), 0 until it is written, then a mark of Suspects; null when checks are off. */
  std::uint8_t* localWritten(int lane) {
    return localWritten_.empty() ? nullptr : localWritten_.data() + static_cast<std::size_t>(lane) * localStride_;
  }
  /** The same bytes, none when checks are off. */
  std::span<std::uint8_t> localKnown(int lane) {
    return localWritten_.empty() ? std::span<std::uint8_t>() : std::span(localWritten(lane), localStride_);
  }
  std::uint32_t localLimit() const { return frame_->localTop; }

  /** Lane `lane` reads a byte whose value nobody should use: see exec/suspect.h. `describe` makes the finding. */
  void suspect(const Op& op, int lane, std::uint32_t byte, FindingKind kind, const std::function<Finding()>& describe);
  /** It reads a byte of local memory with a mark of Suspects::localMark. */
  void suspectReloaded(const Op& op, int lane, std::uint32_t byte, std::uint8_t mark);
  Suspects& suspects() { return suspects_; }
  const Suspects& suspects() const { return suspects_; }

  /** Notes a read of shared memory, for overwrites(). */
  void noteSharedRead(const Op& op, std::uint32_t mask, const std::array<std::uint64_t, lanesPerWarp>& addresses,
                      std::uint32_t bytes);
  /**
   * Another warp overwrites the shared byte at `offset` that this warp read at block time `since` or later, without
   * synchronisation between. Whether the value was not used yet; then it is suspect from now on.
   */
  bool overwrites(std::uint32_t offset, std::uint32_t since, const std::function<Finding()>& describe);
  /**
   * Before a plain write of the lanes of `mask`: other lanes, elsewhere in the code, may have read the bytes without
   * having met these since. What they read is suspect from now on; it is reported if they have used it.
   */
  void overwriteReads(const Op& op, std::uint32_t mask, const std::array<std::uint64_t, lanesPerWarp>& addresses,
                      std::uint32_t bytes);
  /** The lanes of `mask` wait for each other, or synchronise. */
  void meet(std::uint32_t mask);

  std::byte* registers = nullptr; // of the current frame
  Block& block;
  LaunchContext& launch;
  Worker& worker;
  bool polled = false;      // executed something that spin loops consist of
  std::vector<CopyBatch> copies;
  LaneRaces laneRaces;
  std::uint32_t acquired = 1; // block time of the last acquire and the last release, for race checks
  std::uint32_t released = 1;

private:
  /** Executes a control operation; false ends run() with stop_. */
  bool control(const Op& op, std::uint32_t active);
  bool branch(const Op& op, std::uint32_t active);
  bool slice();
  bool branchIndexed(const Op& op, std::uint32_t active);
  bool call(const Op& op, std::uint32_t active);
  bool callIndirect(const Op& op, std::uint32_t active);
  void enter(const Op& op, std::uint32_t function, const CallSite& site, std::uint32_t lanes);
  bool ret(std::uint32_t active);
  bool exitLanes(std::uint32_t active);
  bool barrier(const Op& op, std::uint32_t active);
  bool collective(const Op& op, std::uint32_t active);
  bool aligned(const Op& op, std::uint32_t active);
  bool warpBarrier(const Op& op, std::uint32_t active);
  /** Sets lanes of the running group aside. */
  void park(LaneGroup::State state, std::uint32_t lanes, std::uint32_t needed, std::uint8_t barrierId = 0);
  std::uint32_t inOtherCalls(std::uint32_t needed) const;
  bool isInOtherCall(const LaneGroup& group, std::uint32_t needed) const;
  void runAcrossCalls(const Op& op, std::uint32_t lanes, std::uint32_t needed);
  /** Splits `active` by the value each lane has in `slot`: calls action(lanes, value). */
  template <class Action> void byMemberMask(const Op& op, std::uint32_t active, Action action);
  bool atMerge();
  bool schedule();
  void resume(std::size_t group);
  void refreshMerge();
  bool stuck();
  [[noreturn]] void failDivergent(const Op& op, std::uint32_t waiting, std::uint32_t missing);
  void dropLanes(Frame* frame, std::uint32_t lanes);
  Frame* newFrame(const FunctionCode& function);
  void releaseFrame(Frame* frame);
  void followSuspects();
  enum class Use : std::uint8_t { none, used, replaced };
  Use useBefore(const Op& read, std::uint32_t pc, const FunctionCode& function) const;
  Use useSince(const SharedRead& read, std::uint32_t lanes) const;
  /** The value that `lanes` read is not to be relied on; false when it has been used already. */
  bool distrust(const SharedRead& read, std::uint32_t lanes, const std::function<Finding()>& describe);
  /** Copies local memory of a lane and what is known about it. */
  void moveLocal(int lane, std::uint32_t to, std::uint32_t from, std::uint32_t bytes);
  void ensureLocal(const Op& op, std::uint32_t bytes);
  void wakeSatisfied();
  void wakeWarpBarrier();

  std::uint32_t index_;
  std::uint32_t existing_; // lanes that have a thread
  std::uint32_t live_;     // lanes that have not exited
  std::uint32_t pc_ = 0;
  std::uint32_t mask_ = 0;
  Frame* frame_ = nullptr;
  std::uint32_t nextMerge_ = ~0u; // smallest pc of another group of this frame
  const Op* ops_ = nullptr;
  const std::uint32_t* extended_ = nullptr;
  bool blocked_ = false;
  WarpStop stop_ = WarpStop::done;
  std::uint64_t steps_ = 0;
  std::uint64_t budget_ = 0;
  std::uint64_t rotateAt_ = 0;
  Suspects suspects_;
  std::array<SharedRead, sharedReadsKept> sharedReads_;
  std::size_t nextSharedRead_ = 0;
  bool readsApart_ = false; // some of them are not in order with every lane
  std::vector<LaneGroup> groups_; // all but the running one
  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<std::byte> local_;           // localStride_ bytes a lane
  std::vector<std::uint8_t> localWritten_; // the same; empty when checks are off
  std::uint32_t localStride_ = 0;
};

} // namespace simgpu
