#include "exec/program.h"

#include <algorithm>
#include <iterator>

namespace simgpu {

std::string Code::sourceAt(std::int64_t line) const {
  const auto after = std::upper_bound(places.begin(), places.end(), line,
                                      [](std::int64_t at, const ptx::SourcePlace& place) { return at < place.ptxLine; });
  if (after == places.begin()) {
    return {};
  }
  const ptx::SourcePlace& place = *std::prev(after);
  const auto show = [&](std::uint32_t file, std::uint32_t number) {
    const auto named = files.find(file);
    return named == files.end() || number == 0 ? std::string() : named->second + ":" + std::to_string(number);
  };
  const std::string own = show(place.file, place.line);
  const std::string caller = show(place.callerFile, place.callerLine);
  return own.empty() || caller.empty() ? own : own + ", inlined at " + caller;
}

} // namespace simgpu
