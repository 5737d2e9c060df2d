// Counting of memory traffic, as a profiler of the device would: sectors per request, wavefronts per request.
#include "exec/access.h"
#include "exec/worker.h"

#include <algorithm>
#include <atomic>

namespace simgpu {

namespace {

constexpr std::uint64_t sectorBytes = 32;
constexpr std::uint64_t bankBytes = 4;
constexpr std::size_t banks = 32;

/** Whether this launch touches the sector for the first time in this way. */
bool firstTouch(std::uint32_t* shadow, std::uint32_t launchId) {
  std::atomic_ref<std::uint32_t> seen(*shadow);
  return seen.load(std::memory_order_relaxed) != launchId &&
         seen.exchange(launchId, std::memory_order_relaxed) != launchId;
}

} // namespace

void countGlobal(Warp& warp, std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes, Intent intent) {
  std::array<std::uint64_t, 2 * lanesPerWarp> sectors; // a lane's access is aligned, so it touches at most two
  std::size_t count = 0;
  forEachLane(mask, [&](int lane) {
    const std::uint64_t first = addresses[static_cast<std::size_t>(lane)] / sectorBytes;
    const std::uint64_t last = (addresses[static_cast<std::size_t>(lane)] + bytes - 1) / sectorBytes;
    sectors[count++] = first;
    if (last != first) {
      sectors[count++] = last;
    }
  });
  std::sort(sectors.begin(), sectors.begin() + count);
  const auto end = std::unique(sectors.begin(), sectors.begin() + count);
  Counters& counters = warp.worker.counters;
  counters.globalRequests++;
  counters.globalSectors += static_cast<std::uint64_t>(end - sectors.begin());
  for (auto sector = sectors.begin(); sector != end; ++sector) {
    std::uint32_t* shadow = warp.launch.memory.sectorShadow(*sector * sectorBytes);
    if (intent != Intent::write && firstTouch(shadow, warp.launch.launchId)) {
      counters.uniqueBytesRead += sectorBytes;
    }
    if (intent != Intent::read && firstTouch(shadow + 1, warp.launch.launchId)) {
      counters.uniqueBytesWritten += sectorBytes;
    }
  }
}

/**
 * A request of 4 bytes a lane is served for 32 lanes at once, 8 bytes for half a warp, 16 for a quarter; within such a
 * part, distinct words of one bank take turns.
 */
void countShared(Warp& warp, std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes) {
  const int lanesAtOnce = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
  Counters& counters = warp.worker.counters;
  counters.sharedRequests++;
  for (int first = 0; first < lanesPerWarp; first += lanesAtOnce) {
    const std::uint32_t part =
        mask & (lanesAtOnce == 32 ? allLanes : ((1u << lanesAtOnce) - 1) << first);
    std::array<std::uint64_t, 4 * lanesPerWarp> words;
    std::size_t count = 0;
    forEachLane(part, [&](int lane) {
      const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
      for (std::uint64_t word = address / bankBytes; word <= (address + bytes - 1) / bankBytes && count < words.size();
           word++) {
        words[count++] = word;
      }
    });
    std::sort(words.begin(), words.begin() + count);
    const auto end = std::unique(words.begin(), words.begin() + count);
    std::array<std::uint32_t, banks> load{};
    for (auto word = words.begin(); word != end; ++word) {
      load[*word % banks]++;
    }
    counters.sharedWavefronts += *std::max_element(load.begin(), load.end());
  }
}

} // namespace simgpu
