// Which architecture an instruction is there from on.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace simgpu {

/**
 * The least .target that an instruction needs, 80 for sm_80; 0 if none is known that any device here could lack.
 * `modifiers` are its opcode's words after the first, types included. What cannot be simulated is listed too, so that a
 * text with it is refused for the reason a device's compiler gives.
 */
std::uint32_t leastTarget(std::string_view opcode, std::span<const std::string_view> modifiers);

} // namespace simgpu
