// Device and managed memory, stream-ordered allocation, memory pools.
#include "driver/allocate.h"
#include "driver/cuda_api.h"
#include "driver/executor.h"
#include "driver/graph_memory.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

/** Rows of pitched memory start at multiples of this many bytes. */
constexpr std::size_t pitchUnit = 512;

/** Why `address` cannot be freed; success when it can. */
CUresult checkFree(Driver& driver, CUdeviceptr address) {
  const std::optional<Allocation> found = driver.memory().find(address);
  MemoryStatus status = MemoryStatus::ok;
  if (!found || found->kind != AllocationKind::user || found->label == hostLabel) {
    status = MemoryStatus::unknown;
  } else if (found->freed || driver.queuedFrees.contains(address)) {
    status = MemoryStatus::freed;
  } else if (found->base != address) {
    status = MemoryStatus::notBase;
  }
  return explain(driver, status, "a free", address, 0);
}

CUresult allocateAsync(Driver& driver, Context& context, CUdeviceptr* address, std::size_t bytes, CUstream handle) {
  if (address == nullptr) return nullArgument(driver, "address");
  const std::shared_ptr<Stream> stream = driver.stream(context, handle);
  if (stream == nullptr) return badHandle(driver, "stream", handle);
  if (stream->capture != nullptr) {
    AllocateWork work;
    if (const CUresult failed = allocationNode(driver, context, bytes, work)) return failed;
    *address = work.address;
    return driver.scheduler.submit(context, stream, std::move(work));
  }
  if (const CUresult failed = allocate(driver, context, bytes, "", address)) return failed;
  return driver.scheduler.submit(context, stream, AllocateWork{*address, bytes, nullptr});
}

} // namespace

CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  return callInContext("cuMemGetInfo", [&](Driver& driver, Context&) -> CUresult {
    if (free == nullptr || total == nullptr) return nullArgument(driver, "free or total");
    *total = driver.memory().capacity();
    std::size_t used = driver.memory().used();
    for (const auto& [address, range] : driver.hostRanges) {
      if (!range.registered) used -= std::min(used, range.bytes); // it only looks like device memory
    }
    *free = *total - std::min(*total, used);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemAlloc_v2(CUdeviceptr* address, std::size_t bytes) {
  return callOutsideCapture("cuMemAlloc", [&](Driver& driver, Context& context) -> CUresult {
    if (address == nullptr) return nullArgument(driver, "address");
    return allocate(driver, context, bytes, "", address);
  });
}

CUresult cuMemAllocPitch_v2(CUdeviceptr* address, std::size_t* pitch, std::size_t width, std::size_t height,
                            unsigned elementBytes) {
  return callOutsideCapture("cuMemAllocPitch", [&](Driver& driver, Context& context) -> CUresult {
    if (address == nullptr || pitch == nullptr) return nullArgument(driver, "address or pitch");
    if (elementBytes != 4 && elementBytes != 8 && elementBytes != 16) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "elements of pitched memory have 4, 8 or 16 bytes");
    }
    if (width == 0 || height == 0 || width > SIZE_MAX / 2 || height > SIZE_MAX / 2 / (width + pitchUnit)) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such width and height");
    }
    *pitch = (width + pitchUnit - 1) / pitchUnit * pitchUnit;
    return allocate(driver, context, *pitch * height, "", address);
  });
}

CUresult cuMemAllocManaged(CUdeviceptr* address, std::size_t bytes, unsigned flags) {
  return callOutsideCapture("cuMemAllocManaged", [&](Driver& driver, Context& context) -> CUresult {
    if (address == nullptr) return nullArgument(driver, "address");
    if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "flags must be CU_MEM_ATTACH_GLOBAL or CU_MEM_ATTACH_HOST");
    }
    if (const CUresult failed = allocate(driver, context, bytes, managedLabel, address)) return failed;
    driver.memory().shareWithHost(*address);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  return callOutsideCapture("cuMemFree", [&](Driver& driver, Context& context) -> CUresult {
    if (address == 0) return CUDA_SUCCESS;
    if (const CUresult bad = checkFree(driver, address)) return bad;
    // a device waits for its work before it gives memory back
    if (const CUresult failed = driver.scheduler.synchronize(context)) return failed;
    return explain(driver, driver.memory().free(address), "a free", address, 0);
  });
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr* base, std::size_t* size, CUdeviceptr address) {
  return callInContext("cuMemGetAddressRange", [&](Driver& driver, Context&) -> CUresult {
    const std::optional<Allocation> found = driver.memory().find(address);
    if (!found || found->freed) {
      char text[64];
      std::snprintf(text, sizeof text, "0x%llx is no device memory", static_cast<unsigned long long>(address));
      return driver.refuse(CUDA_ERROR_NOT_FOUND, text);
    }
    if (base != nullptr) *base = found->base;
    if (size != nullptr) *size = found->size;
    return CUDA_SUCCESS;
  });
}

CUresult cuMemAdvise(CUdeviceptr address, std::size_t bytes, int, CUdevice) {
  return callInContext("cuMemAdvise", [&](Driver& driver, Context&) {
    return explain(driver, driver.memory().check(address, bytes), "a range", address, bytes);
  });
}

CUresult cuMemPrefetchAsync(CUdeviceptr address, std::size_t bytes, CUdevice, CUstream stream) {
  return callInContext("cuMemPrefetchAsync", [&](Driver& driver, Context& context) -> CUresult {
    if (driver.stream(context, stream) == nullptr) return badHandle(driver, "stream", stream);
    return explain(driver, driver.memory().check(address, bytes), "a range", address, bytes);
  });
}

CUresult cuMemAllocAsync(CUdeviceptr* address, std::size_t bytes, CUstream stream) {
  return callInContext("cuMemAllocAsync", [&](Driver& driver, Context& context) {
    return allocateAsync(driver, context, address, bytes, stream);
  });
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr* address, std::size_t bytes, CUmemoryPool pool, CUstream stream) {
  return callInContext("cuMemAllocFromPoolAsync", [&](Driver& driver, Context& context) -> CUresult {
    if (driver.pools.find(pool) == nullptr) return badHandle(driver, "memory pool", pool);
    return allocateAsync(driver, context, address, bytes, stream);
  });
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream handle) {
  return callInContext("cuMemFreeAsync", [&](Driver& driver, Context& context) -> CUresult {
    const std::shared_ptr<Stream> stream = driver.stream(context, handle);
    if (stream == nullptr) return badHandle(driver, "stream", handle);
    if (stream->capture != nullptr) {
      FreeWork work;
      if (const CUresult bad = freeNode(driver, address, work)) return bad;
      return driver.scheduler.submit(context, stream, work);
    }
    if (const CUresult bad = checkFree(driver, address)) return bad;
    driver.queuedFrees.insert(address);
    return driver.scheduler.submit(context, stream, FreeWork{address});
  });
}

CUresult cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* properties) {
  return callInContext("cuMemPoolCreate", [&](Driver& driver, Context& context) -> CUresult {
    if (pool == nullptr || properties == nullptr) return nullArgument(driver, "pool or properties");
    constexpr unsigned pinnedType = 1;     // CU_MEM_ALLOCATION_TYPE_PINNED
    constexpr unsigned deviceLocation = 1; // CU_MEM_LOCATION_TYPE_DEVICE
    if (properties->allocType != pinnedType || properties->locationType != deviceLocation ||
        properties->locationId != 0 || properties->handleTypes != 0) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a pool holds pinned memory of device 0 that is not exported");
    }
    auto created = std::make_shared<Pool>();
    created->owner = context.id;
    *pool = driver.pools.add(created);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  return callInContext("cuMemPoolDestroy", [&](Driver& driver, Context&) -> CUresult {
    return driver.pools.remove(pool) ? CUDA_SUCCESS : badHandle(driver, "memory pool", pool);
  });
}

CUresult cuMemPoolTrimTo(CUmemoryPool pool, std::size_t) {
  return callInContext("cuMemPoolTrimTo", [&](Driver& driver, Context&) -> CUresult {
    return driver.pools.find(pool) != nullptr ? CUDA_SUCCESS : badHandle(driver, "memory pool", pool);
  });
}
