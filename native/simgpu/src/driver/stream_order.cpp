#include "driver/stream_order.h"

#include "driver/driver.h"

namespace simgpu::driver {
namespace {

/** Beyond this the oldest operations are forgotten: a hazard may then be missed, never invented. */
constexpr std::size_t memoryLimit = std::size_t{64} << 20;
constexpr std::size_t operationLimit = 4096;

/** A clock of more lanes than this is worth forgetting when there is nothing left to compare with. */
constexpr std::size_t lanesWorthForgetting = 32;

const char* verb(Touch touch) {
  switch (touch) {
  case Touch::read: return "reads";
  case Touch::write: return "writes";
  case Touch::atomic: return "atomically changes";
  }
  return "";
}

std::string text(const OperationName& name) { return name.what + " on " + name.stream; }

} // namespace

Lane StreamOrder::laneOf(Stream& stream, std::size_t chain) {
  while (stream.lanes.size() <= chain) {
    stream.lanes.push_back(steps_.size());
    steps_.push_back(0);
  }
  return stream.lanes[chain];
}

void StreamOrder::take(Context& context, Place& place) {
  place.step = ++steps_[place.lane];
  place.clock.advance(place.lane, place.step);
  context.submitted.advance(place.lane, place.step);
}

Clock StreamOrder::legacyClock(const Context& context) const {
  Clock clock = context.legacy->clock;
  clock.join(context.destroyedStreams);
  for (const auto& stream : driver_.streamsOf(context)) {
    if (stream->blocking()) clock.join(stream->clock);
  }
  return clock;
}

Place StreamOrder::place(Context& context, Stream& stream, const Clock* alsoAfter) {
  Place place;
  place.lane = laneOf(stream, 0);
  place.clock = stream.legacy ? legacyClock(context) : stream.clock;
  place.clock.join(host_);
  if (stream.blocking()) place.clock.join(context.legacy->clock);
  if (alsoAfter != nullptr) place.clock.join(*alsoAfter);
  take(context, place);
  stream.clock = place.clock;
  return place;
}

std::vector<Place> StreamOrder::placeGraph(Context& context, Stream& stream, const GraphWork& graph) {
  const Place start = place(context, stream, nullptr);
  std::vector<Place> places;
  std::vector<std::size_t> chainOf;
  std::vector<std::size_t> tails; // of each chain, its last node so far
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Place node;
    node.clock = start.clock;
    std::size_t chain = tails.size();
    for (const std::size_t before : graph.nodes[i].after) {
      node.clock.join(places[before].clock);
      if (tails[chainOf[before]] == before) chain = std::min(chain, chainOf[before]);
    }
    if (chain == tails.size()) tails.push_back(i);
    tails[chain] = i;
    chainOf.push_back(chain);
    node.lane = laneOf(stream, chain);
    if (const auto* wait = std::get_if<EventWaitWork>(&graph.nodes[i].work->any())) {
      if (wait->record != nullptr) node.clock.join(wait->record->clock);
    }
    take(context, node);
    if (const auto* record = std::get_if<EventRecordWork>(&graph.nodes[i].work->any())) {
      if (record->record != nullptr) record->record->clock = node.clock;
    }
    places.push_back(node);
  }
  for (const Place& node : places) stream.clock.join(node.clock);
  if (places.empty()) places.push_back(start);
  return places;
}

void StreamOrder::waited(bool success) {
  if (success) hostKnows(goal_);
  goal_ = {};
  if (operations_.empty() && host_.lanes() > lanesWorthForgetting) forgetPast();
}

void StreamOrder::hostKnows(const Clock& clock) {
  host_.join(clock);
  prune();
}

bool StreamOrder::allPendingAfter(const Place& place) const {
  const auto ordered = [&](const Stream& stream) {
    return stream.pending.empty() || stream.pending.front().places.front().after(place);
  };
  for (const auto& context : driver_.contexts.all()) {
    if (!ordered(*context->legacy)) return false;
    for (const auto& stream : driver_.streamsOf(*context)) {
      if (!ordered(*stream)) return false;
    }
  }
  return true;
}

bool StreamOrder::mustWatch(const Place& place, bool parallel) const {
  if (!driver_.configuration.engine.checks || steps_.size() <= 2) return false; // one lane orders all
  if (parallel) return true;
  for (const Operation& earlier : operations_) {
    if (!place.after(earlier.place)) return true;
  }
  return !goal_.covers(place.lane, place.step) || !allPendingAfter(place);
}

void StreamOrder::ran(const Place& place, OperationName name, Footprint footprint) {
  footprint.settle();
  Operation later{place, std::move(name), std::move(footprint)};
  for (const Operation& earlier : operations_) {
    if (place.after(earlier.place)) continue;
    if (const auto overlap = earlier.footprint.conflict(later.footprint)) report(earlier, later, *overlap);
  }
  bytesHeld_ += later.footprint.bytesHeld();
  operations_.push_back(std::move(later));
  while ((bytesHeld_ > memoryLimit && operations_.size() > 1) || operations_.size() > operationLimit) {
    bytesHeld_ -= operations_.front().footprint.bytesHeld();
    operations_.pop_front();
  }
}

void StreamOrder::report(const Operation& earlier, const Operation& later, const Footprint::Overlap& overlap) {
  const std::optional<Allocation> allocation = driver_.memory().find(overlap.bytes.begin);
  if (allocation && allocation->owner == noOwner) return; // the device's own
  const std::string where = allocation ? allocation->describe() : "pinned host memory";
  if (!reported_.insert(text(earlier.name) + "|" + text(later.name) + "|" + where).second) return;
  char place[64];
  std::snprintf(place, sizeof place, "%llu bytes at 0x%llx",
                static_cast<unsigned long long>(overlap.bytes.end - overlap.bytes.begin),
                static_cast<unsigned long long>(overlap.bytes.begin));
  const bool hostRead = earlier.name.readByHost || later.name.readByHost;
  const std::string both = text(earlier.name) + " " + verb(overlap.first) + " " + place + " that " + text(later.name) +
                           " " + verb(overlap.second) + " (" + where + ")";
  if (hostRead) {
    driver_.report("read before synchronised", CUDA_SUCCESS,
                   both + "; the host did not wait for that stream before it read");
  } else {
    driver_.report("unordered streams", CUDA_SUCCESS,
                   both + "; nothing orders the two: record an event after the first, let the other stream wait for it");
  }
}

void StreamOrder::prune() {
  std::erase_if(operations_, [&](const Operation& operation) {
    if (!host_.covers(operation.place.lane, operation.place.step) || !allPendingAfter(operation.place)) return false;
    bytesHeld_ -= operation.footprint.bytesHeld();
    return true;
  });
}

/** Programs that create streams without end would make clocks grow; when nothing waits, none of it matters any more. */
void StreamOrder::forgetPast() {
  for (const auto& context : driver_.contexts.all()) {
    if (driver_.scheduler.pending(*context)) return;
  }
  host_ = {};
  for (const auto& context : driver_.contexts.all()) {
    context->submitted = {};
    context->destroyedStreams = {};
    context->legacy->clock = {};
    for (const auto& stream : driver_.streamsOf(*context)) stream->clock = {};
  }
}

void StreamOrder::streamDestroyed(Context& context, const Stream& stream) {
  if (stream.blocking()) context.destroyedStreams.join(stream.clock);
}

void StreamOrder::contextEnded(const Context& context) {
  hostKnows(context.submitted);
  reported_.clear();
}

} // namespace simgpu::driver
