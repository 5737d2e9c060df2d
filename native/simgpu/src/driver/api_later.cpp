// Later forms of functions, and small functions that JCuda does not reference: what programs built with later headers
// call.
#include "driver/call.h"
#include "driver/cuda_api.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

CUresult createWith(CUcontext* context, int affinityCount, const void* graphics, unsigned flags, CUdevice device) {
  if (affinityCount == 0 && graphics == nullptr) return cuCtxCreate_v2(context, flags, device);
  return call("cuCtxCreate", [](Driver& driver) {
    return driver.refuse(CUDA_ERROR_NOT_SUPPORTED,
                         "contexts with part of a device, or for graphics, are not simulated");
  });
}

bool isDefault(int attribute) {
  return attribute >= CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES && attribute <= CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
}

/** The attributes of a pool are an int, but for the threshold, which has 64 bits. */
template <class Body>
CUresult withPool(const char* name, CUmemoryPool handle, CUmemPool_attribute attribute, const void* value, Body body) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<Pool> pool = driver.pools.find(handle);
    if (pool == nullptr) return badHandle(driver, "memory pool", handle);
    if (value == nullptr) return nullArgument(driver, "value");
    if (!isDefault(attribute)) {
      return driver.refuse(CUDA_ERROR_NOT_SUPPORTED,
                           "pool attribute " + std::to_string(attribute) + ": what a pool holds is not counted");
    }
    body(*pool);
    return CUDA_SUCCESS;
  });
}

} // namespace

CUresult cuCtxCreate_v3(CUcontext* context, void*, int count, unsigned flags, CUdevice device) {
  return createWith(context, count, nullptr, flags, device);
}

CUresult cuCtxCreate_v4(CUcontext* context, CUctxCreateParams* parameters, unsigned flags, CUdevice device) {
  if (parameters == nullptr) return cuCtxCreate_v2(context, flags, device);
  return createWith(context, parameters->affinityCount, parameters->graphics, flags, device);
}

CUresult cuCtxGetDevice_v2(CUdevice* device, CUcontext handle) {
  return call("cuCtxGetDevice", [&](Driver& driver) -> CUresult {
    if (device == nullptr) return nullArgument(driver, "device");
    if (handle == nullptr ? currentContext(driver) == nullptr : driver.contexts.find(handle) == nullptr) {
      return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no such context, or destroyed already");
    }
    *device = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSynchronize_v2(CUcontext handle) {
  if (handle == nullptr) return cuCtxSynchronize();
  return call("cuCtxSynchronize", [&](Driver& driver) -> CUresult {
    const std::shared_ptr<Context> context = driver.contexts.find(handle);
    if (context == nullptr) {
      return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no such context, or destroyed already");
    }
    if (context->sticky != CUDA_SUCCESS) return context->sticky;
    if (const CUresult forbidden = driver.captureForbids(*context)) return forbidden;
    return driver.scheduler.synchronize(*context);
  });
}

CUresult cuCtxResetPersistingL2Cache() {
  return callInContext("cuCtxResetPersistingL2Cache", [](Driver&, Context&) { return CUDA_SUCCESS; });
}

CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
  return cuEventElapsedTime(milliseconds, start, end);
}

CUresult cuMemAdvise_v2(CUdeviceptr address, std::size_t bytes, int advice, CUmemLocation location) {
  return cuMemAdvise(address, bytes, advice, location.id);
}

CUresult cuMemPrefetchAsync_v2(CUdeviceptr address, std::size_t bytes, CUmemLocation location, unsigned,
                               CUstream stream) {
  return cuMemPrefetchAsync(address, bytes, location.id, stream);
}

CUresult cuStreamGetDevice(CUstream handle, CUdevice* device) {
  return callInContext("cuStreamGetDevice", [&](Driver& driver, Context& context) -> CUresult {
    if (device == nullptr) return nullArgument(driver, "device");
    if (driver.stream(context, handle) == nullptr) return badHandle(driver, "stream", handle);
    *device = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* pool, CUdevice device) {
  return call("cuDeviceGetDefaultMemPool", [&](Driver& driver) -> CUresult {
    if (pool == nullptr) return nullArgument(driver, "pool");
    if (device != 0) return driver.refuse(CUDA_ERROR_INVALID_DEVICE, "there is one device, number 0");
    if (driver.pools.find(driver.devicePool) == nullptr) {
      auto created = std::make_shared<Pool>();
      created->owner = noOwner;
      driver.devicePool = driver.pools.add(created);
    }
    *pool = driver.devicePool;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetMemPool(CUmemoryPool* pool, CUdevice device) { return cuDeviceGetDefaultMemPool(pool, device); }

CUresult cuMemPoolSetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
  return withPool("cuMemPoolSetAttribute", handle, attribute, value, [&](Pool& pool) {
    pool.attributes[attribute] = attribute == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
                                     ? *static_cast<std::uint64_t*>(value)
                                     : static_cast<std::uint64_t>(*static_cast<int*>(value) != 0);
  });
}

CUresult cuMemPoolGetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
  return withPool("cuMemPoolGetAttribute", handle, attribute, value, [&](const Pool& pool) {
    const auto set = pool.attributes.find(attribute);
    if (attribute == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD) {
      *static_cast<std::uint64_t*>(value) = set == pool.attributes.end() ? 0 : set->second;
    } else {
      *static_cast<int*>(value) = set == pool.attributes.end() ? 1 : static_cast<int>(set->second);
    }
  });
}
