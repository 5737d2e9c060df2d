// Which lanes of a warp run: groups that diverged, waited and meet again.
//
// The rule is "deepest call first, then smallest pc", which makes lanes meet at the first common operation of code laid
// out as compilers do. It is only a matter of speed where instructions do not need other lanes; where they do (shfl,
// bar, mma), a group waits at the instruction until the others arrive there. A group that polls memory is set back
// behind the others from time to time, because it may wait for them.
#include "exec/block.h"
#include "exec/warp.h"

#include <bit>
#include <cstdio>
#include <cstring>
#include <span>

namespace simgpu {

namespace {

bool isReady(const LaneGroup& group) { return group.state == LaneGroup::State::ready; }

/** Groups that join others which arrive where they are. */
bool joins(const LaneGroup& group) {
  return group.state == LaneGroup::State::ready || group.state == LaneGroup::State::yielded ||
         group.state == LaneGroup::State::converging;
}

} // namespace

void Warp::park(LaneGroup::State state, std::uint32_t lanes, std::uint32_t needed, std::uint8_t barrierId) {
  groups_.push_back({pc_, lanes, frame_, state, needed, barrierId});
  mask_ &= ~lanes;
}

/**
 * Lanes that wait at the running group's operation for the same lanes as it, but in other calls of the function: they
 * came to the call at another time. A device looks at the operation alone.
 */
std::uint32_t Warp::inOtherCalls(std::uint32_t needed) const {
  std::uint32_t lanes = 0;
  for (const LaneGroup& group : groups_) {
    lanes |= isInOtherCall(group, needed) ? group.mask : 0;
  }
  return lanes;
}

bool Warp::isInOtherCall(const LaneGroup& group, std::uint32_t needed) const {
  // of the same depth: a lane then has nothing in the running group's frame
  return group.state == LaneGroup::State::converging && group.pc == pc_ && group.needed == needed &&
         group.frame != frame_ && group.frame->depth == frame_->depth;
}

namespace {

/** The operands of `lanes`, or only what is a result, from one frame to another. */
void copyOperands(std::span<const OperandSlot> operands, const std::byte* from, std::byte* to, std::uint32_t lanes,
                  bool results) {
  for (const OperandSlot& operand : operands) {
    if (results && !operand.result) {
      continue;
    }
    if (operand.size == 0) { // a predicate: a bit a lane
      std::uint32_t bits = 0;
      std::uint32_t others = 0;
      std::memcpy(&bits, from + operand.slot, sizeof bits);
      std::memcpy(&others, to + operand.slot, sizeof others);
      bits = (bits & lanes) | (others & ~lanes);
      std::memcpy(to + operand.slot, &bits, sizeof bits);
      continue;
    }
    forEachLane(lanes, [&](int lane) {
      const std::size_t place = operand.slot + static_cast<std::size_t>(lane) * operand.size;
      std::memcpy(to + place, from + place, operand.size);
    });
  }
}

} // namespace

/** Executes an operation for lanes of the running group and those that wait for it in other calls. */
void Warp::runAcrossCalls(const Op& op, std::uint32_t lanes, std::uint32_t needed) {
  const std::span<const OperandSlot> operands = launch.code->operandsOf(op);
  for (const LaneGroup& group : groups_) {
    if (isInOtherCall(group, needed)) {
      copyOperands(operands, group.frame->registers, registers, group.mask, false);
      lanes |= group.mask;
    }
  }
  meet(lanes);
  op.run(*this, op, lanes);
  for (LaneGroup& group : groups_) {
    if (isInOtherCall(group, needed)) {
      copyOperands(operands, registers, group.frame->registers, group.mask, true);
      group.state = LaneGroup::State::ready;
      group.pc++;
    }
  }
}

/** The running group reached (or jumped over) the pc of another one. */
bool Warp::atMerge() {
  for (const LaneGroup& group : groups_) {
    if (group.frame == frame_ && isReady(group) && group.pc < pc_) {
      park(LaneGroup::State::ready, mask_, 0);
      return schedule();
    }
  }
  for (std::size_t i = 0; i < groups_.size();) {
    if (groups_[i].frame == frame_ && groups_[i].pc == pc_ && joins(groups_[i])) {
      mask_ |= groups_[i].mask;
      groups_[i] = groups_.back();
      groups_.pop_back();
    } else {
      i++;
    }
  }
  refreshMerge();
  return true;
}

void Warp::refreshMerge() {
  nextMerge_ = ~0u;
  for (const LaneGroup& group : groups_) {
    if (group.frame == frame_ && joins(group) && (isReady(group) || group.pc > pc_)) {
      nextMerge_ = std::min(nextMerge_, group.pc);
    }
    if (group.frame == frame_ && joins(group) && group.pc == pc_) {
      nextMerge_ = pc_;
    }
  }
  if (!suspects_.empty()) {
    nextMerge_ = 0; // every operation is looked at
  }
}

/** Chooses the group to run; false when none can, with stop_ set. */
bool Warp::schedule() {
  for (int attempt = 0; attempt < 2; attempt++) {
    std::size_t best = groups_.size();
    for (std::size_t i = 0; i < groups_.size(); i++) {
      const LaneGroup& group = groups_[i];
      if (!isReady(group)) {
        continue;
      }
      if (best == groups_.size() || group.frame->depth > groups_[best].frame->depth ||
          (group.frame->depth == groups_[best].frame->depth && group.pc < groups_[best].pc)) {
        best = i;
      }
    }
    if (best < groups_.size()) {
      resume(best);
      return true;
    }
    for (LaneGroup& group : groups_) {
      if (group.state == LaneGroup::State::yielded) {
        group.state = LaneGroup::State::ready;
      }
    }
  }
  mask_ = 0;
  return stuck();
}

void Warp::resume(std::size_t index) {
  const LaneGroup group = groups_[index];
  groups_[index] = groups_.back();
  groups_.pop_back();
  pc_ = group.pc;
  mask_ = group.mask;
  frame_ = group.frame;
  registers = frame_->registers;
  blocked_ = false;
  nextMerge_ = pc_; // whoever is here too joins at once
}

const LaneGroup* Warp::firstConverging() const {
  for (const LaneGroup& group : groups_) {
    if (group.state == LaneGroup::State::converging || group.state == LaneGroup::State::warpBarrier) {
      return &group;
    }
  }
  return nullptr;
}

/** No group can run. Either other warps will wake one, or lanes wait for lanes that never come. */
bool Warp::stuck() {
  const LaneGroup* waiting = firstConverging();
  bool atBarrier = false;
  for (const LaneGroup& group : groups_) {
    atBarrier |= group.state == LaneGroup::State::barrier;
  }
  if (waiting == nullptr || atBarrier) {
    blocked_ = true;
    stop_ = WarpStop::blocked;
    return false;
  }
  failDivergent(ops_[waiting->pc], waiting->mask, waiting->needed & ~waiting->mask);
}

void Warp::failDivergent(const Op& op, std::uint32_t waiting, std::uint32_t missing) {
  const FindingKind kind =
      op.kind == OpKind::barrier ? FindingKind::divergentBarrier : FindingKind::divergentWarpSync;
  Finding finding = launch.locate(kind, Status::launchFailed, *this, op, std::countr_zero(waiting));
  char detail[128];
  std::snprintf(detail, sizeof detail, "lanes %08x are here without lanes %08x, which the instruction needs", waiting,
                missing);
  finding.detail = detail;
  launch.fail(std::move(finding));
}

void Warp::release(std::uint8_t id) {
  for (LaneGroup& group : groups_) {
    if (group.state == LaneGroup::State::barrier && group.barrier == id) {
      group.state = LaneGroup::State::ready;
      group.pc++;
      blocked_ = false;
      meet(allLanes);
    }
  }
}

/** Lanes exited: groups that waited for them need not any more. */
void Warp::wakeSatisfied() {
  for (LaneGroup& group : groups_) {
    if (group.state == LaneGroup::State::converging && (group.needed & live_ & ~group.mask) == 0) {
      group.state = LaneGroup::State::ready;
    }
  }
  wakeWarpBarrier();
}

/** bar.warp.sync lets lanes wait at different places: all that wait for the same lanes count together. */
void Warp::wakeWarpBarrier() {
  for (std::size_t i = 0; i < groups_.size(); i++) {
    if (groups_[i].state != LaneGroup::State::warpBarrier) {
      continue;
    }
    const std::uint32_t needed = groups_[i].needed;
    std::uint32_t here = 0;
    for (const LaneGroup& group : groups_) {
      here |= group.state == LaneGroup::State::warpBarrier && group.needed == needed ? group.mask : 0;
    }
    if ((needed & live_ & ~here) != 0) {
      continue;
    }
    meet(here);
    for (LaneGroup& group : groups_) {
      if (group.state == LaneGroup::State::warpBarrier && group.needed == needed) {
        group.state = LaneGroup::State::ready;
        group.pc++;
      }
    }
  }
}

} // namespace simgpu
