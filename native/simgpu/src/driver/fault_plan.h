// Faults on demand: what a program's error handling is tested with.
#pragma once

#include "driver/cuda_types.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace simgpu::driver {

/**
 * Which calls are to fail. Written as a comma-separated list: `alloc=3` (the third allocation finds no memory),
 * `launch=2` (the second launch fails, CUDA_ERROR_LAUNCH_FAILED), `copy=4` (the fourth copy fails as one whose copy
 * engine met a fault does: it moves nothing and the context answers CUDA_ERROR_ILLEGAL_ADDRESS from then on), `ecc=5`
 * (the fifth launch meets an uncorrectable memory error), `lost=100` (after a hundred calls the device is gone: cuInit
 * answers CUDA_ERROR_NO_DEVICE and every other call CUDA_ERROR_UNKNOWN, which programs report of devices that fell off
 * the bus; see proteneer/timemachine pull request 1203), `copy-delay=200` (microseconds added to each copy). Launches
 * and copies are counted as they run, those of graphs too; copies of no bytes are none.
 */
class FaultPlan {
public:
  /** Parses the list; on failure `problem` says why and the plan stays as it was. */
  bool parse(std::string_view list, std::string& problem);

  /** Counts one call; false once the device is lost. */
  bool countCall();
  /** Counts one allocation; false for the one that is to fail. */
  bool countAllocation();
  /** Counts one launch and gives what becomes of it. */
  CUresult countLaunch();
  /** Counts one copy and gives what becomes of it. */
  CUresult countCopy();

  bool deviceLost() const { return lostAfter_ != 0 && calls_ > lostAfter_; }
  std::uint32_t copyDelayMicroseconds() const { return copyDelay_; }
  std::uint64_t calls() const { return calls_; }

private:
  std::uint64_t allocation_ = 0; // 0: none
  std::uint64_t launch_ = 0;
  std::uint64_t copy_ = 0;
  std::uint64_t ecc_ = 0;
  std::uint64_t lostAfter_ = 0;
  std::uint32_t copyDelay_ = 0;

  std::uint64_t calls_ = 0;
  std::uint64_t allocations_ = 0;
  std::uint64_t launches_ = 0;
  std::uint64_t copies_ = 0;
};

} // namespace simgpu::driver
