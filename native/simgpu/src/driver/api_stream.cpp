// Streams and their capture into graphs.
#include "driver/call.h"
#include "driver/capture.h"
#include "driver/cuda_api.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

using StreamPointer = std::shared_ptr<Stream>;

template <class Body> CUresult withStream(const char* name, CUstream handle, Body body) {
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    if (const std::shared_ptr<Stream> stream = driver.stream(context, handle)) return body(driver, context, stream);
    // a stream may be waited for and asked about whatever context is current
    const std::shared_ptr<Stream> stream = driver.streams.find(handle);
    const std::shared_ptr<Context> owner = stream == nullptr ? nullptr : driver.contextOf(stream->owner);
    if (owner == nullptr) return badHandle(driver, "stream", handle);
    return owner->sticky != CUDA_SUCCESS ? owner->sticky : body(driver, *owner, stream);
  });
}

/** Waiting for a captured stream, or for the default stream during a capture, spoils the capture. */
CUresult mayWait(Driver& driver, const Context& context, Stream& stream) {
  if (stream.capture != nullptr) {
    stream.capture->invalid = true;
    return driver.refuse(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "a stream that is being captured cannot be waited for");
  }
  return stream.legacy ? driver.captureForbids(context) : CUDA_SUCCESS;
}

CUresult create(const char* name, CUstream* handle, unsigned flags, int priority) {
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    if (handle == nullptr) return nullArgument(driver, "stream");
    if (flags > CU_STREAM_NON_BLOCKING) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such stream flags");
    auto stream = std::make_shared<Stream>();
    stream->owner = context.id;
    stream->flags = flags;
    stream->priority = std::clamp(priority, greatestPriority, leastPriority);
    *handle = driver.streams.add(stream);
    return CUDA_SUCCESS;
  });
}

} // namespace

CUresult cuStreamCreate(CUstream* stream, unsigned flags) { return create("cuStreamCreate", stream, flags, 0); }

CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int priority) {
  return create("cuStreamCreateWithPriority", stream, flags, priority);
}

CUresult cuStreamDestroy_v2(CUstream handle) {
  return callInContext("cuStreamDestroy", [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<Stream> stream = driver.streams.find(handle);
    const std::shared_ptr<Context> owner = stream == nullptr ? nullptr : driver.contextOf(stream->owner);
    if (owner == nullptr) return badHandle(driver, "stream", handle);
    if (stream->capture != nullptr) stream->capture->invalid = true;
    // a device finishes the work of a destroyed stream some time later
    const CUresult result = driver.scheduler.drain(*owner, stream);
    driver.order.streamDestroyed(*owner, *stream);
    driver.streams.remove(handle);
    return result;
  });
}

CUresult cuStreamGetPriority(CUstream handle, int* priority) {
  return withStream("cuStreamGetPriority", handle, [&](Driver& driver, Context&, const auto& stream) -> CUresult {
    if (priority == nullptr) return nullArgument(driver, "priority");
    *priority = stream->priority;
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetFlags(CUstream handle, unsigned* flags) {
  return withStream("cuStreamGetFlags", handle, [&](Driver& driver, Context&, const auto& stream) -> CUresult {
    if (flags == nullptr) return nullArgument(driver, "flags");
    *flags = stream->flags;
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetId(CUstream handle, unsigned long long* id) {
  return withStream("cuStreamGetId", handle,
                    [&](Driver& driver, Context& context, const StreamPointer& stream) -> CUresult {
    if (id == nullptr) return nullArgument(driver, "id");
    *id = stream->legacy ? context.id : reinterpret_cast<unsigned long long>(stream->handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext* result) {
  return withStream("cuStreamGetCtx", handle, [&](Driver& driver, Context&, const auto& stream) -> CUresult {
    if (result == nullptr) return nullArgument(driver, "context");
    for (const auto& context : driver.contexts.all()) {
      if (context->id == stream->owner) *result = context->handle;
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamSynchronize(CUstream handle) {
  return withStream("cuStreamSynchronize", handle,
                    [](Driver& driver, Context& context, const StreamPointer& stream) -> CUresult {
    if (const CUresult forbidden = mayWait(driver, context, *stream)) return forbidden;
    return stream->legacy ? driver.scheduler.synchronizeLegacy(context)
                          : driver.scheduler.synchronize(context, stream);
  });
}

CUresult cuStreamQuery(CUstream handle) {
  return withStream("cuStreamQuery", handle,
                    [](Driver& driver, Context& context, const StreamPointer& stream) -> CUresult {
    if (const CUresult forbidden = mayWait(driver, context, *stream)) return forbidden;
    // a program that polls sees progress: one piece of work each time
    const bool worked = driver.scheduler.step(context, stream);
    if (context.sticky != CUDA_SUCCESS) return context.sticky;
    if (worked) return CUDA_ERROR_NOT_READY;
    driver.order.hostKnows(stream->clock);
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent eventHandle, unsigned flags) {
  return withStream("cuStreamWaitEvent", handle,
                    [&](Driver& driver, Context& context, const StreamPointer& stream) -> CUresult {
    const std::shared_ptr<Event> event = driver.events.find(eventHandle);
    if (event == nullptr) return badHandle(driver, "event", eventHandle);
    if (flags > 1) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such flags");
    if (stream->capture != nullptr || event->capture != nullptr) return captureWait(driver, *event, *stream);
    if (event->last == nullptr) return CUDA_SUCCESS;
    return driver.scheduler.submit(context, stream, EventWaitWork{event, event->last});
  });
}

CUresult cuStreamAddCallback(CUstream handle, CUstreamCallback callback, void* userData, unsigned flags) {
  return withStream("cuStreamAddCallback", handle,
                    [&](Driver& driver, Context& context, const StreamPointer& stream) -> CUresult {
    if (callback == nullptr) return nullArgument(driver, "callback");
    if (flags != 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "flags must be 0");
    if (stream->capture != nullptr) {
      stream->capture->invalid = true;
      return driver.refuse(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "callbacks cannot be captured; host functions can");
    }
    return driver.scheduler.submit(context, stream, HostWork{nullptr, callback, handle, userData});
  });
}

CUresult cuStreamAttachMemAsync(CUstream handle, CUdeviceptr, std::size_t, unsigned) {
  return withStream("cuStreamAttachMemAsync", handle, [](Driver&, Context&, const auto&) { return CUDA_SUCCESS; });
}

CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
  return withStream("cuStreamBeginCapture", handle,
                    [&](Driver& driver, Context& context, const StreamPointer& stream) -> CUresult {
    if (mode < CU_STREAM_CAPTURE_MODE_GLOBAL || mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such capture mode");
    }
    return beginCapture(driver, context, stream, mode);
  });
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph* graph) {
  return withStream("cuStreamEndCapture", handle,
                    [&](Driver& driver, Context& context, const StreamPointer& stream) -> CUresult {
    if (graph == nullptr) return nullArgument(driver, "graph");
    return endCapture(driver, context, *stream, graph);
  });
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus* status) {
  return withStream("cuStreamIsCapturing", handle,
                    [&](Driver& driver, Context& context, const StreamPointer& stream) -> CUresult {
    if (status == nullptr) return nullArgument(driver, "status");
    if (stream->legacy) {
      if (driver.captureForbids(context)) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    *status = stream->capture == nullptr   ? CU_STREAM_CAPTURE_STATUS_NONE
              : stream->capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                           : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
  });
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
  if (mode == nullptr || *mode < CU_STREAM_CAPTURE_MODE_GLOBAL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  std::swap(*mode, threadCaptureMode);
  return CUDA_SUCCESS;
}
