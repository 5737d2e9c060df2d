#include "check/finding.h"

#include <array>
#include <cstdio>

namespace simgpu {

const char* findingKindName(FindingKind kind) {
  constexpr std::array names{
      "out-of-bounds access", "use after free",    "misaligned access",     "uninitialised read",
      "unwritten value stored",
      "shared-memory race",   "race between blocks", "divergent barrier",   "divergent warp synchronisation",
      "deadlock",             "missing cp.async wait", "invalid 2:4 metadata", "unordered 2:4 metadata",
      "invalid barrier",      "invalid call",      "invalid launch",        "assertion failed",
      "trap",                 "timeout",           "write to constant memory",
  };
  return names.at(static_cast<std::size_t>(kind));
}

std::string Finding::text() const {
  std::string text = findingKindName(kind);
  char part[160];
  if (!detail.empty()) {
    text += ": " + detail;
  }
  if (address != 0) {
    std::snprintf(part, sizeof part, " at address 0x%llx", static_cast<unsigned long long>(address));
    text += part;
  }
  if (!allocation.empty()) {
    text += " [" + allocation + "]";
  }
  text += " in kernel " + kernel;
  if (line >= 0) {
    std::snprintf(part, sizeof part, ", ptx line %lld", static_cast<long long>(line));
    text += part;
  }
  if (!instruction.empty()) {
    text += " (" + instruction + ")";
  }
  if (!source.empty()) {
    text += ", " + source;
  }
  if (warp >= 0) {
    std::snprintf(part, sizeof part, ", block (%u,%u,%u), warp %d", block.x, block.y, block.z, warp);
    text += part;
  }
  if (lane >= 0) {
    std::snprintf(part, sizeof part, ", lane %d", lane);
    text += part;
  }
  if (occurrences > 1) {
    std::snprintf(part, sizeof part, ", %llu times", static_cast<unsigned long long>(occurrences));
    text += part;
  }
  return text + " [" + statusName(status) + "]";
}

} // namespace simgpu
