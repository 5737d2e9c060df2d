#include "exec/worker.h"

#include "exec/block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace simgpu {

Worker::Worker(LaunchContext& context, std::uint32_t residentLimit)
    : launch(context), residentLimit_(std::max(1u, residentLimit)) {}

Worker::~Worker() {
  resident_.clear(); // blocks return their registers first
  for (std::byte* registers : allRegisters_) {
    std::free(registers);
  }
}

std::byte* Worker::takeRegisters(const FunctionCode& function) {
  FramePool& pool = pools_[&function];
  if (!pool.free.empty()) {
    std::byte* registers = pool.free.back();
    pool.free.pop_back();
    return registers;
  }
  auto* registers = static_cast<std::byte*>(std::aligned_alloc(64, function.frameBytes));
  if (registers == nullptr) {
    throw std::bad_alloc();
  }
  allRegisters_.push_back(registers);
  std::memset(registers, 0, function.frameBytes);
  for (const FrameConstant& constant : function.constants) {
    std::byte* slot = registers + constant.slot;
    if (constant.size == 0) {
      std::memcpy(slot, &constant.value, sizeof(std::uint32_t));
      continue;
    }
    for (int lane = 0; lane < lanesPerWarp; lane++) {
      std::memcpy(slot + static_cast<std::size_t>(lane) * constant.size, &constant.value, constant.size);
    }
  }
  return registers;
}

void Worker::returnRegisters(const FunctionCode& function, std::byte* registers) {
  pools_[&function].free.push_back(registers);
}

std::unique_ptr<Block> Worker::startNext() {
  const std::uint64_t index = launch.nextBlock.fetch_add(1, std::memory_order_relaxed);
  return index < launch.grid.volume() ? std::make_unique<Block>(*this, index) : nullptr;
}

void Worker::run() {
  try {
    runResident();
  } catch (const LaunchFault&) {
    // already reported; the other workers see `aborted`
  } catch (const std::bad_alloc&) {
    launch.aborted = true;
    Finding finding;
    finding.kind = FindingKind::invalidLaunch;
    finding.status = Status::launchOutOfResources;
    finding.kernel = launch.kernel;
    finding.detail = "the host has not enough memory for the resident blocks";
    launch.report(std::move(finding));
  }
}

/**
 * Blocks run in the order of their index, each to its end if it can. One that polls memory is set aside and the next
 * is started beside it, until as many are resident as fit on the device; from then on they take turns.
 */
void Worker::runResident() {
  bool startAnother = true;
  bool moreToStart = true;
  while (!launch.aborted.load(std::memory_order_relaxed)) {
    std::unique_ptr<Block> block;
    if (moreToStart && (resident_.empty() || (startAnother && resident_.size() < residentLimit_))) {
      block = startNext();
      moreToStart = block != nullptr;
    }
    if (block == nullptr) {
      if (resident_.empty()) {
        return;
      }
      block = std::move(resident_.front());
      resident_.pop_front();
    }
    counters.peakResidentBlocks =
        std::max(counters.peakResidentBlocks, static_cast<std::uint32_t>(resident_.size() + 1));
    startAnother = block->run() == BlockStop::preempted;
    if (startAnother) {
      counters.preemptions++;
      resident_.push_back(std::move(block));
    }
  }
}

} // namespace simgpu
