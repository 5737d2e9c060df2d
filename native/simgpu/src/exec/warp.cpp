// The interpreter's loop: fetch, guard, execute. Control flow is in warp_control.cpp, the choice between lane groups in
// warp_schedule.cpp.
#include "exec/warp.h"

#include "exec/async_copy.h"
#include "exec/block.h"
#include "exec/worker.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace simgpu {

Warp::Warp(Block& ownBlock, Worker& ownWorker, std::uint32_t index, std::uint32_t lanes)
    : block(ownBlock), launch(ownBlock.launch), worker(ownWorker), index_(index), existing_(lanes), live_(lanes),
      mask_(lanes), ops_(launch.code->ops.data()), extended_(launch.code->extended.data()) {
  const FunctionCode& entry = *launch.entry;
  frame_ = newFrame(entry);
  frame_->lanes = lanes;
  frame_->localTop = entry.localBytes;
  localStride_ = entry.localBytes;
  local_.resize(static_cast<std::size_t>(localStride_) * lanesPerWarp);
  localWritten_.resize(launch.settings.checks ? local_.size() : 0);
  registers = frame_->registers;
  pc_ = entry.first;
}

Warp::~Warp() {
  // an aborted launch leaves frames behind
  for (const auto& frame : frames_) {
    worker.returnRegisters(*frame->function, frame->registers);
  }
}

WarpStop Warp::run(std::uint64_t budget) {
  budget_ = budget;
  steps_ = 0;
  rotateAt_ = rotateAfter;
  polled = false;
  if (mask_ == 0 && !schedule()) {
    return stop_;
  }
  auto& classCounts = worker.counters.warpInstructions;
  std::uint64_t laneInstructions = 0;
  for (;;) {
    if (pc_ >= nextMerge_) {
      if (!atMerge()) {
        break;
      }
      if (!suspects_.empty()) {
        followSuspects();
      }
    }
    const Op& op = ops_[pc_];
    std::uint32_t active = mask_;
    if (op.guard != noSlot) {
      const std::uint32_t guard = predicate(op.guard);
      active &= op.guardNegated ? ~guard : guard;
    }
    steps_++;
    classCounts[static_cast<std::size_t>(op.instructionClass)]++;
    laneInstructions += static_cast<std::uint64_t>(std::popcount(active));
    if (op.kind == OpKind::plain) {
      if (active != 0) {
        op.run(*this, op, active);
      }
      pc_++;
    } else if (!control(op, active)) {
      break;
    }
  }
  worker.counters.laneInstructions += laneInstructions;
  launch.executed.fetch_add(steps_, std::memory_order_relaxed);
  return stop_;
}

Frame* Warp::newFrame(const FunctionCode& function) {
  frames_.push_back(std::make_unique<Frame>());
  Frame* frame = frames_.back().get();
  frame->function = &function;
  frame->registers = worker.takeRegisters(function);
  suspects_.forget(frame->registers, function.frameBytes);
  return frame;
}

void Warp::releaseFrame(Frame* frame) {
  worker.returnRegisters(*frame->function, frame->registers);
  std::erase_if(frames_, [frame](const std::unique_ptr<Frame>& other) { return other.get() == frame; });
}

/** Lanes leave a frame and all its callers; frames without lanes are gone. */
void Warp::dropLanes(Frame* frame, std::uint32_t lanes) {
  while (frame != nullptr) {
    Frame* caller = frame->caller;
    frame->lanes &= ~lanes;
    if (frame->lanes == 0) {
      releaseFrame(frame);
    }
    frame = caller;
  }
}

void Warp::ensureLocal(const Op& op, std::uint32_t bytes) {
  // frames are padded to 128 bytes here, far more than on a device: the limit allows for that
  constexpr std::uint64_t paddingAllowance = 64;
  const std::uint64_t limit = launch.entry->localBytes + launch.limits.stackBytes * paddingAllowance;
  if (bytes > limit) {
    Finding finding = launch.locate(FindingKind::invalidCall, Status::hardwareStackError, *this, op, -1);
    finding.detail = "the stack needs " + std::to_string(bytes) + " bytes a thread; the limit is " + std::to_string(limit);
    launch.fail(std::move(finding));
  }
  if (bytes <= localStride_) {
    return;
  }
  const std::uint32_t stride = std::max(bytes, 2 * localStride_);
  std::vector<std::byte> grown(static_cast<std::size_t>(stride) * lanesPerWarp);
  for (int lane = 0; lane < lanesPerWarp; lane++) {
    std::copy_n(local(lane), localStride_, grown.data() + static_cast<std::size_t>(lane) * stride);
  }
  if (launch.settings.checks) {
    std::vector<std::uint8_t> written(grown.size());
    for (std::size_t lane = 0; lane < lanesPerWarp && !localWritten_.empty(); lane++) {
      std::copy_n(localWritten_.data() + lane * localStride_, localStride_, written.data() + lane * stride);
    }
    localWritten_ = std::move(written);
  }
  local_ = std::move(grown);
  localStride_ = stride;
}

void Warp::moveLocal(int lane, std::uint32_t to, std::uint32_t from, std::uint32_t bytes) {
  std::memcpy(local(lane) + to, local(lane) + from, bytes);
  if (std::uint8_t* written = localWritten(lane)) {
    std::memcpy(written + to, written + from, bytes);
  }
}

std::uint32_t Warp::allocateLocal(const Op& op, std::uint32_t bytes, std::uint32_t alignment) {
  const std::uint32_t base = (frame_->localTop + alignment - 1) / alignment * alignment;
  constexpr std::uint32_t largest = 512 * 1024;
  ensureLocal(op, bytes > largest ? ~0u : base + bytes);
  frame_->localTop = base + bytes;
  return base;
}

} // namespace simgpu
