#include "count/projection.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace simgpu {

namespace {

// Data sheets and white papers of GA100 and GA102. Tensor rates are the dense peaks divided by SMs, clock and two
// operations a multiply-add; f16f32 of the GeForce part runs at half the rate of f16f16.
constexpr std::array<DevicePeaks, 3> peaks{
    DevicePeaks{"A100", 108, 1.41e9, 1555e9, 64, 128, 4, 64, 16, 32, {1024, 1024, 1024, 512, 2048, 4096, 16384, 64}, 32},
    DevicePeaks{"A10", 72, 1.695e9, 600e9, 64, 128, 4, 128, 16, 2, {512, 512, 512, 256, 1024, 2048, 8192, 0.001}, 16},
    DevicePeaks{"RTX 3090", 82, 1.695e9, 936e9, 64, 128, 4, 128, 16, 2, {256, 512, 256, 128, 1024, 2048, 8192, 0.001}, 16},
};

constexpr double launchSeconds = 2.5e-6;     // an empty kernel in a stream that is kept busy
constexpr double dependentClocks = 6;        // from an arithmetic instruction to one that needs it
constexpr double memoryClocks = 500;         // from a global load to its use
constexpr double bytesPerSector = 32;
constexpr double bytesPerWavefront = 128;
// ptxas turns about this share of PTX instructions into one that is issued; the rest are moves and address forms it
// folds away (facts of one kernel: 2,552 SASS for 2,698 PTX, of which many are unrolled addressing)
constexpr double issuedShare = 0.9;

double classCount(const Counters& counters, InstructionClass instructionClass) {
  return static_cast<double>(counters.warpInstructions[static_cast<std::size_t>(instructionClass)]);
}

} // namespace

std::span<const DevicePeaks> publishedPeaks() { return peaks; }

const char* limitingResourceName(LimitingResource resource) {
  constexpr std::array names{"tensor", "issue", "arithmetic", "shared memory", "L2", "DRAM", "latency", "launch"};
  return names.at(static_cast<std::size_t>(resource));
}

/**
 * Work is spread over the SMs by whole blocks, so the busiest SM does ceil(blocks / SMs) of them; each resource of that
 * SM is a bound, the DRAM of all is another. Latency: a warp's instructions one after the other, with as many warps
 * beside it as are resident.
 */
Projection project(const Counters& counters, const LaunchShape& shape, const DevicePeaks& device) {
  Projection projection;
  projection.device = device.name;
  const auto blocks = static_cast<double>(std::max<std::uint64_t>(1, shape.blocks));
  const double onBusiest = std::ceil(blocks / device.smCount) / blocks; // share of all work
  const auto perSm = [&](double clocks) { return clocks * onBusiest / device.clockHertz; };
  const auto set = [&](LimitingResource resource, double seconds) {
    projection.seconds[static_cast<std::size_t>(resource)] = seconds;
  };

  double tensorClocks = 0;
  for (std::size_t type = 0; type < tensorTypeCount; type++) {
    tensorClocks += static_cast<double>(counters.tensorMultiplyAdds[type]) / device.tensorMultiplyAddsPerClock[type];
  }
  set(LimitingResource::tensor, perSm(tensorClocks));

  const auto instructions = static_cast<double>(counters.totalWarpInstructions());
  set(LimitingResource::issue, perSm(instructions * issuedShare / device.issuePerClock));

  const double lanes = 32;
  const double arithmeticClocks =
      std::max({(classCount(counters, InstructionClass::float32) + classCount(counters, InstructionClass::float16)) *
                    lanes / device.float32LanesPerClock,
                (classCount(counters, InstructionClass::special) + classCount(counters, InstructionClass::conversion)) *
                    lanes / device.specialLanesPerClock,
                classCount(counters, InstructionClass::float64) * lanes / device.float64LanesPerClock});
  set(LimitingResource::arithmetic, perSm(arithmeticClocks));

  set(LimitingResource::shared,
      perSm(static_cast<double>(counters.sharedWavefronts) * bytesPerWavefront / device.sharedBytesPerClock));
  set(LimitingResource::l2, perSm(static_cast<double>(counters.globalSectors) * bytesPerSector / device.l2BytesPerClock));
  set(LimitingResource::dram,
      static_cast<double>(counters.uniqueBytesRead + counters.uniqueBytesWritten) / device.dramBytesPerSecond);

  const double warps = std::max(1.0, static_cast<double>(counters.warps));
  const double waves =
      std::ceil(blocks / (device.smCount * std::max(1.0, std::min<double>(shape.blocksPerSm, device.blocksResident))));
  const double loads = classCount(counters, InstructionClass::globalLoad) + static_cast<double>(counters.barriers);
  // half of a warp's instructions are assumed to depend on the one before, loads to come in groups of eight
  const double clocksOfWarp = instructions / warps * dependentClocks / 2 + loads / warps / 8 * memoryClocks;
  set(LimitingResource::latency, waves * clocksOfWarp / device.clockHertz);
  set(LimitingResource::launch, launchSeconds);

  const auto longest = std::max_element(projection.seconds.begin(), projection.seconds.end());
  projection.limit = static_cast<LimitingResource>(longest - projection.seconds.begin());
  const bool isLaunch = projection.limit == LimitingResource::launch;
  projection.total = *longest + (isLaunch ? 0 : launchSeconds);
  return projection;
}

std::string projectionTable(std::string_view kernel, std::span<const Projection> projections) {
  std::string text = "projected, not measured: " + std::string(kernel) + " (microseconds)\n";
  char cell[64];
  std::snprintf(cell, sizeof cell, "%-10s %10s  %-14s", "device", "projected", "limited by");
  text += cell;
  for (std::size_t i = 0; i < static_cast<std::size_t>(LimitingResource::count); i++) {
    std::snprintf(cell, sizeof cell, " %13s", limitingResourceName(static_cast<LimitingResource>(i)));
    text += cell;
  }
  text += '\n';
  for (const Projection& projection : projections) {
    std::snprintf(cell, sizeof cell, "%-10.10s %10.2f  %-14s", std::string(projection.device).c_str(),
                  projection.total * 1e6, limitingResourceName(projection.limit));
    text += cell;
    for (const double seconds : projection.seconds) {
      std::snprintf(cell, sizeof cell, " %13.2f", seconds * 1e6);
      text += cell;
    }
    text += '\n';
  }
  return text;
}

std::string projectionJson(std::string_view kernel, std::span<const Projection> projections) {
  std::string text = "{\"kernel\": \"";
  for (const char c : kernel) {
    text += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  }
  text += "\", \"kind\": \"projection\", \"devices\": [";
  char cell[96];
  bool first = true;
  for (const Projection& projection : projections) {
    text.append(first ? "" : ", ").append("{\"device\": \"").append(projection.device);
    first = false;
    std::snprintf(cell, sizeof cell, "\", \"projectedSeconds\": %.9g, \"limit\": \"%s\", \"seconds\": {", projection.total,
                  limitingResourceName(projection.limit));
    text += cell;
    for (std::size_t i = 0; i < projection.seconds.size(); i++) {
      std::snprintf(cell, sizeof cell, "%s\"%s\": %.9g", i == 0 ? "" : ", ",
                    limitingResourceName(static_cast<LimitingResource>(i)), projection.seconds[i]);
      text += cell;
    }
    text += "}}";
  }
  return text + "]}";
}

} // namespace simgpu
