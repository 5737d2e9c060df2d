// The bytes operations touch, and where two operations meet.
#include "check.h"
#include "memory/footprint.h"

#include <random>
#include <set>

using namespace simgpu;

namespace {

Footprint recorded(const AccessRecorder& recorder) {
  Footprint footprint;
  recorder.addTo(footprint);
  footprint.settle();
  return footprint;
}

} // namespace

TEST("ranges that touch or overlap become one") {
  ByteRanges ranges;
  ranges.add(100, 10);
  ranges.add(110, 10); // follows
  ranges.add(50, 10);
  ranges.add(55, 20);
  ranges.add(300, 0);
  ranges.settle();
  CHECK_EQUAL(ranges.count(), std::size_t{2});
  ByteRanges other;
  other.add(74, 26);
  other.settle();
  CHECK_EQUAL(ranges.firstCommon(other)->begin, 74U);
  CHECK_EQUAL(ranges.firstCommon(other)->end, 75U);
  ByteRanges between;
  between.add(75, 25);
  between.settle();
  CHECK(!ranges.firstCommon(between));
}

TEST("a recorder keeps every byte, across words and pages") {
  constexpr unsigned seed = 20240917;
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    AccessRecorder recorder;
    std::set<std::uint64_t> bytes;
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t address = 4096 * 7 + random() % 9000;
      const std::uint64_t count = 1 + random() % (i % 10 == 0 ? 300 : 16);
      recorder.note(Touch::write, address, count);
      for (std::uint64_t at = address; at < address + count; ++at) bytes.insert(at);
    }
    const Footprint footprint = recorded(recorder);
    for (std::uint64_t at = 4096 * 7 - 2; at < 4096 * 7 + 9400; ++at) {
      Footprint one;
      one.add(Touch::read, at, 1);
      if (footprint.conflict(one).has_value() != bytes.contains(at)) {
        simgpu::testing::fail(__FILE__, __LINE__, "byte " + std::to_string(at) + ", seed " + std::to_string(seed));
      }
    }
  }
}

TEST("only a write disturbs, and atomic changes disturb plain accesses") {
  const auto of = [](Touch touch) {
    Footprint footprint;
    footprint.add(touch, 1000, 8);
    footprint.settle();
    return footprint;
  };
  const Touch all[] = {Touch::read, Touch::write, Touch::atomic};
  for (const Touch first : all) {
    for (const Touch second : all) {
      const bool harmless = first == second && first != Touch::write;
      CHECK_EQUAL(of(first).conflict(of(second)).has_value(), !harmless);
    }
  }
  Footprint rows;
  rows.add(Touch::write, 100, 4, 3, 10); // 100-103, 110-113, 120-123
  rows.settle();
  Footprint gap;
  gap.add(Touch::read, 104, 6);
  gap.settle();
  CHECK(!rows.conflict(gap));
  Footprint last;
  last.add(Touch::read, 123, 1);
  last.settle();
  const auto overlap = rows.conflict(last);
  CHECK(overlap.has_value() && overlap->bytes.begin == 123 && overlap->first == Touch::write &&
        overlap->second == Touch::read);
}
