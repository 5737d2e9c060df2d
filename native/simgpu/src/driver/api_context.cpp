// Contexts: the primary one of the device, and those a program creates.
#include "driver/call.h"
#include "driver/cuda_api.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

constexpr unsigned contextFlags = CU_CTX_SCHED_MASK | CU_CTX_MAP_HOST | CU_CTX_LMEM_RESIZE_TO_MAX;

CUresult checkDevice(Driver& driver, CUdevice device) {
  if (device == 0) return CUDA_SUCCESS;
  return driver.refuse(CUDA_ERROR_INVALID_DEVICE, "there is one device, number 0, not " + std::to_string(device));
}

CUresult checkFlags(Driver& driver, unsigned flags) {
  const unsigned schedule = flags & CU_CTX_SCHED_MASK;
  // at most one way to wait: automatic, spin, yield, block
  if ((flags & ~contextFlags) == 0 && (schedule & (schedule - 1)) == 0) return CUDA_SUCCESS;
  return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such combination of context flags: " + std::to_string(flags));
}

void forgetInStack(CUcontext handle) {
  if (!contextStack.empty() && contextStack.back() == handle) contextStack.pop_back();
}

CUresult accept(Driver& driver, int* wanted, int value, int last, const char* what) {
  if (value < 0 || value > last) return driver.refuse(CUDA_ERROR_INVALID_VALUE, std::string("no such ") + what);
  *wanted = value;
  return CUDA_SUCCESS;
}

} // namespace

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  return call("cuDevicePrimaryCtxRetain", [&](Driver& driver) -> CUresult {
    if (context == nullptr) return nullArgument(driver, "context");
    if (const CUresult bad = checkDevice(driver, device)) return bad;
    if (driver.primary == nullptr) driver.primary = driver.createContext(driver.primaryFlags, true);
    ++driver.primaryUsers;
    *context = driver.primary->handle;
    return CUDA_SUCCESS;
  });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  return call("cuDevicePrimaryCtxRelease", [&](Driver& driver) -> CUresult {
    if (const CUresult bad = checkDevice(driver, device)) return bad;
    if (driver.primaryUsers == 0) {
      return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "the primary context is not retained");
    }
    if (--driver.primaryUsers == 0) {
      driver.endContext(*driver.primary);
      driver.primary.reset();
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
  return call("cuDevicePrimaryCtxReset", [&](Driver& driver) -> CUresult {
    if (const CUresult bad = checkDevice(driver, device)) return bad;
    if (driver.primary == nullptr) return CUDA_SUCCESS;
    // the handle stays good for those who retained it: the same context, empty
    const CUcontext handle = driver.primary->handle;
    const std::shared_ptr<Context> old = driver.primary;
    driver.endContext(*old);
    driver.primary = driver.createContext(driver.primaryFlags, true);
    driver.contexts.rename(driver.primary->handle, handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
  return call("cuDevicePrimaryCtxSetFlags", [&](Driver& driver) -> CUresult {
    if (const CUresult bad = checkDevice(driver, device)) return bad;
    if (const CUresult bad = checkFlags(driver, flags)) return bad;
    driver.primaryFlags = flags;
    if (driver.primary != nullptr) driver.primary->flags = flags;
    return CUDA_SUCCESS;
  });
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
  return call("cuDevicePrimaryCtxGetState", [&](Driver& driver) -> CUresult {
    if (flags == nullptr || active == nullptr) return nullArgument(driver, "flags or active");
    if (const CUresult bad = checkDevice(driver, device)) return bad;
    *flags = driver.primaryFlags;
    *active = driver.primary != nullptr ? 1 : 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxCreate_v2(CUcontext* context, unsigned flags, CUdevice device) {
  return call("cuCtxCreate", [&](Driver& driver) -> CUresult {
    if (context == nullptr) return nullArgument(driver, "context");
    if (const CUresult bad = checkDevice(driver, device)) return bad;
    if (const CUresult bad = checkFlags(driver, flags)) return bad;
    *context = driver.createContext(flags, false)->handle;
    contextStack.push_back(*context);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxDestroy_v2(CUcontext context) {
  return call("cuCtxDestroy", [&](Driver& driver) -> CUresult {
    const std::shared_ptr<Context> found = driver.contexts.find(context);
    if (found == nullptr) return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no such context, or destroyed already");
    if (found->primary) {
      return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "the primary context is released, not destroyed");
    }
    driver.endContext(*found);
    forgetInStack(context);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxAttach(CUcontext* context, unsigned flags) {
  return callInContext("cuCtxAttach", [&](Driver& driver, Context& current) -> CUresult {
    if (context == nullptr) return nullArgument(driver, "context");
    if (flags != 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "flags must be 0");
    *context = current.handle;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxDetach(CUcontext context) { return cuCtxDestroy_v2(context); }

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  return call("cuCtxPushCurrent", [&](Driver& driver) -> CUresult {
    if (driver.contexts.find(context) == nullptr) {
      return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no such context, or destroyed already");
    }
    contextStack.push_back(context);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxPopCurrent_v2(CUcontext* context) {
  return call("cuCtxPopCurrent", [&](Driver& driver) -> CUresult {
    if (contextStack.empty()) {
      return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no context is current to the calling thread");
    }
    if (context != nullptr) *context = contextStack.back();
    contextStack.pop_back();
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSetCurrent(CUcontext context) {
  return call("cuCtxSetCurrent", [&](Driver& driver) -> CUresult {
    if (context != nullptr && driver.contexts.find(context) == nullptr) {
      return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no such context, or destroyed already");
    }
    if (!contextStack.empty()) contextStack.pop_back();
    if (context != nullptr) contextStack.push_back(context);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetCurrent(CUcontext* context) {
  return call("cuCtxGetCurrent", [&](Driver& driver) -> CUresult {
    if (context == nullptr) return nullArgument(driver, "context");
    const std::shared_ptr<Context> current = currentContext(driver);
    *context = current == nullptr ? nullptr : current->handle;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetDevice(CUdevice* device) {
  return callInContext("cuCtxGetDevice", [&](Driver& driver, Context&) -> CUresult {
    if (device == nullptr) return nullArgument(driver, "device");
    *device = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetFlags(unsigned* flags) {
  return callInContext("cuCtxGetFlags", [&](Driver& driver, Context& context) -> CUresult {
    if (flags == nullptr) return nullArgument(driver, "flags");
    *flags = context.flags;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetId(CUcontext context, unsigned long long* id) {
  return call("cuCtxGetId", [&](Driver& driver) -> CUresult {
    if (id == nullptr) return nullArgument(driver, "id");
    const std::shared_ptr<Context> found = context == nullptr ? currentContext(driver) : driver.contexts.find(context);
    if (found == nullptr) return driver.refuse(CUDA_ERROR_CONTEXT_IS_DESTROYED, "no such context");
    *id = found->id;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetApiVersion(CUcontext, unsigned* version) {
  return call("cuCtxGetApiVersion", [&](Driver& driver) -> CUresult {
    if (version == nullptr) return nullArgument(driver, "version");
    *version = 3020; // the interface the _v2 functions belong to
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSynchronize() {
  return callOutsideCapture("cuCtxSynchronize", [](Driver& driver, Context& context) {
    return driver.scheduler.synchronize(context);
  });
}

CUresult cuCtxSetLimit(CUlimit limit, std::size_t value) {
  return callInContext("cuCtxSetLimit", [&](Driver& driver, Context& context) -> CUresult {
    Limits limits = driver.engine().limits();
    switch (limit) {
    case CU_LIMIT_STACK_SIZE:
      if (value > 512 * 1024) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a stack has at most 512 KB");
      limits.stackBytes = value;
      break;
    case CU_LIMIT_MALLOC_HEAP_SIZE: limits.heapBytes = value; break;
    case CU_LIMIT_PRINTF_FIFO_SIZE:
    case CU_LIMIT_MAX_L2_FETCH_GRANULARITY:
    case CU_LIMIT_PERSISTING_L2_CACHE_SIZE: context.otherLimits[limit] = value; return CUDA_SUCCESS;
    default: return driver.refuse(CUDA_ERROR_UNSUPPORTED_LIMIT, "limit " + std::to_string(limit));
    }
    driver.engine().setLimits(limits);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetLimit(std::size_t* value, CUlimit limit) {
  return callInContext("cuCtxGetLimit", [&](Driver& driver, Context& context) -> CUresult {
    if (value == nullptr) return nullArgument(driver, "value");
    const auto other = context.otherLimits.find(limit);
    const std::size_t set = other == context.otherLimits.end() ? 0 : other->second;
    switch (limit) {
    case CU_LIMIT_STACK_SIZE: *value = driver.engine().limits().stackBytes; return CUDA_SUCCESS;
    case CU_LIMIT_MALLOC_HEAP_SIZE: *value = driver.engine().limits().heapBytes; return CUDA_SUCCESS;
    case CU_LIMIT_PRINTF_FIFO_SIZE: *value = set != 0 ? set : std::size_t{1} << 20; return CUDA_SUCCESS;
    case CU_LIMIT_MAX_L2_FETCH_GRANULARITY: *value = set != 0 ? set : 64; return CUDA_SUCCESS;
    case CU_LIMIT_PERSISTING_L2_CACHE_SIZE: *value = set; return CUDA_SUCCESS;
    default: return driver.refuse(CUDA_ERROR_UNSUPPORTED_LIMIT, "limit " + std::to_string(limit));
    }
  });
}

CUresult cuCtxGetCacheConfig(int* config) {
  return callInContext("cuCtxGetCacheConfig", [&](Driver& driver, Context& context) -> CUresult {
    if (config == nullptr) return nullArgument(driver, "config");
    *config = context.cacheConfig;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSetCacheConfig(int config) {
  return callInContext("cuCtxSetCacheConfig", [&](Driver& driver, Context& context) {
    return accept(driver, &context.cacheConfig, config, 3, "cache configuration");
  });
}

CUresult cuCtxGetSharedMemConfig(int* config) {
  return callInContext("cuCtxGetSharedMemConfig", [&](Driver& driver, Context&) -> CUresult {
    if (config == nullptr) return nullArgument(driver, "config");
    *config = 1; // banks of four bytes: fixed on this architecture
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSetSharedMemConfig(int config) {
  return callInContext("cuCtxSetSharedMemConfig", [&](Driver& driver, Context& context) {
    return accept(driver, &context.sharedConfig, config, 2, "shared memory configuration");
  });
}

CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  return callInContext("cuCtxGetStreamPriorityRange", [&](Driver&, Context&) {
    if (least != nullptr) *least = leastPriority;
    if (greatest != nullptr) *greatest = greatestPriority;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned) {
  return callInContext("cuCtxEnablePeerAccess", [&](Driver& driver, Context& context) -> CUresult {
    if (driver.contexts.find(peer) == nullptr || peer == context.handle) {
      return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no other context of this handle");
    }
    return driver.refuse(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "there is one device only");
  });
}

CUresult cuCtxDisablePeerAccess(CUcontext) {
  return callInContext("cuCtxDisablePeerAccess", [&](Driver& driver, Context&) -> CUresult {
    return driver.refuse(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "no peer access is enabled");
  });
}
