#include "exec/lane_race.h"

#include "exec/access.h"
#include "exec/block.h"
#include "exec/store_value.h"

#include <algorithm>
#include <bit>
#include <string>

namespace simgpu {

namespace {

std::uint32_t offsetOf(const LaneAddresses& addresses, int lane) {
  return static_cast<std::uint32_t>(addresses[static_cast<std::size_t>(lane)]);
}

std::string lineOf(const Warp& warp, const Op& op) {
  const Code& code = *warp.launch.code;
  return std::to_string(code.sources[static_cast<std::size_t>(&op - code.ops.data())].line);
}

/** Whether two lanes may touch the same word: no more than a filter. */
bool mayOverlap(std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes) {
  constexpr std::uint32_t words = 1024;
  std::array<std::uint64_t, words / 64> seen{};
  bool twice = false;
  forEachLane(mask, [&](int lane) {
    const std::uint32_t first = offsetOf(addresses, lane) / 4;
    const std::uint32_t last = (offsetOf(addresses, lane) + bytes - 1) / 4;
    for (std::uint32_t word = first; word <= last; word++) {
      std::uint64_t& group = seen[word % words / 64];
      const std::uint64_t bit = std::uint64_t{1} << word % 64;
      twice = twice || (group & bit) != 0;
      group |= bit;
    }
  });
  return twice;
}

} // namespace

void LaneRaces::met(std::uint32_t mask) {
  if (!any_) {
    return;
  }
  any_ = false;
  for (Write& write : writes_) {
    if (write.op == nullptr) {
      continue;
    }
    bool all = true;
    forEachLane(write.lanes, [&](int writer) {
      std::uint32_t& ordered = write.ordered[static_cast<std::size_t>(writer)];
      ordered |= (ordered & mask) != 0 ? mask : 0;
      all = all && ordered == allLanes;
    });
    if (all) {
      write.op = nullptr;
    }
    any_ = any_ || write.op != nullptr;
  }
  if (!any_) {
    writes_.clear();
    next_ = 0;
  }
}

LaneRaces::Extent LaneRaces::extentOf(std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes) {
  Extent extent;
  forEachLane(mask, [&](int lane) {
    extent.low = std::min(extent.low, offsetOf(addresses, lane));
    extent.high = std::max(extent.high, offsetOf(addresses, lane) + bytes);
  });
  return extent;
}

std::optional<int> LaneRaces::writerOf(const Write& write, std::uint32_t offset) {
  std::optional<int> writer;
  forEachLane(write.lanes, [&](int lane) {
    if (offset - write.at[static_cast<std::size_t>(lane)] < write.bytes) {
      writer = lane;
    }
  });
  return writer;
}

/** Something else is written there now. */
void LaneRaces::forget(std::uint32_t offset, std::uint32_t bytes) {
  for (Write& write : writes_) {
    if (write.op == nullptr || offset >= write.high || offset + bytes <= write.low) {
      continue;
    }
    forEachLane(write.lanes, [&](int lane) {
      const std::uint32_t at = write.at[static_cast<std::size_t>(lane)];
      write.lanes &= at < offset + bytes && offset < at + write.bytes ? ~(1u << lane) : ~0u;
    });
  }
}

void LaneRaces::overwrite(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                          std::uint32_t bytes) {
  const Extent extent = extentOf(mask, addresses, bytes);
  for (const Write& write : writes_) {
    // with lock step: else the writers are here too
    const bool apart = extent.meets(write) && ((write.lanes & mask) == 0 || !warp.launch.settings.lockStep);
    forEachLane(apart ? mask : 0, [&](int lane) {
      const std::uint32_t offset = offsetOf(addresses, lane);
      for (std::uint32_t i = 0; offset < write.high && offset + bytes > write.low && i < bytes; i++) {
        const std::optional<int> writer = writerOf(write, offset + i);
        if (!writer || inOrder(write, *writer, lane)) {
          continue;
        }
        const auto old = std::to_integer<std::uint8_t>(warp.block.shared()[offset + i]);
        const std::optional<std::uint8_t> value = storedByte(warp, op, lane, i);
        if (value && *value != old) {
          warp.block.shadow.markTorn(offset + i,
                                     "lane " + std::to_string(*writer) + " (line " + lineOf(warp, *write.op) +
                                         ") and lane " + std::to_string(lane) + " (line " + lineOf(warp, op) +
                                         ") of warp " + std::to_string(warp.index()) +
                                         " wrote different values and did not synchronise between");
        }
      }
    });
  }
}

/** Lanes of one instruction that write different values to a byte. */
void LaneRaces::writeTogether(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                              std::uint32_t bytes) {
  forEachLane(mask, [&](int second) {
    forEachLane(mask & ((1u << second) - 1), [&](int first) {
      const std::uint32_t from = std::max(offsetOf(addresses, first), offsetOf(addresses, second));
      const std::uint32_t to = std::min(offsetOf(addresses, first), offsetOf(addresses, second)) + bytes;
      for (std::uint32_t at = from; at < to; at++) {
        const auto one = storedByte(warp, op, first, at - offsetOf(addresses, first));
        const auto other = storedByte(warp, op, second, at - offsetOf(addresses, second));
        if (one && other && *one != *other) {
          warp.block.shadow.markTorn(at, "lanes " + std::to_string(first) + " and " + std::to_string(second) +
                                             " of warp " + std::to_string(warp.index()) +
                                             " wrote different values in one instruction, line " + lineOf(warp, op));
        }
      }
    });
  });
}

void LaneRaces::write(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                      std::uint32_t bytes) {
  if (any_) {
    overwrite(warp, op, mask, addresses, bytes);
    forEachLane(mask, [&](int lane) { forget(offsetOf(addresses, lane), bytes); });
  }
  if (mayOverlap(mask, addresses, bytes)) {
    writeTogether(warp, op, mask, addresses, bytes);
  }
  const bool lockStep = warp.launch.settings.lockStep;
  if (mask == warp.live() && (lockStep || std::has_single_bit(mask))) {
    return;
  }
  any_ = true;
  const std::size_t most = lockStep ? kept : keptWithoutLockStep;
  if (writes_.size() < most) {
    writes_.emplace_back();
  }
  Write& write = writes_[next_++ % most];
  write = {&op, mask, bytes, ~0u, 0, {}, {}};
  forEachLane(mask, [&](int lane) {
    const std::uint32_t offset = offsetOf(addresses, lane);
    write.at[static_cast<std::size_t>(lane)] = offset;
    write.ordered[static_cast<std::size_t>(lane)] = lockStep ? mask : 1u << lane;
    write.low = std::min(write.low, offset);
    write.high = std::max(write.high, offset + bytes);
  });
}

void LaneRaces::read(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                     const Access& access) const {
  if (!any_) {
    return;
  }
  const Extent extent = extentOf(mask, addresses, access.bytes);
  for (const Write& write : writes_) {
    forEachLane(extent.meets(write) ? mask : 0, [&](int lane) {
      const std::uint32_t offset = offsetOf(addresses, lane);
      for (std::uint32_t i = 0; offset < write.high && offset + access.bytes > write.low && i < access.bytes; i++) {
        const std::optional<int> writer = writerOf(write, offset + i);
        if (!writer || inOrder(write, *writer, lane) || (i < 32 && (access.usedBytes >> i & 1) == 0)) {
          continue;
        }
        warp.suspect(op, lane, i, FindingKind::sharedRace, [&] {
          return describeShared(warp, op, lane, offset + i, FindingKind::sharedRace,
                                "lane " + std::to_string(*writer) + " of this warp wrote the byte in line " +
                                    lineOf(warp, *write.op) + " and no __syncwarp came between");
        });
      }
    });
  }
}

} // namespace simgpu
