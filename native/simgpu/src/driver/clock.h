// What is known to be done before what: vector clocks over lanes of work.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace simgpu::driver {

/** A sequence of work that runs in order: a stream, or one of the parallel chains of a graph in a stream. */
using Lane = std::uint64_t;

/** For every lane, how many of its steps are done before the moment the clock stands for. */
class Clock {
public:
  bool covers(Lane lane, std::uint64_t step) const {
    const auto found = std::lower_bound(steps_.begin(), steps_.end(), Entry{lane, 0});
    return found != steps_.end() && found->first == lane && found->second >= step;
  }

  void advance(Lane lane, std::uint64_t step) {
    const auto found = std::lower_bound(steps_.begin(), steps_.end(), Entry{lane, 0});
    if (found == steps_.end() || found->first != lane) {
      steps_.insert(found, {lane, step});
    } else {
      found->second = std::max(found->second, step);
    }
  }

  void join(const Clock& other) {
    if (steps_.empty()) {
      steps_ = other.steps_;
      return;
    }
    for (const auto& [lane, step] : other.steps_) advance(lane, step);
  }

  std::size_t lanes() const { return steps_.size(); }

private:
  using Entry = std::pair<Lane, std::uint64_t>;

  std::vector<Entry> steps_; // by lane
};

/** The place of one operation in the order of a program's work. */
struct Place {
  Lane lane = 0;
  std::uint64_t step = 0;
  Clock clock; // everything before it, and itself

  bool after(const Place& other) const { return clock.covers(other.lane, other.step); }
};

} // namespace simgpu::driver
