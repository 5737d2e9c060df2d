// Control operations: branches, calls, returns, waits.
#include "exec/address_space.h"
#include "exec/async_copy.h"
#include "exec/block.h"
#include "exec/worker.h"

#include <bit>
#include <cstring>
#include <span>

namespace simgpu {

namespace {


} // namespace

bool Warp::control(const Op& op, std::uint32_t active) {
  switch (op.kind) {
  case OpKind::branch:
    return branch(op, active);
  case OpKind::branchIndexed:
    return branchIndexed(op, active);
  case OpKind::call:
    return call(op, active);
  case OpKind::callIndirect:
    return callIndirect(op, active);
  case OpKind::ret:
    return ret(active);
  case OpKind::exit:
    return exitLanes(active);
  case OpKind::barrier:
    return barrier(op, active);
  case OpKind::collective:
    return collective(op, active);
  case OpKind::aligned:
    return aligned(op, active);
  case OpKind::warpBarrier:
    return warpBarrier(op, active);
  case OpKind::yield:
    pc_++;
    polled = true;
    if (!groups_.empty()) {
      park(LaneGroup::State::yielded, mask_, 0);
      schedule();
    }
    stop_ = WarpStop::yielded;
    return false;
  case OpKind::trap:
    if (active != 0) {
      Finding finding =
          launch.locate(FindingKind::trapped, Status::launchFailed, *this, op, std::countr_zero(active));
      launch.fail(std::move(finding));
    }
    pc_++;
    return true;
  case OpKind::refused:
    if (active != 0) {
      Finding finding =
          launch.locate(FindingKind::invalidLaunch, Status::notSupported, *this, op, std::countr_zero(active));
      finding.detail = "an instruction that is not simulated, in a function that was called through a pointer";
      launch.fail(std::move(finding));
    }
    pc_++;
    return true;
  case OpKind::plain:
    break;
  }
  return true;
}

/** After a branch: whether the warp may go on. Every loop passes here, straight code ends by itself. */
bool Warp::slice() {
  if (!groups_.empty() && polled && steps_ >= rotateAt_) {
    // lanes that poll could wait for lanes of their own warp, which the rule "smallest pc first" would starve
    rotateAt_ = steps_ + rotateAfter;
    park(LaneGroup::State::yielded, mask_, 0);
    if (!schedule()) {
      return false;
    }
  }
  if (steps_ >= budget_) {
    stop_ = WarpStop::budget;
    return false;
  }
  return true;
}

bool Warp::branch(const Op& op, std::uint32_t active) {
  Counters& counters = worker.counters;
  counters.branches++;
  if (active == mask_) {
    const bool backwards = op.target <= pc_;
    pc_ = op.target;
    if (backwards) {
      if (!groups_.empty()) {
        refreshMerge();
      }
      return slice();
    }
    return true;
  }
  if (active == 0) {
    pc_++;
    return true;
  }
  counters.divergentBranches++;
  // the smaller pc goes first, the other waits to be met
  LaneGroup other{pc_ + 1, mask_ & ~active, frame_};
  if (op.target > pc_) {
    std::swap(other.mask, active);
    other.pc = op.target;
    pc_++;
  } else {
    pc_ = op.target;
  }
  mask_ = active;
  groups_.push_back(other);
  refreshMerge();
  return slice();
}

bool Warp::branchIndexed(const Op& op, std::uint32_t active) {
  worker.counters.branches++;
  const auto& table = *reinterpret_cast<const std::vector<std::uint32_t>*>(op.imm);
  const auto* index = slot<std::uint32_t>(op.a);
  const std::uint32_t staying = mask_ & ~active;
  if (staying != 0) {
    groups_.push_back({pc_ + 1, staying, frame_});
  }
  for (std::uint32_t left = active; left != 0;) {
    const int lane = std::countr_zero(left);
    std::uint32_t same = 0;
    forEachLane(left, [&](int other) { same |= index[other] == index[lane] ? 1u << other : 0; });
    if (index[lane] >= table.size()) {
      Finding finding = launch.locate(FindingKind::invalidCall, Status::invalidProgramCounter, *this, op, lane);
      finding.detail = "brx.idx index " + std::to_string(index[lane]) + " of " + std::to_string(table.size());
      launch.fail(std::move(finding));
    }
    groups_.push_back({table[index[lane]], same, frame_});
    left &= ~same;
  }
  if (active == 0) {
    pc_++;
    groups_.pop_back();
    return true;
  }
  mask_ = 0;
  return schedule() && slice();
}

void Warp::enter(const Op& op, std::uint32_t function, const CallSite& site, std::uint32_t lanes) {
  const FunctionCode& callee = launch.code->functions[function];
  const std::uint32_t base = (frame_->localTop + frameAlignment - 1) / frameAlignment * frameAlignment;
  // a frame takes room even without variables, so that endless recursion ends
  const std::uint32_t top = base + std::max(callee.localBytes, frameAlignment);
  ensureLocal(op, top);
  if (!localWritten_.empty()) {
    forEachLane(lanes, [&](int lane) { std::memset(localWritten(lane) + base, 0, top - base); });
  }
  for (std::size_t i = 0; i < site.arguments.size(); i++) {
    const LocalRange from = site.arguments[i];
    const LocalRange to = callee.parameters[i];
    forEachLane(lanes, [&](int lane) {
      moveLocal(lane, base + to.offset, frame_->localBase + from.offset, std::min(from.size, to.size));
    });
  }
  Frame* frame = newFrame(callee);
  frame->caller = frame_;
  frame->site = &site;
  frame->returnTo = pc_ + 1;
  frame->depth = frame_->depth + 1;
  frame->lanes = lanes;
  frame->localBase = base;
  frame->localTop = top;
  if (mask_ != lanes) {
    groups_.push_back({pc_ + 1, mask_ & ~lanes, frame_});
  }
  frame_ = frame;
  registers = frame->registers;
  mask_ = lanes;
  pc_ = callee.first;
  nextMerge_ = suspects_.empty() ? ~0u : 0;
}

bool Warp::call(const Op& op, std::uint32_t active) {
  if (active == 0) {
    pc_++;
    return true;
  }
  const CallSite& site = launch.code->calls[op.target];
  enter(op, site.function, site, active);
  return slice();
}

bool Warp::callIndirect(const Op& op, std::uint32_t active) {
  if (active == 0) {
    pc_++;
    return true;
  }
  const CallSite& site = launch.code->calls[op.target];
  const auto* targets = slot<std::uint64_t>(op.a);
  const int first = std::countr_zero(active);
  const std::uint64_t target = targets[first];
  const auto fault = [&](const std::string& detail) {
    Finding finding = launch.locate(FindingKind::invalidCall, Status::invalidProgramCounter, *this, op, first);
    finding.address = target;
    finding.detail = detail;
    launch.fail(std::move(finding));
  };
  const std::uint64_t index = (target - codeWindow) / 16 - 1;
  if (!inWindow(target, codeWindow) || target % 16 != 0 || index >= launch.code->functions.size() ||
      !launch.code->functions[index].defined) {
    fault("the address is not a function");
  }
  const FunctionCode& callee = launch.code->functions[index];
  const auto fits = [](std::span<const LocalRange> a, std::span<const LocalRange> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](LocalRange left, LocalRange right) { return left.size == right.size; });
  };
  // what a variadic function takes beside its named parameters is one array, of any size, or missing
  const std::size_t named = callee.parameters.size() - (callee.variadic ? 1 : 0);
  const std::span<const LocalRange> arguments = site.arguments;
  const bool extra = callee.variadic && arguments.size() == named + 1;
  if (!fits(extra ? arguments.first(named) : arguments, std::span(callee.parameters).first(named)) ||
      !fits(site.returns, callee.returns)) {
    fault("the prototype does not fit function " + callee.name);
  }
  std::uint32_t same = 0;
  forEachLane(active, [&](int lane) { same |= targets[lane] == target ? 1u << lane : 0; });
  if (same != active) {
    // lanes with other targets come back to this operation
    groups_.push_back({pc_, active & ~same, frame_});
    mask_ &= ~(active & ~same);
  }
  enter(op, static_cast<std::uint32_t>(index), site, same);
  return slice();
}

bool Warp::ret(std::uint32_t active) {
  if (frame_->caller == nullptr) {
    return exitLanes(active);
  }
  if (active == 0) {
    pc_++;
    return true;
  }
  Frame* callee = frame_;
  Frame* caller = callee->caller;
  for (std::size_t i = 0; i < callee->site->returns.size(); i++) {
    const LocalRange from = callee->function->returns[i];
    const LocalRange to = callee->site->returns[i];
    forEachLane(active, [&](int lane) {
      moveLocal(lane, caller->localBase + to.offset, callee->localBase + from.offset, std::min(from.size, to.size));
    });
  }
  groups_.push_back({callee->returnTo, active, caller});
  callee->lanes &= ~active;
  mask_ &= ~active;
  if (mask_ != 0) {
    pc_++;
    return true;
  }
  if (callee->lanes == 0) {
    releaseFrame(callee);
  }
  return schedule();
}

bool Warp::exitLanes(std::uint32_t active) {
  if (active == 0) {
    pc_++;
    return true;
  }
  finishCopies(*this, active);
  live_ &= ~active;
  mask_ &= ~active;
  suspects_.drop(active);
  Frame* frame = frame_;
  dropLanes(frame, active);
  block.threadsExited(static_cast<std::uint32_t>(std::popcount(active)));
  wakeSatisfied();
  if (mask_ != 0) {
    pc_++;
    return true;
  }
  frame_ = nullptr;
  if (live_ == 0) {
    stop_ = WarpStop::done;
    return false;
  }
  return schedule();
}

bool Warp::barrier(const Op& op, std::uint32_t active) {
  if (active == 0) {
    pc_++;
    return true;
  }
  const int first = std::countr_zero(active);
  const auto fault = [&](const std::string& detail) {
    Finding finding = launch.locate(FindingKind::invalidBarrier, Status::illegalInstruction, *this, op, first);
    finding.detail = detail;
    launch.fail(std::move(finding));
  };
  const bool isAligned = (op.flags & barrierAligned) != 0;
  if (isAligned && active != live_ && launch.settings.checks) {
    if (active != mask_) {
      failDivergent(op, active, live_ & ~active);
    }
    park(LaneGroup::State::converging, active, live_);
    return schedule();
  }
  const std::uint32_t id = slot<std::uint32_t>(op.a)[first];
  if (id >= barrierCount) {
    fault("barrier " + std::to_string(id) + " of 16");
  }
  std::uint32_t expected = op.b != noSlot ? slot<std::uint32_t>(op.b)[first] : 0;
  if (op.b != noSlot && (expected == 0 || expected % lanesPerWarp != 0)) {
    fault("the thread count " + std::to_string(expected) + " is not a positive multiple of 32");
  }
  worker.counters.barriers++;
  if ((op.flags & barrierArrive) != 0) {
    block.arrive(*this, op, id, active, expected, false);
    pc_++;
    return true;
  }
  park(LaneGroup::State::barrier, active, 0, static_cast<std::uint8_t>(id));
  block.arrive(*this, op, id, active, expected, true);
  if (mask_ != 0) {
    pc_++;
    return true;
  }
  return schedule();
}

template <class Action> void Warp::byMemberMask(const Op& op, std::uint32_t active, Action action) {
  const auto* members = slot<std::uint32_t>(op.e);
  for (std::uint32_t left = active; left != 0;) {
    const std::uint32_t value = members[std::countr_zero(left)];
    std::uint32_t same = 0;
    forEachLane(left, [&](int lane) { same |= members[lane] == value ? 1u << lane : 0; });
    action(same, value);
    left &= ~same;
  }
}

bool Warp::collective(const Op& op, std::uint32_t active) {
  std::uint32_t together = 0;
  byMemberMask(op, active, [&](std::uint32_t lanes, std::uint32_t members) {
    if ((lanes & ~members) != 0 && launch.settings.checks) {
      Finding finding = launch.locate(FindingKind::divergentWarpSync, Status::launchFailed, *this, op,
                                      std::countr_zero(lanes & ~members));
      char detail[96];
      std::snprintf(detail, sizeof detail, "an executing lane is not in the membermask %08x", members);
      finding.detail = detail;
      launch.report(std::move(finding));
    }
    const std::uint32_t needed = members & live_;
    if ((needed & ~lanes) == 0) {
      together |= lanes;
    } else if ((needed & ~(lanes | inOtherCalls(needed))) == 0) {
      runAcrossCalls(op, lanes, needed);
    } else {
      park(LaneGroup::State::converging, lanes, needed);
    }
  });
  if (together != 0) {
    meet(together);
    op.run(*this, op, together);
  }
  if (mask_ != 0) {
    pc_++;
    return true;
  }
  return schedule();
}

bool Warp::aligned(const Op& op, std::uint32_t active) {
  if (active == live_ || active == 0) {
    if (active != 0) {
      meet(allLanes);
      op.run(*this, op, active);
    }
    pc_++;
    return true;
  }
  if (active != mask_) {
    failDivergent(op, active, live_ & ~active);
  }
  park(LaneGroup::State::converging, active, live_);
  return schedule();
}

bool Warp::warpBarrier(const Op& op, std::uint32_t active) {
  byMemberMask(op, active, [&](std::uint32_t lanes, std::uint32_t members) {
    const std::uint32_t needed = members & live_;
    if ((needed & ~lanes) != 0) {
      park(LaneGroup::State::warpBarrier, lanes, needed);
    } else {
      meet(lanes);
    }
  });
  wakeWarpBarrier();
  if (mask_ != 0) {
    pc_++;
    return true;
  }
  return schedule();
}

} // namespace simgpu
