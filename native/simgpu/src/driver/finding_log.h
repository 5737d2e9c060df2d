// Everything found since the log was last cleared: by the engine's checks and by the driver itself.
#pragma once

#include "check/finding.h"
#include "driver/cuda_types.h"

#include <optional>
#include <string>
#include <vector>

namespace simgpu::driver {

/** The name of a result, such as "CUDA_ERROR_INVALID_VALUE"; null for no result. */
const char* resultName(CUresult result);
const char* resultText(CUresult result);

/** One finding. Those of the engine carry its record; the driver's have a text only. */
struct LogEntry {
  std::string kind; // "refused call", "leak", "read before synchronised", or the engine's kind in words
  CUresult status = CUDA_SUCCESS;
  std::string call; // the driver function in which it was made
  std::string text;
  std::optional<Finding> finding;
};

class FindingLog {
public:
  /** Entries beyond this many are counted only. */
  static constexpr std::size_t capacity = 10'000;

  void add(LogEntry entry, bool print);
  void clear();

  const std::vector<LogEntry>& entries() const { return entries_; }

  /** {"findings": [...], "dropped": n}. */
  std::string json() const;

private:
  std::vector<LogEntry> entries_;
  std::uint64_t dropped_ = 0;
};

} // namespace simgpu::driver
