#include "exec/program.h"

#include <algorithm>
#include <iterator>

namespace simgpu {

std::string Code::sourceIn(const std::vector<ptx::SourcePlace>& sorted, std::int64_t line) const {
  const auto after = std::upper_bound(sorted.begin(), sorted.end(), line,
                                      [](std::int64_t at, const ptx::SourcePlace& place) { return at < place.ptxLine; });
  if (after == sorted.begin()) {
    return {};
  }
  const auto show = [&](std::uint32_t file, std::uint32_t number) {
    const auto named = files.find(file);
    return named == files.end() || number == 0 ? std::string() : named->second + ":" + std::to_string(number);
  };
  auto place = std::prev(after);
  std::string text = show(place->file, place->line);
  for (std::string caller = show(place->callerFile, place->callerLine); !text.empty() && !caller.empty();) {
    text += ", inlined at " + caller;
    // the caller may be inlined itself: then a .loc before says so
    const auto isCaller = [&](const ptx::SourcePlace& each) {
      return each.file == place->callerFile && each.line == place->callerLine;
    };
    const auto before = std::find_if(std::make_reverse_iterator(place), sorted.rend(), isCaller);
    if (before == sorted.rend()) {
      break;
    }
    place = std::prev(before.base());
    caller = show(place->callerFile, place->callerLine);
  }
  return text;
}

} // namespace simgpu
