// Pinned host memory and what is known about pointers.
#include "driver/allocate.h"
#include "driver/cuda_api.h"
#include "driver/executor.h"
#include "driver/host_memory.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

CUresult allocateHost(const char* name, void** pointer, std::size_t bytes, unsigned flags) {
  return callOutsideCapture(name, [&](Driver& driver, Context& context) -> CUresult {
    if (pointer == nullptr) return nullArgument(driver, "pointer");
    if (flags > 7) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such flags: " + std::to_string(flags));
    // memory that both sides can address, as pinned memory is
    CUdeviceptr address = 0;
    // and that can be guarded by the page
    if (const CUresult failed = allocate(driver, context, bytes, hostLabel, &address, DeviceMemory::pageAlignment)) {
      return failed;
    }
    driver.memory().shareWithHost(address);
    driver.hostRanges[address] = {context.id, address, bytes, flags, false};
    *pointer = reinterpret_cast<void*>(address);
    return CUDA_SUCCESS;
  });
}

const HostRange* rangeAt(Driver& driver, void* pointer) {
  return driver.pinned(reinterpret_cast<std::uint64_t>(pointer), 1);
}

CUresult notPinned(Driver& driver, CUresult result, void* pointer) {
  char text[64];
  std::snprintf(text, sizeof text, "%p is no pinned host memory", pointer);
  return driver.refuse(result, text);
}

template <class Value> void store(void* to, Value value) { *static_cast<Value*>(to) = value; }

/** An attribute of a pointer into a live allocation; false when there is no such attribute. */
bool pointerAttribute(Driver& driver, Context& context, CUpointer_attribute attribute, CUdeviceptr address,
                      const Allocation& allocation, void* value) {
  const bool host = allocation.label == hostLabel;
  switch (attribute) {
  case CU_POINTER_ATTRIBUTE_CONTEXT: {
    CUcontext owner = context.handle;
    for (const auto& each : driver.contexts.all()) {
      if (each->id == allocation.owner) owner = each->handle;
    }
    store(value, owner);
    return true;
  }
  case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
    store<unsigned>(value, host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE);
    return true;
  case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: store(value, address); return true;
  case CU_POINTER_ATTRIBUTE_HOST_POINTER:
    if (!host && allocation.label != managedLabel) return false;
    store(value, reinterpret_cast<void*>(address));
    return true;
  case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: store<unsigned>(value, 0); return true;
  case CU_POINTER_ATTRIBUTE_BUFFER_ID: store<unsigned long long>(value, allocation.id); return true;
  case CU_POINTER_ATTRIBUTE_IS_MANAGED: store<unsigned>(value, allocation.label == managedLabel ? 1 : 0); return true;
  case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: store<int>(value, 0); return true;
  case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: store(value, allocation.base); return true;
  case CU_POINTER_ATTRIBUTE_RANGE_SIZE: store<std::size_t>(value, allocation.size); return true;
  case CU_POINTER_ATTRIBUTE_MAPPED: store<unsigned>(value, 1); return true;
  }
  return false;
}

} // namespace

CUresult cuMemAllocHost_v2(void** pointer, std::size_t bytes) {
  return allocateHost("cuMemAllocHost", pointer, bytes, 0);
}

CUresult cuMemHostAlloc(void** pointer, std::size_t bytes, unsigned flags) {
  return allocateHost("cuMemHostAlloc", pointer, bytes, flags);
}

CUresult cuMemFreeHost(void* pointer) {
  return callOutsideCapture("cuMemFreeHost", [&](Driver& driver, Context& context) -> CUresult {
    if (pointer == nullptr) return CUDA_SUCCESS;
    const HostRange* range = rangeAt(driver, pointer);
    const auto address = reinterpret_cast<std::uint64_t>(pointer);
    if (range == nullptr || range->registered || range->address != address) {
      return notPinned(driver, CUDA_ERROR_INVALID_VALUE, pointer);
    }
    if (const CUresult failed = driver.scheduler.synchronize(context)) return failed;
    driver.hostRanges.erase(address);
    return explain(driver, driver.memory().free(address), "a free", address, 0);
  });
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* address, void* pointer, unsigned flags) {
  return callInContext("cuMemHostGetDevicePointer", [&](Driver& driver, Context&) -> CUresult {
    if (address == nullptr) return nullArgument(driver, "address");
    if (flags != 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "flags must be 0");
    const HostRange* range = rangeAt(driver, pointer);
    if (range == nullptr) return notPinned(driver, CUDA_ERROR_INVALID_VALUE, pointer);
    if (range->registered) {
      return driver.refuse(CUDA_ERROR_NOT_SUPPORTED,
                           "kernels cannot reach registered memory in the simulation; use cuMemHostAlloc");
    }
    *address = reinterpret_cast<CUdeviceptr>(pointer);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemHostGetFlags(unsigned* flags, void* pointer) {
  return callInContext("cuMemHostGetFlags", [&](Driver& driver, Context&) -> CUresult {
    if (flags == nullptr) return nullArgument(driver, "flags");
    const HostRange* range = rangeAt(driver, pointer);
    if (range == nullptr) return notPinned(driver, CUDA_ERROR_INVALID_VALUE, pointer);
    *flags = range->flags | (range->registered ? 0 : CU_MEMHOSTALLOC_DEVICEMAP);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemHostRegister_v2(void* pointer, std::size_t bytes, unsigned flags) {
  return callOutsideCapture("cuMemHostRegister", [&](Driver& driver, Context& context) -> CUresult {
    if (pointer == nullptr || bytes == 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "nothing to register");
    if (!hostMapped(pointer, bytes)) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the range is not mapped");
    const auto address = reinterpret_cast<std::uint64_t>(pointer);
    for (const auto& [start, range] : driver.hostRanges) {
      if (start < address + bytes && address < start + range.bytes) {
        return driver.refuse(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
                             "the range overlaps one that is pinned already");
      }
    }
    driver.hostRanges[address] = {context.id, address, bytes, flags, true};
    return CUDA_SUCCESS;
  });
}

CUresult cuMemHostUnregister(void* pointer) {
  return callOutsideCapture("cuMemHostUnregister", [&](Driver& driver, Context& context) -> CUresult {
    const HostRange* range = rangeAt(driver, pointer);
    const auto address = reinterpret_cast<std::uint64_t>(pointer);
    if (range == nullptr || !range->registered || range->address != address) {
      return notPinned(driver, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, pointer);
    }
    if (const CUresult failed = driver.scheduler.synchronize(context)) return failed;
    driver.hostRanges.erase(address);
    return CUDA_SUCCESS;
  });
}

CUresult cuPointerGetAttribute(void* value, CUpointer_attribute attribute, CUdeviceptr address) {
  return callInContext("cuPointerGetAttribute", [&](Driver& driver, Context& context) -> CUresult {
    if (value == nullptr) return nullArgument(driver, "value");
    const std::optional<Allocation> found = driver.memory().find(address);
    if (!found || found->freed) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the pointer was not given out by the driver, or was freed");
    }
    if (pointerAttribute(driver, context, attribute, address, *found, value)) return CUDA_SUCCESS;
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the pointer has no attribute " + std::to_string(attribute));
  });
}

CUresult cuPointerGetAttributes(unsigned count, CUpointer_attribute* attributes, void** values, CUdeviceptr address) {
  return callInContext("cuPointerGetAttributes", [&](Driver& driver, Context& context) -> CUresult {
    if (attributes == nullptr || values == nullptr) return nullArgument(driver, "attributes or values");
    const std::optional<Allocation> found = driver.memory().find(address);
    for (unsigned i = 0; i < count && found && !found->freed; ++i) {
      pointerAttribute(driver, context, attributes[i], address, *found, values[i]);
    }
    return CUDA_SUCCESS;
  });
}
