// Races between the lanes of one warp in shared memory.
//
// Lanes that run together are in lock step here, as they are on devices in practice, so a read after a write by lanes
// that were all there is in order. What lock step cannot save is found:
//
//   - two lanes write different values to a byte in one instruction: which of them stays is not defined;
//   - some lanes write (others are elsewhere, or their guard is false), and another lane of the warp uses the byte
//     before it has met the writer, or writes something else there on a path of its own.
//
// With Settings::lockStep off nothing is saved: a read of what any other lane wrote, and a write over it with another
// value, need a meeting in between.
//
// Lanes meet in bar.warp.sync, at block barriers, in every other instruction that needs them together (shfl, vote, mma
// ...; stricter readings of the memory model leave those out), and by fences, acquires and releases, which are not
// paired. Arriving at the same place is no meeting. As everywhere, a read is a defect only if its value matters, and
// volatile, atomic and other strong accesses do not count.
#pragma once

#include "exec/program.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace simgpu {

struct Access;

class LaneRaces {
public:
  /** The lanes of `mask` wait for each other, or synchronise. */
  void met(std::uint32_t mask);

  /** Before a plain write of the lanes of `mask`; `addresses` are offsets in shared memory. */
  void write(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes);

  /** Before a plain read: what it reads of lanes it has not met is suspect. */
  void read(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses, const Access& access) const;

private:
  /** A write by some of the lanes. */
  struct Write {
    const Op* op = nullptr;
    std::uint32_t lanes = 0;
    std::uint32_t bytes = 0;
    std::uint32_t low = 0; // of all bytes written
    std::uint32_t high = 0;
    std::array<std::uint32_t, lanesPerWarp> at{};
    /** By writer the lanes in order with it: those in lock step with it, and whoever met it since. */
    std::array<std::uint32_t, lanesPerWarp> ordered{};
  };
  /** The bytes that the lanes of an access touch lie in [low, high). */
  struct Extent {
    std::uint32_t low = ~0u;
    std::uint32_t high = 0;
    bool meets(const Write& write) const { return write.op != nullptr && low < write.high && high > write.low; }
  };
  static Extent extentOf(std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes);

  // Of unmet writes the oldest are forgotten. Without lock step every write is one until all lanes meet: a tile's worth.
  static constexpr std::size_t kept = 16;
  static constexpr std::size_t keptWithoutLockStep = 2048;

  /** The lane whose byte at `offset` the write left, if any. */
  static std::optional<int> writerOf(const Write& write, std::uint32_t offset);
  static bool inOrder(const Write& write, int writer, int lane) {
    return (write.ordered[static_cast<std::size_t>(writer)] >> lane & 1) != 0;
  }
  void forget(std::uint32_t offset, std::uint32_t bytes);
  void overwrite(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses, std::uint32_t bytes);
  static void writeTogether(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& addresses,
                            std::uint32_t bytes);

  std::vector<Write> writes_;
  std::size_t next_ = 0;
  bool any_ = false;
};

} // namespace simgpu
