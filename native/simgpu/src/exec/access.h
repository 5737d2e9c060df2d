// Memory accesses of a warp: from the addresses of its lanes to checked host pointers.
#pragma once

#include "exec/warp.h"
#include "ptx/types.h"

#include <array>
#include <cstdint>

namespace simgpu {

enum class Intent : std::uint8_t { read, write, atomic };

/** One memory operation of a warp. */
struct Access {
  Intent intent = Intent::read;
  bool strong = false;              // volatile, relaxed, acquire, release or atomic
  std::uint32_t bytes = 4;          // a lane
  std::uint32_t alignment = 4;      // power of two
  std::uint32_t usedBytes = ~0u;    // see ptx::Instruction::usedBytesMask
};

using LanePointers = std::array<std::byte*, lanesPerWarp>;

/** What an operation with address flags (see decoder.h) addresses; all 32 entries are filled. */
void laneAddresses(Warp& warp, const Op& op, LaneAddresses& addresses);

/**
 * Checks an access of the lanes of `mask` in `space` and gives host pointers. An access that the device would refuse
 * ends the launch; with checks on, findings about initialisation and races are reported. Counts traffic.
 */
void resolve(Warp& warp, const Op& op, std::uint32_t mask, ptx::Space space, const LaneAddresses& addresses,
             const Access& access, LanePointers& pointers);

/** resolve() for one lane's shared memory, used by ldmatrix and mbarriers. */
std::byte* resolveShared(Warp& warp, const Op& op, int lane, std::uint64_t address, const Access& access);

/** Whether `pointer` is in global memory, where blocks can race. */
bool isGlobal(const Warp& warp, const std::byte* pointer);

/** Called before `bytes` at a global `pointer` change to `value`: finds races between blocks. See global_race.cpp. */
void noteGlobalWrite(Warp& warp, const Op& op, int lane, std::byte* pointer, const void* value, std::uint32_t bytes);

/** Synchronisation between blocks, for noteGlobalWrite: fences, acquire and release operations. */
void noteGlobalFence(Warp& warp);

/** Notes a global access in the worker's recorder, for the check of the order of streams. */
void recordGlobal(Warp& warp, std::uint32_t mask, const LaneAddresses& addresses, const Access& access);

/** Counts the 32-byte sectors and unique bytes of a global request. */
void countGlobal(Warp& warp, std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes, Intent intent);
/** Counts the passes over the banks of a shared request. */
void countShared(Warp& warp, std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes);

} // namespace simgpu
