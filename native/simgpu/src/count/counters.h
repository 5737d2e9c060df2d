// What a launch did, counted: the input of the projection and the evidence of a kernel's memory behaviour.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace simgpu {

/** What an instruction occupies on the device. */
enum class InstructionClass : std::uint8_t {
  integer,
  float32,
  float16,
  float64,
  special, // the special function unit: ex2, rcp, sqrt, sin ...
  conversion,
  move,
  predicate, // compares and predicate logic
  control,
  tensor,
  globalLoad,
  globalStore,
  globalAtomic,
  sharedLoad,
  sharedStore,
  sharedAtomic,
  matrixLoad, // ldmatrix
  asyncCopy,
  localMemory,
  parameter, // kernel parameters and constants
  warpCollective,
  barrier,
  fence,
  other,
  count,
};

inline constexpr std::size_t instructionClassCount = static_cast<std::size_t>(InstructionClass::count);

const char* instructionClassName(InstructionClass instructionClass);

/** Data types of the tensor core, as the peaks of a device list them. */
enum class TensorType : std::uint8_t { f16f32, f16f16, bf16, tf32, s8, s4, b1, f64, count };

inline constexpr std::size_t tensorTypeCount = static_cast<std::size_t>(TensorType::count);

const char* tensorTypeName(TensorType type);

/** Sums over all warps of a launch. Memory traffic is filled in only when Settings::countTraffic is on. */
struct Counters {
  std::array<std::uint64_t, instructionClassCount> warpInstructions{};
  std::uint64_t laneInstructions = 0;

  /** Multiply-adds issued to the tensor cores by type; a sparse instruction counts its stored (half) products. */
  std::array<std::uint64_t, tensorTypeCount> tensorMultiplyAdds{};
  std::uint64_t tensorIssues = 0;
  std::uint64_t sparseTensorIssues = 0;

  std::uint64_t globalRequests = 0; // warp-level loads, stores, atomics and asynchronous copies
  std::uint64_t globalSectors = 0;  // 32-byte sectors those requests touched
  std::uint64_t uniqueBytesRead = 0;
  std::uint64_t uniqueBytesWritten = 0;
  std::uint64_t sharedRequests = 0;
  std::uint64_t sharedWavefronts = 0; // passes over the 32 banks those requests need
  std::uint64_t barriers = 0;         // warps that waited at a block barrier
  std::uint64_t branches = 0;
  std::uint64_t divergentBranches = 0;
  std::uint64_t preemptions = 0; // a block was set aside while others ran

  std::uint64_t blocks = 0;
  std::uint64_t warps = 0;
  std::uint32_t peakResidentBlocks = 0; // in this simulation, not on a device

  std::uint64_t totalWarpInstructions() const;
  void add(const Counters& other);
};

} // namespace simgpu
