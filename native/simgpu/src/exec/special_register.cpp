#include "exec/special_register.h"

#include "exec/block.h"
#include "exec/worker.h"

#include <array>

namespace simgpu {

namespace {

struct Row {
  std::string_view name;
  SpecialRegister special;
};

using enum SpecialRegister;

constexpr std::array rows{
    Row{"%tid.x", tidX},
    Row{"%tid.y", tidY},
    Row{"%tid.z", tidZ},
    Row{"%ntid.x", ntidX},
    Row{"%ntid.y", ntidY},
    Row{"%ntid.z", ntidZ},
    Row{"%ctaid.x", ctaidX},
    Row{"%ctaid.y", ctaidY},
    Row{"%ctaid.z", ctaidZ},
    Row{"%nctaid.x", nctaidX},
    Row{"%nctaid.y", nctaidY},
    Row{"%nctaid.z", nctaidZ},
    Row{"%tid.w", zero},
    Row{"%ntid.w", zero},
    Row{"%ctaid.w", zero},
    Row{"%nctaid.w", zero},
    Row{"%laneid", laneid},
    Row{"%warpid", warpid},
    Row{"%nwarpid", nwarpid},
    Row{"%smid", smid},
    Row{"%nsmid", nsmid},
    Row{"%gridid", gridid},
    Row{"%lanemask_eq", lanemaskEq},
    Row{"%lanemask_le", lanemaskLe},
    Row{"%lanemask_lt", lanemaskLt},
    Row{"%lanemask_ge", lanemaskGe},
    Row{"%lanemask_gt", lanemaskGt},
    Row{"%clock", clock},
    Row{"%clock_hi", clockHigh},
    Row{"%clock64", clock64},
    Row{"%globaltimer", globaltimer},
    Row{"%globaltimer_lo", globaltimerLow},
    Row{"%globaltimer_hi", globaltimerHigh},
    Row{"%total_smem_size", totalSharedSize},
    Row{"%aggr_smem_size", totalSharedSize},
    Row{"%dynamic_smem_size", dynamicSharedSize},
    Row{"%reserved_smem_offset_begin", reservedSharedBegin},
    Row{"%reserved_smem_offset_end", reservedSharedEnd},
    Row{"%reserved_smem_offset_cap", reservedSharedCapacity},
    Row{"%reserved_smem_offset_0", reservedSharedOffset0},
    Row{"%reserved_smem_offset_1", reservedSharedOffset1},
    Row{"%envreg1", gridWorkspaceHigh},
    Row{"%envreg2", gridWorkspaceLow},
    Row{"%current_graph_exec", zero},
    Row{"WARP_SZ", warpSize},
};

/** The same for every lane of the warp. */
std::uint64_t uniformValue(const Warp& warp, SpecialRegister special) {
  const LaunchContext& launch = warp.launch;
  switch (special) {
  case ntidX:
    return launch.block.x;
  case ntidY:
    return launch.block.y;
  case ntidZ:
    return launch.block.z;
  case ctaidX:
    return warp.block.position.x;
  case ctaidY:
    return warp.block.position.y;
  case ctaidZ:
    return warp.block.position.z;
  case nctaidX:
    return launch.grid.x;
  case nctaidY:
    return launch.grid.y;
  case nctaidZ:
    return launch.grid.z;
  case warpid:
    return warp.index();
  case nwarpid:
    return launch.model.threadsPerSm / lanesPerWarp;
  case smid:
    return warp.block.linear % launch.model.smCount;
  case nsmid:
    return launch.model.smCount;
  case gridid:
    return launch.launchId;
  case clock:
  case clock64:
    // one clock a nanosecond; only that it never goes back matters
    return launch.nanoseconds();
  case clockHigh:
  case globaltimerHigh:
    return launch.nanoseconds() >> 32;
  case globaltimer:
  case globaltimerLow:
    return launch.nanoseconds();
  case totalSharedSize:
    return launch.sharedBytes;
  case dynamicSharedSize:
    return launch.dynamicShared;
  case reservedSharedBegin:
  case reservedSharedOffset0:
    warp.block.usesReservedShared = true;
    return launch.reservedShared;
  case reservedSharedOffset1:
    warp.block.usesReservedShared = true;
    return launch.reservedShared + 16;
  case reservedSharedEnd:
    warp.block.usesReservedShared = true;
    return launch.sharedTotal;
  case reservedSharedCapacity:
    return launch.sharedTotal - launch.reservedShared;
  case gridWorkspaceLow:
    return launch.gridWorkspace & 0xffffffff;
  case gridWorkspaceHigh:
    return launch.gridWorkspace >> 32;
  case warpSize:
    return lanesPerWarp;
  default:
    return 0;
  }
}

template <class Value> void write(Warp& warp, const Op& op, std::uint32_t mask, Value value) {
  if (op.n == 8) {
    auto* to = warp.slot<std::uint64_t>(op.d);
    forEachLane(mask, [&](int lane) { to[lane] = value(static_cast<std::uint32_t>(lane)); });
  } else if (op.n == 4) {
    auto* to = warp.slot<std::uint32_t>(op.d);
    for (std::uint32_t lane = 0; lane < lanesPerWarp; lane++) {
      to[lane] = (mask >> lane & 1) != 0 ? static_cast<std::uint32_t>(value(lane)) : to[lane];
    }
  } else {
    auto* to = warp.slot<std::uint16_t>(op.d);
    forEachLane(mask, [&](int lane) { to[lane] = static_cast<std::uint16_t>(value(static_cast<std::uint32_t>(lane))); });
  }
}

} // namespace

std::optional<SpecialRegister> findSpecialRegister(std::string_view name) {
  for (const Row& row : rows) {
    if (row.name == name) {
      return row.special;
    }
  }
  if (name.starts_with("%envreg") || name.starts_with("%pm")) {
    return zero;
  }
  return std::nullopt;
}

void readSpecialRegister(Warp& warp, const Op& op, std::uint32_t mask) {
  const LaunchContext& launch = warp.launch;
  const std::uint32_t first = warp.index() * lanesPerWarp;
  const auto special = static_cast<SpecialRegister>(op.imm);
  switch (special) {
  case tidX:
    write(warp, op, mask, [&](std::uint32_t lane) { return std::uint64_t{(first + lane) % launch.block.x}; });
    break;
  case tidY:
    write(warp, op, mask,
          [&](std::uint32_t lane) { return std::uint64_t{(first + lane) / launch.block.x % launch.block.y}; });
    break;
  case tidZ:
    write(warp, op, mask,
          [&](std::uint32_t lane) { return std::uint64_t{(first + lane) / launch.block.x / launch.block.y}; });
    break;
  case laneid:
    write(warp, op, mask, [](std::uint32_t lane) { return std::uint64_t{lane}; });
    break;
  case lanemaskEq:
    write(warp, op, mask, [](std::uint32_t lane) { return std::uint64_t{1u << lane}; });
    break;
  case lanemaskLe:
    write(warp, op, mask, [](std::uint32_t lane) { return std::uint64_t{(2u << lane) - 1}; });
    break;
  case lanemaskLt:
    write(warp, op, mask, [](std::uint32_t lane) { return std::uint64_t{(1u << lane) - 1}; });
    break;
  case lanemaskGe:
    write(warp, op, mask, [](std::uint32_t lane) { return std::uint64_t{~0u << lane}; });
    break;
  case lanemaskGt:
    write(warp, op, mask, [](std::uint32_t lane) { return std::uint64_t{~0u << lane << 1 & 0xffffffff}; });
    break;
  default: {
    const std::uint64_t value = uniformValue(warp, special);
    write(warp, op, mask, [value](std::uint32_t) { return value; });
  }
  }
}

void readDynamicSharedBase(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint32_t base = warp.launch.staticShared;
  auto* to = warp.slot<std::uint32_t>(op.d);
  forEachLane(mask, [&](int lane) { to[lane] = base; });
}

} // namespace simgpu
