// What every function of the interface does before and after its own work.
#pragma once

#include "driver/driver.h"
#include "driver/host_progress.h"
#include "memory/simulation_thread.h"

#include <new>
#include <string>
#include <vector>

namespace simgpu::driver {

/** The function of the interface this thread is in. */
inline thread_local const char* currentCall = "";

/** This thread runs a host function of a stream, which must not call back into the driver. */
inline thread_local bool insideHostFunction = false;

/** How the calling thread treats captures: cuThreadExchangeStreamCaptureMode. */
inline thread_local CUstreamCaptureMode threadCaptureMode = CU_STREAM_CAPTURE_MODE_GLOBAL;

/** The calling thread's stack of contexts, the current one last. */
inline thread_local std::vector<CUcontext> contextStack;

inline std::shared_ptr<Context> currentContext(Driver& driver) {
  return contextStack.empty() ? nullptr : driver.contexts.find(contextStack.back());
}

/** Runs `body` with the driver locked, whether or not it was initialised. */
template <class Body> CUresult callAlways(const char* name, Body body) {
  if (insideHostFunction) return CUDA_ERROR_NOT_PERMITTED;
  const InsideSimulation inside;
  noteCall();
  Driver& driver = Driver::instance();
  const std::scoped_lock lock(driver.mutex);
  const NotedEnd noted;
  currentCall = name;
  try {
    return body(driver);
  } catch (const std::bad_alloc&) {
    return driver.refuse(CUDA_ERROR_OUT_OF_MEMORY, "the simulation itself ran out of host memory");
  } catch (const std::exception& problem) {
    return driver.refuse(CUDA_ERROR_UNKNOWN, std::string("the simulation failed: ") + problem.what());
  }
}

/** Runs `body` when the driver is initialised and the device there; counts the call. */
template <class Body> CUresult call(const char* name, Body body) {
  return callAlways(name, [&](Driver& driver) -> CUresult {
    if (!driver.initialised) return driver.refuse(CUDA_ERROR_NOT_INITIALIZED, "cuInit has not been called");
    if (!driver.configuration.faults.countCall()) {
      return driver.refuse(CUDA_ERROR_UNKNOWN, "the device was lost, as the fault 'lost' demands");
    }
    return body(driver);
  });
}

/** Runs `body` with the current context, if there is one and it is usable. */
template <class Body> CUresult callInContext(const char* name, Body body) {
  return call(name, [&](Driver& driver) -> CUresult {
    const std::shared_ptr<Context> context = currentContext(driver);
    if (context == nullptr) {
      if (contextStack.empty()) {
        return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no context is current to the calling thread");
      }
      return driver.refuse(CUDA_ERROR_CONTEXT_IS_DESTROYED, "the thread's current context was destroyed");
    }
    if (context->sticky != CUDA_SUCCESS) return context->sticky;
    return body(driver, *context);
  });
}

/** The same, for calls that may wait or change the device and are therefore forbidden while streams are captured. */
template <class Body> CUresult callOutsideCapture(const char* name, Body body) {
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    if (const CUresult forbidden = driver.captureForbids(context)) return forbidden;
    return body(driver, context);
  });
}

inline CUresult nullArgument(Driver& driver, const char* argument) {
  return driver.refuse(CUDA_ERROR_INVALID_VALUE, std::string(argument) + " is null");
}

inline CUresult badHandle(Driver& driver, const char* what, const void* handle) {
  char text[96];
  std::snprintf(text, sizeof text, "%p is no live %s", handle, what);
  return driver.refuse(CUDA_ERROR_INVALID_HANDLE, text);
}

} // namespace simgpu::driver
