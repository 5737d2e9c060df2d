// Checked fills of device memory.
#pragma once

#include "driver/call.h"
#include "driver/executor.h"

namespace simgpu::driver {

/** Whether the fill can be done; notes why not. */
inline CUresult checkFill(Driver& driver, const FillWork& fill) {
  const std::uint32_t element = fill.elementBytes;
  if (element != 1 && element != 2 && element != 4) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "elements of a fill have 1, 2 or 4 bytes");
  }
  if (fill.width == 0 || fill.height == 0) return CUDA_SUCCESS;
  if (fill.to % element != 0 || (fill.height > 1 && fill.pitch % element != 0)) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a fill with elements of " + std::to_string(element) +
                                                       " bytes at an address or pitch that is no multiple of it");
  }
  constexpr std::size_t most = std::size_t{1} << 40;
  const std::size_t row = fill.width * element;
  if (fill.width > most || fill.height > most || (fill.height > 1 && row > fill.pitch) ||
      (fill.pitch != 0 && fill.height > most / fill.pitch)) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                         "a row of " + std::to_string(row) + " bytes does not fit in a pitch of " +
                             std::to_string(fill.pitch));
  }
  const std::size_t bytes = (fill.height - 1) * fill.pitch + row;
  return explain(driver, driver.memory().checkForLater(fill.to, bytes), "a fill", fill.to, bytes);
}

} // namespace simgpu::driver
