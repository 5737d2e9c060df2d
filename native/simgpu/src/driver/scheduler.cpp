#include "driver/scheduler.h"

#include "driver/call.h"
#include "driver/capture.h"
#include "driver/executor.h"
#include "driver/host_progress.h"

#include <algorithm>

namespace simgpu::driver {
namespace {

/** As many operations can wait in a stream; a device's own queue is about as long. */
constexpr std::size_t queueLimit = 1024;

} // namespace

CUresult Scheduler::submit(Context& context, const std::shared_ptr<Stream>& stream, Work work) {
  if (stream->capture != nullptr) return captureWork(driver_, context, *stream, std::move(work));
  Task task{++sequence_, std::make_shared<const Work>(std::move(work)), {}};
  if (const auto* graph = std::get_if<GraphWork>(&task.work->any())) {
    task.places = driver_.order.placeGraph(context, *stream, *graph);
  } else {
    const auto* wait = std::get_if<EventWaitWork>(&task.work->any());
    task.places = {driver_.order.place(context, *stream, wait == nullptr ? nullptr : &wait->record->clock)};
    const auto* recording = std::get_if<EventRecordWork>(&task.work->any());
    if (recording != nullptr) recording->record->clock = stream->clock;
  }
  const bool hostFunction = callsHost(*task.work);
  stream->pending.push_back(std::move(task));
  if (!driver_.configuration.deferred) return drain(context, stream);
  if (hostFunction) expectHostFunction(driver_);
  while (stream->pending.size() > queueLimit) runNext(context, stream);
  return context.sticky;
}

bool Scheduler::step(Context& context, const std::shared_ptr<Stream>& stream) {
  if (stream->pending.empty()) return false;
  runNext(context, stream);
  return true;
}

CUresult Scheduler::drain(Context& context, const std::shared_ptr<Stream>& stream) {
  while (!stream->pending.empty()) runNext(context, stream);
  return context.sticky;
}

CUresult Scheduler::drainUntil(EventRecord& record) {
  const std::shared_ptr<Stream> stream = record.stream.lock();
  const std::shared_ptr<Context> context = stream == nullptr ? nullptr : driver_.contextOf(stream->owner);
  if (context == nullptr) return CUDA_SUCCESS; // it was drained when it was destroyed
  while (!record.done && !stream->pending.empty()) runNext(*context, stream);
  return context->sticky;
}

void Scheduler::drainBefore(Context& context, const std::shared_ptr<Stream>& stream, std::uint64_t sequence) {
  while (!stream->pending.empty() && stream->pending.front().sequence < sequence) runNext(context, stream);
}

CUresult Scheduler::synchronizeLegacy(Context& context) {
  driver_.order.waiting(driver_.order.legacyClock(context));
  for (const auto& stream : driver_.streamsOf(context)) {
    if (stream->blocking()) drain(context, stream);
  }
  const CUresult result = drain(context, context.legacy);
  driver_.order.waited(result == CUDA_SUCCESS);
  return result;
}

CUresult Scheduler::synchronize(Context& context) {
  driver_.order.waiting(context.submitted);
  for (const auto& stream : driver_.streamsOf(context)) drain(context, stream);
  const CUresult result = drain(context, context.legacy);
  driver_.order.waited(result == CUDA_SUCCESS);
  return result;
}

CUresult Scheduler::synchronize(Context& context, const std::shared_ptr<Stream>& stream) {
  driver_.order.waiting(stream->clock);
  const CUresult result = drain(context, stream);
  driver_.order.waited(result == CUDA_SUCCESS);
  return result;
}

CUresult Scheduler::synchronize(Context& context, EventRecord& record) {
  driver_.order.waiting(record.clock);
  const CUresult result = drainUntil(record);
  driver_.order.waited(result == CUDA_SUCCESS);
  return result != CUDA_SUCCESS ? result : context.sticky;
}

bool Scheduler::pending(const Context& context) const {
  if (!context.legacy->pending.empty()) return true;
  const auto streams = driver_.streamsOf(context);
  return std::any_of(streams.begin(), streams.end(), [](const auto& stream) { return !stream->pending.empty(); });
}

void Scheduler::runNext(Context& context, const std::shared_ptr<Stream>& stream) {
  const Task task = std::move(stream->pending.front());
  stream->pending.pop_front();
  // the legacy default stream and the blocking streams wait for each other
  if (stream->legacy) {
    for (const auto& other : driver_.streamsOf(context)) {
      if (!other->blocking()) continue;
      drainBefore(context, other, task.sequence);
      stream->projected = std::max(stream->projected, other->projected);
    }
  } else if (stream->blocking()) {
    drainBefore(context, context.legacy, task.sequence);
    stream->projected = std::max(stream->projected, context.legacy->projected);
  }
  if (context.sticky != CUDA_SUCCESS) return;
  if (const CUresult result = execute(context, *stream, task)) failContext(context, result);
}

CUresult Scheduler::execute(Context& context, Stream& stream, const Task& task) {
  const auto* graph = std::get_if<GraphWork>(&task.work->any());
  if (graph == nullptr) return execute(context, stream, *task.work, task.places.front(), false);
  bool parallel = false;
  for (const Place& place : task.places) parallel = parallel || place.lane != task.places.front().lane;
  for (std::size_t i = 0; i < graph->nodes.size(); ++i) {
    const Work& work = *graph->nodes[i].work;
    if (const CUresult result = execute(context, stream, work, task.places[i], parallel)) return result;
  }
  return CUDA_SUCCESS;
}

CUresult Scheduler::execute(Context& context, Stream& stream, const Work& work, const Place& place,
                            bool parallel) {
  struct Runner {
    Scheduler& scheduler;
    Driver& driver;
    Context& context;
    Stream& stream;
    const Place& place;
    Footprint* footprint;
    double& projected;

    CUresult operator()(const EmptyWork&) { return CUDA_SUCCESS; }
    CUresult operator()(const AllocateWork&) { return CUDA_SUCCESS; }
    CUresult operator()(const KernelWork& kernel) { return run(driver, context, kernel, footprint, projected); }
    CUresult operator()(const CopyWork& copy) { return run(driver, copy); }
    CUresult operator()(const FillWork& fill) { return run(driver, fill); }
    CUresult operator()(const HostWork& host) {
      const CUresult result = run(host);
      // it may have told another thread that everything before it is done
      driver.order.hostKnows(place.clock);
      return result;
    }
    CUresult operator()(const FreeWork& free) { return run(driver, free); }
    CUresult operator()(const LibraryWork& library) { return library.run(); }
    CUresult operator()(const EventRecordWork& recording) {
      recording.record->done = true;
      recording.record->milliseconds = clockMilliseconds();
      recording.record->projected = stream.projected;
      return CUDA_SUCCESS;
    }
    CUresult operator()(const EventWaitWork& wait) {
      if (wait.record == nullptr) return CUDA_SUCCESS;
      const CUresult result = scheduler.drainUntil(*wait.record);
      stream.projected = std::max(stream.projected, wait.record->projected);
      return result;
    }
    CUresult operator()(const GraphWork&) { return CUDA_SUCCESS; } // taken apart before
  };
  double projected = driver_.configuration.projectedTimes ? projectedMilliseconds(driver_, work) : 0;
  const bool watch = touchesMemory(work) && driver_.order.mustWatch(place, parallel);
  Footprint footprint;
  if (watch) footprint = footprintOf(driver_, work);
  const CUresult result =
      std::visit(Runner{*this, driver_, context, stream, place, watch ? &footprint : nullptr, projected}, work.any());
  stream.projected += projected;
  if (watch && result == CUDA_SUCCESS) driver_.order.ran(place, nameOf(work, stream), std::move(footprint));
  return result;
}

CUresult Scheduler::runNow(Context& context, const CopyWork& copy) {
  const Place place = driver_.order.place(context, *context.legacy, nullptr);
  driver_.order.waiting(place.clock);
  const CUresult result = execute(context, *context.legacy, Work(copy), place, false);
  driver_.order.waited(result == CUDA_SUCCESS);
  // a fault of the device; what is wrong with the arguments harms nothing else
  if (result == CUDA_ERROR_ILLEGAL_ADDRESS || result == CUDA_ERROR_LAUNCH_FAILED) failContext(context, result);
  return result;
}

void Scheduler::failContext(Context& context, CUresult result) {
  // what an invalid argument of a queued operation turns into: on a device it is found only when it runs
  context.sticky = result == CUDA_ERROR_INVALID_VALUE ? CUDA_ERROR_ILLEGAL_ADDRESS : result;
  for (const auto& stream : driver_.streamsOf(context)) stream->pending.clear();
  context.legacy->pending.clear();
}

} // namespace simgpu::driver
