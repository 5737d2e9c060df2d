// What a check found: one record per distinct defect of a launch, with everything needed to find its cause.
#pragma once

#include "check/status.h"

#include <cstdint>
#include <string>

namespace simgpu {

enum class FindingKind : std::uint8_t {
  outOfBounds,          // address outside every allocation, or beyond the block's shared or the thread's local memory
  useAfterFree,         // address inside an allocation that was freed
  misaligned,           // address not a multiple of the access size
  uninitialisedRead,    // bytes nobody wrote
  unwrittenStored,      // a value that comes from such bytes went to global memory: no defect until it is used
  sharedRace,           // two warps touched a shared byte, one wrote, no barrier between
  blockRace,            // two blocks wrote different values to a global byte without synchronising
  divergentBarrier,     // lanes of one warp wait at different barriers, or some never arrive
  divergentWarpSync,    // lanes named in a membermask are not at the instruction, or an executing lane is not named
  deadlock,             // every warp of a block waits
  pendingCopy,          // bytes of a cp.async that was not waited for
  invalidMetadata,      // 2:4 metadata names one position twice
  unorderedMetadata,    // ordered_metadata with descending positions
  invalidBarrier,       // barrier id or thread count out of range, mbarrier object in an illegal state
  invalidCall,          // call through an address that is no function, or stack exhausted
  invalidLaunch,        // configuration or parameters the kernel cannot be launched with
  assertionFailed,      // device-side assert
  trapped,              // trap or brkpt
  timeout,              // the watchdog's instruction budget was used up
  writeToConstant,      // store to kernel parameters or another read-only space
};

/** The finding's kind in words, such as "out-of-bounds access". */
const char* findingKindName(FindingKind kind);

/** A coordinate of a block in its grid, or of a thread in its block. */
struct Position {
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t z = 0;

  bool operator==(const Position&) const = default;
};

/** A defect, located. Fields that do not apply are negative (line, warp, lane), zero (address) or empty. */
struct Finding {
  FindingKind kind{};
  Status status = Status::launchFailed; // what the driver reports for the launch
  std::string kernel;
  std::int64_t line = -1; // 1-based line of the PTX text
  std::string instruction; // opcode as written
  std::string source;      // "kernel.cu:14", where the text has line information
  Position block;
  std::int32_t warp = -1;
  std::int32_t lane = -1;
  std::uint64_t address = 0;
  std::string allocation; // "allocation 7 (4096 bytes at 0x..., user)", or the variable's name
  std::string detail;     // the rest of the sentence: sizes, values, the other party of a race
  std::uint64_t occurrences = 1;

  /** One readable line. */
  std::string text() const;
};

} // namespace simgpu
