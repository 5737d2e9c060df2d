// Runs asynchronous work. Work is kept in its stream until something waits for it, and then only as much is run as the
// waiting needs: a program that forgets to wait sees the memory as it was, every time, instead of once in a while.
#pragma once

#include "driver/objects.h"

#include <cstdint>
#include <memory>

namespace simgpu::driver {

class Driver;

class Scheduler {
public:
  explicit Scheduler(Driver& driver) : driver_(driver) {}

  /** Appends work to a stream, or to the graph the stream is captured into. */
  CUresult submit(Context& context, const std::shared_ptr<Stream>& stream, Work work);

  /** The host waits for what the legacy default stream has to wait for: itself and all blocking streams. */
  CUresult synchronizeLegacy(Context& context);
  /** The host waits for everything of the context. */
  CUresult synchronize(Context& context);
  /** The host waits for a stream. */
  CUresult synchronize(Context& context, const std::shared_ptr<Stream>& stream);
  /** The host waits for a recording of an event. */
  CUresult synchronize(Context& context, EventRecord& record);

  /** Runs all work of a stream although nobody waits for it. */
  CUresult drain(Context& context, const std::shared_ptr<Stream>& stream);
  /** Runs one piece of work, for a program that polls; false when there was none. */
  bool step(Context& context, const std::shared_ptr<Stream>& stream);

  bool pending(const Context& context) const;

  /** Runs a copy of the calling host thread, which has synchronised with the legacy default stream. */
  CUresult runNow(Context& context, const CopyWork& copy);

private:
  void runNext(Context& context, const std::shared_ptr<Stream>& stream);
  void drainBefore(Context& context, const std::shared_ptr<Stream>& stream, std::uint64_t sequence);
  CUresult drainUntil(EventRecord& record);
  CUresult execute(Context& context, Stream& stream, const Task& task);
  CUresult execute(Context& context, Stream& stream, const Work& work, const Place& place, bool parallel);
  void failContext(Context& context, CUresult result);

  Driver& driver_;
  std::uint64_t sequence_ = 0;
};

} // namespace simgpu::driver
