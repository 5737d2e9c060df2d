// Events. Their times are those of the simulation on this machine, or projected ones of a device.
#include "driver/call.h"
#include "driver/capture.h"
#include "driver/cuda_api.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

template <class Body> CUresult withEvent(const char* name, CUevent handle, Body body) {
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    const std::shared_ptr<Event> event = driver.events.find(handle);
    if (event == nullptr) return badHandle(driver, "event", handle);
    return body(driver, context, event);
  });
}

CUresult record(const char* name, CUevent handle, CUstream streamHandle) {
  return withEvent(name, handle, [&](Driver& driver, Context& context, const auto& event) -> CUresult {
    const std::shared_ptr<Stream> stream = driver.stream(context, streamHandle);
    if (stream == nullptr) return badHandle(driver, "stream", streamHandle);
    if (event->owner != context.id) {
      return driver.refuse(CUDA_ERROR_INVALID_HANDLE, "the event and the stream belong to different contexts");
    }
    if (stream->capture != nullptr) return captureRecord(driver, *event, *stream);
    event->capture.reset();
    event->captureTail.clear();
    auto recording = std::make_shared<EventRecord>();
    recording->stream = stream;
    event->last = recording;
    return driver.scheduler.submit(context, stream, EventRecordWork{event, recording});
  });
}

CUresult refuseCaptured(Driver& driver, const Event& event) {
  if (event.capture == nullptr) return CUDA_SUCCESS;
  event.capture->invalid = true;
  return driver.refuse(CUDA_ERROR_CAPTURED_EVENT, "the event was recorded in a captured stream: it never happens");
}

} // namespace

CUresult cuEventCreate(CUevent* handle, unsigned flags) {
  return callInContext("cuEventCreate", [&](Driver& driver, Context& context) -> CUresult {
    if (handle == nullptr) return nullArgument(driver, "event");
    if (flags > 7 || ((flags & CU_EVENT_INTERPROCESS) != 0 && (flags & CU_EVENT_DISABLE_TIMING) == 0)) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such event flags");
    }
    auto event = std::make_shared<Event>();
    event->owner = context.id;
    event->flags = flags;
    *handle = driver.events.add(event);
    return CUDA_SUCCESS;
  });
}

CUresult cuEventDestroy_v2(CUevent handle) {
  return callInContext("cuEventDestroy", [&](Driver& driver, Context&) -> CUresult {
    return driver.events.remove(handle) ? CUDA_SUCCESS : badHandle(driver, "event", handle);
  });
}

CUresult cuEventRecord(CUevent event, CUstream stream) { return record("cuEventRecord", event, stream); }

CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned) {
  return record("cuEventRecordWithFlags", event, stream);
}

CUresult cuEventQuery(CUevent handle) {
  return withEvent("cuEventQuery", handle, [](Driver& driver, Context& context, const auto& event) -> CUresult {
    if (const CUresult captured = refuseCaptured(driver, *event)) return captured;
    if (event->last == nullptr) return CUDA_SUCCESS;
    if (event->last->done) {
      driver.order.hostKnows(event->last->clock);
      return CUDA_SUCCESS;
    }
    // a program that polls sees progress: one piece of work each time
    if (const auto stream = event->last->stream.lock()) driver.scheduler.step(context, stream);
    return context.sticky != CUDA_SUCCESS ? context.sticky : CUDA_ERROR_NOT_READY;
  });
}

CUresult cuEventSynchronize(CUevent handle) {
  return withEvent("cuEventSynchronize", handle, [](Driver& driver, Context& context, const auto& event) -> CUresult {
    if (const CUresult captured = refuseCaptured(driver, *event)) return captured;
    return event->last == nullptr ? CUDA_SUCCESS : driver.scheduler.synchronize(context, *event->last);
  });
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent startHandle, CUevent endHandle) {
  return withEvent("cuEventElapsedTime", startHandle, [&](Driver& driver, Context&, const auto& start) -> CUresult {
    const std::shared_ptr<Event> end = driver.events.find(endHandle);
    if (end == nullptr) return badHandle(driver, "event", endHandle);
    if (milliseconds == nullptr) return nullArgument(driver, "milliseconds");
    if (const CUresult captured = refuseCaptured(driver, *start)) return captured;
    if (const CUresult captured = refuseCaptured(driver, *end)) return captured;
    if (((start->flags | end->flags) & CU_EVENT_DISABLE_TIMING) != 0) {
      return driver.refuse(CUDA_ERROR_INVALID_HANDLE, "an event without timing has no time");
    }
    if (start->last == nullptr || end->last == nullptr) {
      return driver.refuse(CUDA_ERROR_INVALID_HANDLE, "an event was never recorded");
    }
    if (!start->last->done || !end->last->done) return CUDA_ERROR_NOT_READY;
    *milliseconds = static_cast<float>(driver.configuration.projectedTimes
                                           ? end->last->projected - start->last->projected
                                           : end->last->milliseconds - start->last->milliseconds);
    return CUDA_SUCCESS;
  });
}
