#include "count/counters.h"

#include <algorithm>
#include <numeric>

namespace simgpu {

const char* instructionClassName(InstructionClass instructionClass) {
  constexpr std::array<const char*, instructionClassCount> names{
      "integer",     "float32",      "float16",       "float64",    "special",     "conversion",
      "move",        "predicate",    "control",       "tensor",     "globalLoad",  "globalStore",
      "globalAtomic", "sharedLoad",  "sharedStore",   "sharedAtomic", "matrixLoad", "asyncCopy",
      "localMemory", "parameter",    "warpCollective", "barrier",   "fence",       "other",
  };
  return names.at(static_cast<std::size_t>(instructionClass));
}

const char* tensorTypeName(TensorType type) {
  constexpr std::array<const char*, tensorTypeCount> names{"f16f32", "f16f16", "bf16", "tf32", "s8", "s4", "b1", "f64"};
  return names.at(static_cast<std::size_t>(type));
}

std::uint64_t Counters::totalWarpInstructions() const {
  return std::accumulate(warpInstructions.begin(), warpInstructions.end(), std::uint64_t{0});
}

void Counters::add(const Counters& other) {
  for (std::size_t i = 0; i < instructionClassCount; i++) {
    warpInstructions[i] += other.warpInstructions[i];
  }
  for (std::size_t i = 0; i < tensorTypeCount; i++) {
    tensorMultiplyAdds[i] += other.tensorMultiplyAdds[i];
  }
  laneInstructions += other.laneInstructions;
  tensorIssues += other.tensorIssues;
  sparseTensorIssues += other.sparseTensorIssues;
  globalRequests += other.globalRequests;
  globalSectors += other.globalSectors;
  uniqueBytesRead += other.uniqueBytesRead;
  uniqueBytesWritten += other.uniqueBytesWritten;
  sharedRequests += other.sharedRequests;
  sharedWavefronts += other.sharedWavefronts;
  barriers += other.barriers;
  branches += other.branches;
  divergentBranches += other.divergentBranches;
  preemptions += other.preemptions;
  blocks += other.blocks;
  warps += other.warps;
  peakResidentBlocks = std::max(peakResidentBlocks, other.peakResidentBlocks);
}

} // namespace simgpu
