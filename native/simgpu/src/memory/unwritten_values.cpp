#include "memory/unwritten_values.h"

#include <algorithm>
#include <cstddef>

namespace simgpu {

namespace {

constexpr std::size_t codes = 127; // even and not 0

} // namespace

std::uint8_t UnwrittenValues::note(const Finding& read) {
  const std::scoped_lock lock(mutex_);
  const auto known = std::find_if(reads_.begin(), reads_.end(), [&](const Finding& each) {
    return each.kernel == read.kernel && each.line == read.line && each.instruction == read.instruction;
  });
  auto index = static_cast<std::size_t>(known - reads_.begin());
  if (index == codes) {
    reads_[--index] = read;
  } else if (known == reads_.end()) {
    reads_.push_back(read);
  }
  return static_cast<std::uint8_t>(2 * (index + 1));
}

Finding UnwrittenValues::origin(std::uint8_t code) const {
  const std::scoped_lock lock(mutex_);
  return reads_.at(code / 2 - std::size_t{1});
}

} // namespace simgpu
