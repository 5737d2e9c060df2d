// Special registers: %tid, %laneid, %clock64 ...
#pragma once

#include "exec/program.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace simgpu {

enum class SpecialRegister : std::uint8_t {
  tidX, tidY, tidZ, ntidX, ntidY, ntidZ, ctaidX, ctaidY, ctaidZ, nctaidX, nctaidY, nctaidZ,
  laneid, warpid, nwarpid, smid, nsmid, gridid,
  lanemaskEq, lanemaskLe, lanemaskLt, lanemaskGe, lanemaskGt,
  clock, clockHigh, clock64, globaltimer, globaltimerLow, globaltimerHigh,
  totalSharedSize, dynamicSharedSize,
  reservedSharedBegin, reservedSharedEnd, reservedSharedCapacity, reservedSharedOffset0, reservedSharedOffset1,
  gridWorkspaceLow, gridWorkspaceHigh, // %envreg1 and %envreg2: the workspace of a cooperative launch
  warpSize, zero,
};

std::optional<SpecialRegister> findSpecialRegister(std::string_view name);

/** d = the register Op::imm names, Op::n bytes wide. */
void readSpecialRegister(Warp& warp, const Op& op, std::uint32_t mask);

/** d (32 bits) = shared address where dynamic shared memory begins in this launch. */
void readDynamicSharedBase(Warp& warp, const Op& op, std::uint32_t mask);

} // namespace simgpu
