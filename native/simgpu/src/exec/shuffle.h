// Where the lanes of a shuffle take their values from.
#pragma once

#include "exec/program.h"

#include <array>
#include <cstdint>

namespace simgpu {

class Warp;

struct ShuffleSources {
  std::array<std::uint8_t, lanesPerWarp> lane{}; // the lane itself where the source is out of range
  std::uint32_t inRange = 0;                     // lanes whose source is in their segment: the predicate
};

/** Of the shfl operation `op`, for every lane of the warp: PTX ISA 9.7.9.6. */
ShuffleSources shuffleSources(const Warp& warp, const Op& op);

} // namespace simgpu
