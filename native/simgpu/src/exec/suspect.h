// Values that nobody should use: read where nothing was written, or where another warp was writing.
//
// Working kernels do read such bytes: the stage of a pipeline that the last iteration fetches for nothing, the rows of
// a tile beyond the matrix. So the read itself is no defect. The registers that hold the value are followed through
// the instructions that compute with them, byte by byte and lane by lane, and the read is reported when its value
// decides something: an address, a branch, an atomic. (Valgrind's memcheck works by the same rule.) Stored to global
// memory it stays suspect for those who read it there, the host included: see memory/unwritten_values.h.
#pragma once

#include "check/finding.h"
#include "exec/program.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace simgpu {

class Warp;

/** For each byte of a register the lanes in which it is suspect; predicates have byte 0 only. */
using ByteLanes = std::array<std::uint32_t, 8>;

/** What is known about a byte of local memory; 0 is a byte nobody wrote. */
inline constexpr std::uint8_t localByteWritten = 1;
inline constexpr std::uint8_t firstLocalOrigin = 2;

/** The suspect registers of one warp. While there are none, nothing here is called. */
class Suspects {
public:
  bool empty() const { return entries_.empty() && fresh_.empty() && choices_.empty(); }

  /** Whether a read at `op` is known already, so that a further lane needs no finding of its own. */
  bool known(const Op& op, FindingKind kind) const;

  /**
   * Byte `byte` of what `op` reads for `lane` is suspect. False when the operation has no register to hold it, which
   * makes the read a defect at once. `finding` is used the first time.
   */
  bool note(const Warp& warp, const Op& op, int lane, std::uint32_t byte, FindingKind kind, const Finding* finding);

  /** Registers of a read that was executed before are suspect in `lanes` now: another warp overwrote what they read. */
  void noteResults(const Warp& warp, const Op& op, std::byte* registers, std::uint32_t lanes, const Finding& finding);

  /** Called before the running lanes execute `op`, those of `active` by its guard. Reports what matters. */
  void follow(Warp& warp, const Op& op, std::uint32_t running, std::uint32_t active);

  /** After an operation: its results hold what it read. */
  void settle();

  /** Lanes in which byte `byte` of what the store `op` writes is suspect. */
  std::uint32_t stored(const Warp& warp, const Op& op, std::uint32_t byte) const;
  /** What was found where a suspect byte that the store `op` writes began. */
  const Finding& findingOfStored(const Warp& warp, const Op& op, std::uint32_t byte) const {
    return origins_[storedTaint(warp, op, byte).origin].finding;
  }

  /**
   * What local memory is to know of byte `byte` of what the store `op` writes for a lane: localByteWritten, or a mark
   * from firstLocalOrigin on that says where a suspect value comes from, for noteReloaded.
   */
  std::uint8_t localMark(const Warp& warp, const Op& op, int lane, std::uint32_t byte) const;
  /** Byte `byte` of what `op` reads for `lane` was stored with `mark`. False as in note. */
  bool noteReloaded(const Warp& warp, const Op& op, int lane, std::uint32_t byte, std::uint8_t mark);
  const Finding& findingOf(std::uint8_t mark) const { return origins_[mark - firstLocalOrigin].finding; }

  /**
   * The store `op` writes `bytes` bytes to each of these global addresses. Suspect ones are remembered there, if they
   * come from bytes nobody wrote; races, and what the host sees without a copy, are reported.
   */
  void keepStored(Warp& warp, const Op& op, std::uint32_t lanes, const LaneAddresses& addresses, std::uint32_t bytes);

  /** The frame whose registers begin here has ended or begins: nothing of it is suspect. */
  void forget(const std::byte* registers, std::uint32_t bytes);
  /** These lanes have exited. */
  void drop(std::uint32_t lanes);

private:
  struct Entry {
    std::byte* slot = nullptr;
    ByteLanes bytes{};
    std::uint32_t origin = 0;
    ByteLanes masked{};
  };
  struct Origin {
    const Op* op = nullptr;
    Finding finding;
    std::uint8_t code = 0; // among the unwritten values of global memory, once one was stored there
  };
  /** Lanes on their ways through operations that a suspect branch decides about: their results are suspect at `end`. */
  struct Choice {
    const Op* end = nullptr;
    std::uint32_t lanes = 0;
    std::uint32_t origin = 0;
    std::vector<std::pair<std::byte*, std::uint8_t>> results; // with their sizes
  };
  struct Taint {
    ByteLanes bytes{};
    std::uint32_t origin = 0;
    ByteLanes masked{}; // of these, an and has cleared some bits: a bit field is being written

    std::uint32_t any() const;
    void add(const Taint& other, std::uint32_t lanes);
    /** Every byte, in these lanes. */
    void spread(std::uint32_t lanes);
  };

  std::uint32_t originOf(const Op& op, const Finding& finding);
  bool hold(const Warp& warp, const Op& op, int lane, std::uint32_t byte, std::uint32_t origin);
  void settleChoices(const Op& op, std::uint32_t running);
  Taint taintOf(const std::byte* slot) const;
  Taint storedTaint(const Warp& warp, const Op& op, std::uint32_t byte) const;
  void set(std::byte* slot, const Taint& taint, std::uint32_t lanes);
  void add(std::vector<Entry>& entries, std::byte* slot, const Taint& taint);
  void report(Warp& warp, const Op& op, const Taint& taint, std::uint32_t lanes);
  std::uint32_t verifiedLanes(Warp& warp, const Op& op) const;
  void forgetOrigin(Warp& warp, std::uint32_t origin, std::uint32_t lanes);
  std::uint8_t codeOf(Warp& warp, const Op& store, std::uint32_t origin);
  void followMma(Warp& warp, const Op& op, std::uint32_t active);
  void followShuffle(Warp& warp, const Op& op, std::uint32_t active);
  void followSelection(Warp& warp, const Op& op, std::uint32_t active);

  std::vector<Entry> entries_;
  std::vector<Entry> fresh_; // of the operation that is being executed: in place once it is done
  std::vector<Choice> choices_;
  std::vector<Origin> origins_;
};

} // namespace simgpu
