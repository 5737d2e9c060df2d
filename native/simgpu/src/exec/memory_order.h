// The order and scope modifiers of memory operations.
#pragma once

#include "exec/access.h"
#include "exec/block.h"
#include "exec/decoder.h"

namespace simgpu {

/** Op::flags of memory operations, beside AddressFlags. */
enum MemoryFlags : std::uint8_t {
  memoryStrong = 8,
  memoryAcquire = 16,
  memoryRelease = 32,
  memoryPolls = 64, // what spin loops are made of
};

struct MemoryOrder {
  bool strong = false;
  bool acquires = false;
  bool releases = false;
};

/** Takes .weak .volatile .relaxed .acquire .release .acq_rel .mmio and the scope; none of them weakens anything here. */
inline MemoryOrder takeOrder(Decoder& d) {
  MemoryOrder order;
  d.take("weak");
  order.strong = d.take("volatile") || d.take("relaxed");
  d.take("mmio");
  order.acquires = d.take("acquire");
  order.releases = d.take("release");
  if (d.take("acq_rel") || d.take("sc")) {
    order.acquires = order.releases = true;
  }
  order.strong = order.strong || order.acquires || order.releases;
  d.takeAny({"cta", "gpu", "sys", "cluster"});
  return order;
}

/** Takes eviction hints, which change nothing: .L1::no_allocate, .L2::128B, .ca, .cg ... */
inline void takeCacheHints(Decoder& d) {
  d.takePrefixed("L1::");
  d.takePrefixed("L2::");
  d.takeAny({"ca", "cg", "cs", "lu", "cv", "wb", "wt"});
}

/** The state space of a memory instruction; generic when none is named. */
inline ptx::Space takeSpace(Decoder& d) {
  using ptx::Space;
  const auto space = d.takeAny({"global", "shared", "shared::cta", "local", "const", "param", "param::entry", "param::func"});
  constexpr Space spaces[] = {Space::global,   Space::shared, Space::shared, Space::local,
                              Space::constant, Space::param,  Space::param,  Space::param};
  return space ? spaces[*space] : Space::generic;
}

inline std::uint8_t memoryFlags(const MemoryOrder& order, bool polls) {
  return static_cast<std::uint8_t>((order.strong ? memoryStrong : 0) | (order.acquires ? memoryAcquire : 0) |
                                   (order.releases ? memoryRelease : 0) | (polls ? memoryPolls : 0));
}

inline void noteRelease(Warp& warp) {
  warp.block.release(warp);
  warp.meet(allLanes);
  noteGlobalFence(warp);
}
inline void noteAcquire(Warp& warp) {
  warp.block.acquire(warp);
  warp.meet(allLanes);
  noteGlobalFence(warp);
}

} // namespace simgpu
