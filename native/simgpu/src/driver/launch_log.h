// What the launches since the log was last cleared did, counted.
#pragma once

#include "count/counters.h"
#include "count/projection.h"
#include "driver/cuda_types.h"
#include "exec/engine.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace simgpu::driver {

struct LaunchRecord {
  KernelInfo kernel;
  LaunchConfig config;
  std::uint32_t residentBlocks = 0; // of this configuration on one SM of the device
  CUresult status = CUDA_SUCCESS;
  double milliseconds = 0; // of the simulation
  Counters counters;

  /** The time a device with these peaks is projected to need. */
  Projection project(const DevicePeaks& peaks) const;
};

/** The published peaks of a simulated device. */
const DevicePeaks& peaksOf(const DeviceModel& model);

class LaunchLog {
public:
  /** Launches beyond this many are added to the sums only. */
  static constexpr std::size_t capacity = 4096;

  void add(LaunchRecord record);
  void clear();

  const std::vector<LaunchRecord>& records() const { return records_; }

  /** {"launches": [...], "kernels": {name: sums}, "dropped": n}. */
  std::string json() const;

  /** An array with each launch's projected times on the published devices: a model's answer, never a measurement. */
  std::string projectionJson() const;
  /** The same as tables to be read, one a kernel and configuration. */
  std::string projectionTable() const;

private:
  struct Sum {
    std::uint64_t launches = 0;
    double milliseconds = 0;
    Counters counters;
  };

  std::vector<LaunchRecord> records_;
  std::map<std::string, Sum> sums_;
  std::uint64_t dropped_ = 0;
};

} // namespace simgpu::driver
