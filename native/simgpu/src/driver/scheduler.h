// Runs asynchronous work. Work is kept in its stream until something waits for it, and then only as much is run as the
// waiting needs: a program that forgets to wait sees the memory as it was, every time, instead of once in a while.
#pragma once

#include "driver/objects.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace simgpu::driver {

class Driver;

class Scheduler {
public:
  explicit Scheduler(Driver& driver) : driver_(driver) {}

  /** Appends work to a stream, or to the graph the stream is captured into. */
  CUresult submit(Context& context, const std::shared_ptr<Stream>& stream, Work work);

  /** Runs what the legacy default stream has to wait for: itself and all blocking streams. */
  CUresult synchronizeLegacy(Context& context);
  /** Runs everything of the context. */
  CUresult synchronize(Context& context);
  CUresult drain(Context& context, const std::shared_ptr<Stream>& stream);
  CUresult drainUntil(Context& context, EventRecord& record);
  /** Runs one piece of work, for a program that polls; false when there was none. */
  bool step(Context& context, const std::shared_ptr<Stream>& stream);

  /** Runs work at once, out of any order: the caller has synchronised. */
  CUresult execute(Context& context, const Work& work);

  bool pending(const Context& context) const;
  std::uint64_t lastSequence() const { return sequence_; }

  /**
   * The host has read device memory without waiting for all streams. If work submitted before now changes these bytes
   * later, the read was too early and a finding is made.
   */
  void noteHostRead(Context& context, CUdeviceptr from, const void* bytesSeen, std::size_t bytes);
  void forget(const Context& context);

private:
  struct HostRead {
    std::uint64_t owner = 0;
    CUdeviceptr from = 0;
    std::vector<std::byte> seen;  // what is there before the next piece of work
    std::uint64_t sequence = 0; // of the last work submitted before the read
    std::string call;
  };

  void runNext(Context& context, const std::shared_ptr<Stream>& stream);
  void drainBefore(Context& context, const std::shared_ptr<Stream>& stream, std::uint64_t sequence);
  std::vector<std::shared_ptr<Stream>> streamsOf(const Context& context) const;
  void refreshHostReads(Context& context);
  void compareHostReads(Context& context, const Task& task);
  void failContext(Context& context, CUresult result);

  Driver& driver_;
  std::uint64_t sequence_ = 0;
  std::vector<HostRead> hostReads_;
};

} // namespace simgpu::driver
