// Generic addresses: how one 64-bit number tells which memory it points into.
#pragma once

#include <cstdint>

namespace simgpu {

// Global memory is at host addresses (see memory/device_memory.h). Everything else is a 4 GB window whose low half is
// the address within that space, far below anything the host maps.
inline constexpr std::uint64_t sharedWindow = std::uint64_t{0x100} << 32;
inline constexpr std::uint64_t localWindow = std::uint64_t{0x101} << 32;
inline constexpr std::uint64_t paramWindow = std::uint64_t{0x102} << 32;
inline constexpr std::uint64_t codeWindow = std::uint64_t{0x103} << 32;

/** The address a function pointer holds. */
constexpr std::uint64_t functionAddress(std::uint32_t function) { return codeWindow + 16 * (std::uint64_t{function} + 1); }

constexpr bool inWindow(std::uint64_t address, std::uint64_t window) { return address >> 32 == window >> 32; }

} // namespace simgpu
