// Values in global memory that come from bytes nobody wrote. Working kernels do store such values, in the padding of a
// tile for instance, and drop them when they read that buffer (ggml's tiled quantised product does). So storing one is
// noted and no defect; what it was computed from is remembered with every byte, and said when somebody uses it.
#pragma once

#include "check/finding.h"

#include <cstdint>
#include <mutex>
#include <vector>

namespace simgpu {

/** What the shadow of a byte says. All other values are even: codes of an UnwrittenValues. */
inline constexpr std::uint8_t byteUnwritten = 0;
inline constexpr std::uint8_t byteWritten = 1;

/** Whether a byte with this shadow holds a value that comes from bytes nobody wrote. */
inline bool holdsUnwrittenValue(std::uint8_t shadow) { return shadow != byteUnwritten && (shadow & 1) == 0; }

/** The reads such values come from. All members may be called from any thread. */
class UnwrittenValues {
public:
  /** The code of a read; reads of one instruction share it. Beyond 126 instructions the last code names the newest. */
  std::uint8_t note(const Finding& read);
  /** The read behind a code that note() gave. */
  Finding origin(std::uint8_t code) const;

private:
  mutable std::mutex mutex_;
  std::vector<Finding> reads_; // code 2 is the first, 4 the second
};

} // namespace simgpu
