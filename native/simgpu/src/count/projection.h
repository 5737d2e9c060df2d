// A projected time for a launch on a real device, from its counters and the device's published peaks. It has never been
// compared with a measurement: every output says "projected", and it is good for comparing kernels and for telling
// which resource limits one, not for quoting.
#pragma once

#include "count/counters.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace simgpu {

/** The peaks of a device, per SM and clock where not said otherwise. */
struct DevicePeaks {
  std::string_view name;
  double smCount;
  double clockHertz;
  double dramBytesPerSecond;
  double l2BytesPerClock;     // of one SM's share
  double sharedBytesPerClock; // 32 banks of 4 bytes
  double issuePerClock;       // warp instructions
  double float32LanesPerClock;
  double specialLanesPerClock;
  double float64LanesPerClock;
  std::array<double, tensorTypeCount> tensorMultiplyAddsPerClock; // dense; sparse counts stored products at this rate
  double blocksResident; // most blocks of an SM
};

/** A100 (40 GB), A10, RTX 3090. */
std::span<const DevicePeaks> publishedPeaks();

enum class LimitingResource : std::uint8_t { tensor, issue, arithmetic, shared, l2, dram, latency, launch, count };

const char* limitingResourceName(LimitingResource resource);

struct LaunchShape {
  std::uint64_t blocks = 1;
  std::uint32_t warpsPerBlock = 1;
  std::uint32_t blocksPerSm = 1; // occupancy
};

/** Seconds each resource would need alone, and the longest of them. */
struct Projection {
  std::string_view device;
  std::array<double, static_cast<std::size_t>(LimitingResource::count)> seconds{};
  LimitingResource limit = LimitingResource::launch;
  double total = 0;
};

/** `counters` must have been taken with Settings::countTraffic. */
Projection project(const Counters& counters, const LaunchShape& shape, const DevicePeaks& peaks);

/** One row a device: "projected, not measured" is part of the heading. */
std::string projectionTable(std::string_view kernel, std::span<const Projection> projections);
/** {"kernel": ..., "kind": "projection", "devices": [...]}. */
std::string projectionJson(std::string_view kernel, std::span<const Projection> projections);

} // namespace simgpu
