// Assigns the values of a function to slots of its register frame. PTX names a new register for nearly every result;
// giving each its own slot would make frames of hundreds of kilobytes that no cache holds.
#pragma once

#include "exec/decoder.h"

#include <cstdint>
#include <vector>

namespace simgpu {

/**
 * Liveness by data flow over basic blocks, then a linear scan over live ranges. Lanes that diverge are no obstacle: a
 * slot has a lane of its own for each, every write is masked, and along each lane's own path liveness holds.
 */
class RegisterPacking {
public:
  explicit RegisterPacking(Decoder& decoder) : decoder_(decoder), code_(decoder.code_) {}

  /** Replaces value ids in the function's operations by frame offsets; fills in frame size, constants, estimate. */
  void run();

private:
  struct Range {
    std::uint32_t first = ~0u;
    std::uint32_t last = 0;
  };
  struct BasicBlock {
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    std::vector<std::uint32_t> next;
    std::vector<std::uint64_t> liveIn; // bit sets over values that cross blocks
    std::vector<std::uint64_t> liveOut;
    std::vector<std::uint64_t> upward; // read before written
    std::vector<std::uint64_t> killed; // written without a guard
  };

  template <class Action> void forOperands(std::uint32_t index, Action action);
  void findBlocks();
  void findCrossing();
  void solve();
  void findRanges();
  void assign();
  void rewrite();

  Decoder& decoder_;
  Code& code_;
  std::vector<BasicBlock> blocks_;
  std::vector<std::uint32_t> blockOf_;               // operation (from the function's first) to block
  std::vector<std::uint32_t> crossing_;              // value to bit, or ~0
  std::vector<ValueId> crossingValues_;
  std::vector<std::vector<std::uint32_t>> extended_; // operation to indices in Decoder::extendedRefs_
  std::vector<Range> ranges_;
  std::vector<std::uint32_t> slots_; // value to frame offset
  std::uint32_t frameBytes_ = 0;
};

} // namespace simgpu
