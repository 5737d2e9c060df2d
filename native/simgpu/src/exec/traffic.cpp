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
  bool ascending = true;
  const auto add = [&](std::uint64_t sector) {
    if (count > 0 && sectors[count - 1] == sector) {
      return;
    }
    ascending = ascending && (count == 0 || sectors[count - 1] < sector);
    sectors[count++] = sector;
  };
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
    add(address / sectorBytes);
    add((address + bytes - 1) / sectorBytes);
  });
  auto end = sectors.begin() + count;
  if (!ascending) {
    std::sort(sectors.begin(), end);
    end = std::unique(sectors.begin(), end);
  }
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

void recordGlobal(Warp& warp, std::uint32_t mask, const LaneAddresses& addresses, const Access& access) {
  // a strong access is made for communication: it does not depend on an order of launches
  const Touch touch = access.intent == Intent::atomic || access.strong ? Touch::atomic
                      : access.intent == Intent::write                ? Touch::write
                                                                      : Touch::read;
  AccessRecorder& recorder = warp.worker.accesses;
  bool consecutive = mask == allLanes;
  for (std::size_t lane = 1; consecutive && lane < lanesPerWarp; lane++) {
    consecutive = addresses[lane] == addresses[lane - 1] + access.bytes;
  }
  if (consecutive) {
    recorder.note(touch, addresses[0], std::uint64_t{access.bytes} * lanesPerWarp);
    return;
  }
  forEachLane(mask, [&](int lane) { recorder.note(touch, addresses[static_cast<std::size_t>(lane)], access.bytes); });
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
    // the distinct words of each bank, newest first; a part has at most 32 words
    std::array<std::uint64_t, banks> words;
    std::array<std::int8_t, banks> previous;
    std::array<std::int8_t, banks> newest;
    std::array<std::uint8_t, banks> load{};
    newest.fill(-1);
    std::size_t count = 0;
    forEachLane(part, [&](int lane) {
      const std::uint64_t address = addresses[static_cast<std::size_t>(lane)];
      for (std::uint64_t word = address / bankBytes; word <= (address + bytes - 1) / bankBytes; word++) {
        const std::size_t bank = word % banks;
        int known = newest[bank];
        while (known >= 0 && words[static_cast<std::size_t>(known)] != word) {
          known = previous[static_cast<std::size_t>(known)];
        }
        if (known < 0 && count < words.size()) {
          words[count] = word;
          previous[count] = newest[bank];
          newest[bank] = static_cast<std::int8_t>(count++);
          load[bank]++;
        }
      }
    });
    counters.sharedWavefronts += *std::max_element(load.begin(), load.end());
  }
}

} // namespace simgpu
