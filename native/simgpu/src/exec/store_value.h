// The value a store is about to write.
#pragma once

#include "exec/warp.h"

#include <cstdint>
#include <optional>

namespace simgpu {

/** Byte `byte` of what the st instruction `op` writes for a lane; nothing for other instructions. */
std::optional<std::uint8_t> storedByte(const Warp& warp, const Op& op, int lane, std::uint32_t byte);

} // namespace simgpu
