#include "memory/footprint.h"

#include <algorithm>
#include <bit>

namespace simgpu {

void ByteRanges::settle() {
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < ranges_.size(); ++i) {
    if (ranges_[i].begin <= ranges_[kept].end) {
      ranges_[kept].end = std::max(ranges_[kept].end, ranges_[i].end);
    } else {
      ranges_[++kept] = ranges_[i];
    }
  }
  if (!ranges_.empty()) ranges_.resize(kept + 1);
}

std::optional<ByteRanges::Range> ByteRanges::firstCommon(const ByteRanges& other) const {
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const Range common{std::max(a->begin, b->begin), std::min(a->end, b->end)};
    if (common.begin < common.end) return common;
    if (a->end < b->end) {
      ++a;
    } else {
      ++b;
    }
  }
  return std::nullopt;
}

std::optional<Footprint::Overlap> Footprint::conflict(const Footprint& other) const {
  constexpr Touch all[] = {Touch::write, Touch::atomic, Touch::read};
  for (const Touch first : all) {
    for (const Touch second : all) {
      const bool harmless = first == second && first != Touch::write;
      if (harmless) continue;
      if (const auto common = of(first).firstCommon(other.of(second))) return Overlap{*common, first, second};
    }
  }
  return std::nullopt;
}

std::size_t Footprint::bytesHeld() const {
  std::size_t count = 0;
  for (const ByteRanges& ranges : touched) count += ranges.count();
  return count * sizeof(ByteRanges::Range);
}

void AccessRecorder::addTo(Footprint& footprint) const {
  std::vector<std::uint64_t> numbers;
  numbers.reserve(pages_.size());
  for (const auto& [number, page] : pages_) numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  for (const std::uint64_t number : numbers) {
    const Page& page = *pages_.at(number);
    for (std::size_t touch = 0; touch < page.bits.size(); ++touch) {
      for (std::size_t word = 0; word < page.bits[touch].size(); ++word) {
        const std::uint64_t base = number * pageBytes + word * 64;
        for (std::uint64_t left = page.bits[touch][word]; left != 0;) {
          const int first = std::countr_zero(left);
          const int length = std::countr_one(left >> first);
          footprint.touched[touch].add(base + static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(length));
          left = first + length == 64 ? 0 : left & (~std::uint64_t{0} << (first + length));
        }
      }
    }
  }
}

} // namespace simgpu
