// Finds operations that touch the same memory although nothing orders them.
//
// Every operation gets a place when it is submitted: a vector clock made from its stream, the events and default
// streams it waits for, and what the host has waited for. When it runs, the bytes it touches are compared with those of
// earlier operations that are neither before nor after it. Nothing is recorded while all work is ordered.
#pragma once

#include "driver/clock.h"
#include "driver/objects.h"
#include "memory/footprint.h"

#include <deque>
#include <set>
#include <string>
#include <vector>

namespace simgpu::driver {

class Driver;

/** How findings name an operation. */
struct OperationName {
  std::string what;            // "kernel scale", "copy of 16 bytes"
  std::string stream;          // "stream 0x5100...", "the default stream"
  bool readByHost = false;     // its destination belongs to the host, which goes on with it
};

class StreamOrder {
public:
  explicit StreamOrder(Driver& driver) : driver_(driver) {}

  /** The place of the next operation of a stream, which `alsoAfter` (may be null) comes before. */
  Place place(Context& context, Stream& stream, const Clock* alsoAfter);
  /** The places of a graph's nodes in their order. */
  std::vector<Place> placeGraph(Context& context, Stream& stream, const GraphWork& graph);

  /** What the legacy default stream's next operation comes after. */
  Clock legacyClock(const Context& context) const;

  /** The host begins to wait for everything `goal` covers; work run until `waited` need not be remembered for later. */
  void waiting(const Clock& goal) { goal_ = goal; }
  /** The wait is over; on success all that is submitted from now on comes after what was waited for. */
  void waited(bool success);
  /** The host knows, by a query or a host function, that what `clock` covers is done. */
  void hostKnows(const Clock& clock);

  /**
   * Whether the bytes this operation touches must be known, because something unordered ran, waits or may come;
   * `parallel` when other operations of the same task are unordered with it.
   */
  bool mustWatch(const Place& place, bool parallel) const;
  /** Compares an operation that ran with all unordered ones, and keeps it for later comparisons. */
  void ran(const Place& place, OperationName name, Footprint footprint);

  void streamDestroyed(Context& context, const Stream& stream);
  /** Forgets what the context did, whether or not it came to its end. */
  void contextEnded(const Context& context);
  /** Findings that were made already are made again. */
  void forgetReports() { reported_.clear(); }

private:
  struct Operation {
    Place place;
    OperationName name;
    Footprint footprint;
  };

  Lane laneOf(Stream& stream, std::size_t chain);
  void take(Context& context, Place& place);
  bool allPendingAfter(const Place& place) const;
  void report(const Operation& earlier, const Operation& later, const Footprint::Overlap& overlap);
  void prune();
  void forgetPast();

  Driver& driver_;
  std::vector<std::uint64_t> steps_{0}; // taken in each lane; lane 0 is none
  Clock host_;
  Clock goal_;
  std::deque<Operation> operations_;
  std::size_t bytesHeld_ = 0;
  std::set<std::string> reported_;
};

} // namespace simgpu::driver
