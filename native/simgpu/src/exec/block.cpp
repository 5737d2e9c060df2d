#include "exec/block.h"

#include "exec/worker.h"

#include <algorithm>
#include <bit>

namespace simgpu {

namespace {

constexpr std::uint64_t warpSlice = 16384;  // operations a warp runs before its neighbours get a turn
constexpr std::uint64_t blockSlice = 65536; // operations after which a polling block makes room for others
constexpr std::uint32_t lastTime = 65000;   // the shadow keeps 16 bits of the block's clock

std::uint32_t lanesOf(std::uint32_t threads, std::uint32_t warp) {
  const std::uint32_t left = threads - warp * lanesPerWarp;
  return left >= lanesPerWarp ? allLanes : (1u << left) - 1;
}

} // namespace

Block::Block(Worker& ownWorker, std::uint64_t linearIndex)
    : worker(ownWorker), launch(ownWorker.launch), linear(linearIndex), shared_(launch.sharedTotal),
      liveThreads_(launch.threads) {
  position.x = static_cast<std::uint32_t>(linearIndex % launch.grid.x);
  position.y = static_cast<std::uint32_t>(linearIndex / launch.grid.x % launch.grid.y);
  position.z = static_cast<std::uint32_t>(linearIndex / launch.grid.x / launch.grid.y);
  if (launch.settings.checks) {
    shadow.reset(launch.sharedTotal);
  }
  // uninitialised shared memory holds what the last block left: never zeros to rely on
  std::fill(shared_.begin(), shared_.end(), std::byte{0xcd});
  const std::uint32_t count = (launch.threads + lanesPerWarp - 1) / lanesPerWarp;
  for (std::uint32_t i = 0; i < count; i++) {
    warps.push_back(std::make_unique<Warp>(*this, worker, i, lanesOf(launch.threads, i)));
  }
  worker.counters.blocks++;
  worker.counters.warps += count;
}

BlockStop Block::run() {
  std::uint64_t spent = 0;
  bool polled = false;
  for (;;) {
    bool progress = false;
    bool allDone = true;
    bool allYielded = true;
    for (const auto& warp : warps) {
      if (warp->done() || warp->blocked()) {
        allDone = allDone && warp->done();
        continue;
      }
      const WarpStop stop = warp->run(warpSlice);
      progress = true;
      allDone = allDone && stop == WarpStop::done;
      allYielded = allYielded && stop == WarpStop::yielded;
      polled = polled || warp->polled;
      spent += stop == WarpStop::budget ? warpSlice : 64;
      if (launch.aborted.load(std::memory_order_relaxed)) {
        throw LaunchFault{};
      }
      if (launch.outOfTime()) {
        reportTimeout(*warp);
      }
    }
    if (allDone) {
      launch.blockEnded();
      return BlockStop::done;
    }
    if (!progress) {
      // a warp may have been woken by one after it in the loop
      if (std::none_of(warps.begin(), warps.end(),
                       [](const auto& warp) { return !warp->done() && !warp->blocked(); })) {
        reportStuck();
      }
      continue;
    }
    if (polled && (allYielded || spent >= blockSlice)) {
      return BlockStop::preempted;
    }
  }
}

/** No block has ended for too long: names where this one is, if it has not ended just now. */
void Block::reportTimeout(const Warp& last) const {
  const auto unfinished = std::find_if(warps.begin(), warps.end(), [](const auto& warp) { return !warp->done(); });
  if (unfinished == warps.end()) {
    return;
  }
  const Warp& warp = last.done() ? **unfinished : last;
  const bool running = warp.mask() != 0 || warp.groups().empty();
  const std::uint32_t pc = running ? warp.pc() : warp.groups().front().pc;
  const std::uint32_t lanes = running ? warp.mask() : warp.groups().front().mask;
  Finding finding = launch.locate(FindingKind::timeout, Status::launchTimeout, warp, launch.code->ops[pc],
                                  lanes != 0 ? std::countr_zero(lanes) : -1);
  finding.detail = "no block has ended during " + std::to_string(launch.settings.watchdog) +
                   " warp instructions, and this one is here; is it a loop that never ends? The setting watchdog "
                   "allows more, 0 any number";
  launch.fail(std::move(finding));
}

void Block::reportStuck() {
  for (const auto& warp : warps) {
    if (const LaneGroup* waiting = warp->firstConverging()) {
      const Op& op = launch.code->ops[waiting->pc];
      const FindingKind kind =
          op.kind == OpKind::barrier ? FindingKind::divergentBarrier : FindingKind::divergentWarpSync;
      Finding finding = launch.locate(kind, Status::launchFailed, *warp, op, std::countr_zero(waiting->mask));
      finding.detail = "the other lanes wait elsewhere";
      launch.fail(std::move(finding));
    }
  }
  for (const auto& warp : warps) {
    if (!warp->done()) {
      const LaneGroup& group = warp->groups().front();
      const Op& op = launch.code->ops[group.pc];
      Finding finding =
          launch.locate(FindingKind::deadlock, Status::launchTimeout, *warp, op, std::countr_zero(group.mask));
      const BlockBarrier& barrier = barriers_[group.barrier];
      finding.detail = "every warp waits; barrier " + std::to_string(group.barrier) + " has " +
                       std::to_string(barrier.arrived) + " threads of " +
                       std::to_string(barrier.expected != 0 ? barrier.expected : liveThreads_);
      launch.fail(std::move(finding));
    }
  }
  throw LaunchFault{};
}

bool Block::finished(const BlockBarrier& barrier) const {
  return barrier.expected != 0 ? barrier.arrived >= barrier.expected
                               : barrier.arrived > 0 && barrier.arrived >= liveThreads_;
}

void Block::arrive(Warp& warp, const Op& op, std::uint32_t id, std::uint32_t mask, std::uint32_t expected,
                   bool waits) {
  BlockBarrier& barrier = barriers_[id];
  if (barrier.arrived > 0 && barrier.expected != expected && launch.settings.checks) {
    Finding finding =
        launch.locate(FindingKind::invalidBarrier, Status::launchFailed, warp, op, std::countr_zero(mask));
    finding.detail = "barrier " + std::to_string(id) + " is awaited with two thread counts, " +
                     std::to_string(barrier.expected) + " and " + std::to_string(expected);
    launch.fail(std::move(finding));
  }
  barrier.expected = expected;
  // with a count, a warp counts as 32 threads even if it has fewer (PTX: "in multiples of the warp size")
  const bool whole = expected != 0 && mask == warp.live();
  barrier.arrived += whole ? lanesPerWarp : static_cast<std::uint32_t>(std::popcount(mask));
  if ((op.flags & barrierReduce) != 0) {
    const std::uint32_t value = warp.predicate(op.c);
    barrier.ones += static_cast<std::uint32_t>(std::popcount(mask & value));
    barrier.votes += static_cast<std::uint32_t>(std::popcount(mask));
  }
  if (waits) {
    barrier.waiters.push_back({&warp, &op, warp.registers, mask});
  }
  warp.released = time + 1; // the completion below, or a later one
  if (finished(barrier)) {
    complete(id);
  }
}

void Block::release(Warp& warp) {
  advance();
  warp.released = time;
}

void Block::advance() {
  if (++time >= lastTime && shadow.enabled()) {
    shadow.forgetTimes();
    time = 1;
    for (const auto& warp : warps) {
      warp->acquired = warp->released = 1;
    }
  }
}

void Block::complete(std::uint32_t id) {
  BlockBarrier barrier = std::move(barriers_[id]);
  barriers_[id] = {};
  advance();
  for (const BarrierWaiter& waiter : barrier.waiters) {
    const Op& op = *waiter.op;
    waiter.warp->acquired = time;
    waiter.warp->released = time;
    if ((op.flags & barrierReduce) == 0) {
      continue;
    }
    if (op.n == 0) {
      auto* result = reinterpret_cast<std::uint32_t*>(waiter.registers + op.d);
      forEachLane(waiter.mask, [&](int lane) { result[lane] = barrier.ones; });
    } else {
      const bool truth = op.n == 1 ? barrier.ones == barrier.votes : barrier.ones != 0;
      auto& result = *reinterpret_cast<std::uint32_t*>(waiter.registers + op.d);
      result = (result & ~waiter.mask) | (truth ? waiter.mask : 0);
    }
  }
  for (const auto& warp : warps) {
    warp->release(static_cast<std::uint8_t>(id));
  }
}

void Block::threadsExited(std::uint32_t count) {
  liveThreads_ -= count;
  for (std::uint32_t id = 0; id < barrierCount; id++) {
    if (barriers_[id].arrived > 0 && barriers_[id].expected == 0 && finished(barriers_[id])) {
      complete(id);
    }
  }
}

} // namespace simgpu
