// What is known about every byte of a block's shared memory: whether it was written, by whom it was touched since the
// last barrier, whether a cp.async is on its way to it.
#pragma once

#include "check/finding.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace simgpu {

class Block;
class Warp;
struct Op;

enum class SharedAccess : std::uint8_t {
  read,
  write,
  strongRead,  // volatile, relaxed, acquire
  strongWrite, // and atomics, which neither race with each other nor with strong reads
  matrixRead,
};

/** A finding about a byte of the block's shared memory. */
Finding describeShared(const Warp& warp, const Op& op, int lane, std::uint32_t address, FindingKind kind,
                       std::string detail);

/**
 * Two accesses to a byte by different warps, at least one a write and not both strong, are a race unless a
 * synchronisation lies between: the earlier warp released and the later one acquired after the access. A full barrier
 * is both for everyone, so for kernels that only use barriers the check is exact; with mbarriers and fences, whose
 * pairing is not traced, it can miss a race but does not invent one. A read that races is a defect only if its value
 * matters, see suspect.h. Lanes of one warp are
 * compared in lane_race.h.
 */
class SharedShadow {
public:
  void reset(std::uint32_t bytes);
  bool enabled() const { return !writes_.empty(); }

  /** Checks and notes an access of one lane; reports findings. `usedBytes` has a bit per byte that matters. */
  void access(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes, SharedAccess kind,
              std::uint32_t usedBytes = ~0u);

  /** A cp.async will write these bytes. */
  void markPending(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes);
  /** It has: they are written by `warp` now. */
  void completePending(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes);

  /** Lanes of a warp disagree about what the byte is to be; `why` is said of those who use it. Until the next write. */
  void markTorn(std::uint32_t address, const std::string& why);

  /** Bytes whose contents are opaque from now on (mbarrier objects): initialised, and written strongly. */
  void markStrong(Warp& warp, std::uint32_t offset, std::uint32_t bytes);

  /** Forgets who touched what, when the block's clock is about to overflow. */
  void forgetTimes();

private:
  template <std::uint32_t Bytes>
  bool quick(const Warp& warp, std::uint32_t offset, std::uint32_t bytes, SharedAccess kind) const;
  template <std::uint32_t Bytes>
  void note(const Warp& warp, std::uint32_t offset, std::uint32_t bytes, SharedAccess kind);
  template <std::uint32_t Bytes>
  void accessBytes(Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes, SharedAccess kind,
                   std::uint32_t usedBytes);
  /** Looks at byte `byte` of an access; false when a read found nothing to rely on. */
  bool slow(Warp& warp, const Op& op, int lane, std::uint32_t address, std::uint32_t byte, SharedAccess kind);
  bool slowRead(Warp& warp, const Op& op, int lane, std::uint32_t address, std::uint32_t byte, SharedAccess kind);
  void carry(const Warp& warp, const Op& op, int lane, std::uint32_t offset, std::uint32_t bytes);
  void slowWrite(Warp& warp, const Op& op, int lane, std::uint32_t address, SharedAccess kind);
  bool unordered(const Warp& warp, std::uint32_t address, SharedAccess kind) const;

  // One entry a byte, in arrays of their own so that the loops over a lane's bytes vectorise.
  std::vector<std::uint32_t> writes_;    // | time : 16 | warp : 8 | flags : 8 | of the last write
  std::vector<std::uint32_t> readers_;   // warps since then that no synchronisation ordered
  std::vector<std::uint32_t> readTimes_; // of the first of those reads
  std::unordered_map<std::uint32_t, std::string> torn_;
  // Bytes that are not "written" because a suspect value was stored there: what was found where the value began.
  std::unordered_map<std::uint32_t, std::uint32_t> carried_; // into origins_, by address
  std::vector<Finding> origins_;
};

} // namespace simgpu
