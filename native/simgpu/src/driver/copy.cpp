#include "driver/copy.h"

#include "driver/call.h"
#include "driver/executor.h"
#include "driver/host_memory.h"

#include <cstring>

namespace simgpu::driver {
namespace {

/** What a pinned destination holds until its copy was waited for: not-a-numbers in every floating-point type. */
constexpr int poison = 0xFF;

std::size_t extent(const CopySide& side, const CopyWork& copy) {
  return (copy.depth - 1) * side.slice + (copy.height - 1) * side.pitch + copy.width;
}

CUresult checkSide(Driver& driver, const CopyWork& copy, const CopySide& side, const char* what) {
  if (!side.device) {
    if (hostMapped(reinterpret_cast<void*>(side.address), extent(side, copy))) return CUDA_SUCCESS;
    char text[96];
    std::snprintf(text, sizeof text, "%zu bytes of host memory at 0x%llx are not mapped", extent(side, copy),
                  static_cast<unsigned long long>(side.address));
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, text);
  }
  return explain(driver, driver.memory().checkForLater(side.address, extent(side, copy)), what, side.address,
                 extent(side, copy));
}

constexpr std::size_t most = std::size_t{1} << 46; // more than any memory has

bool overflows(const CopyWork& copy) {
  return copy.width > most || copy.height > most || copy.depth > most || copy.from.pitch > most ||
         copy.to.pitch > most || static_cast<double>(copy.height) * static_cast<double>(copy.from.pitch) *
                                         static_cast<double>(copy.depth) >
                                     static_cast<double>(most) ||
         static_cast<double>(copy.height) * static_cast<double>(copy.to.pitch) * static_cast<double>(copy.depth) >
             static_cast<double>(most);
}

bool resolve(Driver& driver, Location place, std::uint64_t address) {
  return place == Location::automatic ? driver.onDevice(address) : place == Location::device;
}

/** A part of an array; its own rows and slices count, whatever the caller says of pitch and height. */
CUresult arraySide(Driver& driver, CUarray handle, const CopyWork& copy, std::size_t x, std::size_t y, std::size_t z,
                   CopySide& side) {
  const std::shared_ptr<Array> array = driver.arrays.find(handle);
  if (array == nullptr) return badHandle(driver, "array", handle);
  if (x + copy.width > array->pitch || y + copy.height > array->rows || z + copy.depth > array->slices) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                         "the copy goes beyond an array of " + std::to_string(array->pitch) + " bytes x " +
                             std::to_string(array->rows) + " rows x " + std::to_string(array->slices) + " slices");
  }
  side = {true, 0, array->pitch, array->pitch * array->rows};
  side.address = array->address + z * side.slice + y * side.pitch + x;
  return CUDA_SUCCESS;
}

CUresult boxSide(Driver& driver, CUmemorytype type, const void* host, CUdeviceptr device, std::size_t pitch,
                 std::size_t height, std::size_t x, std::size_t y, std::size_t z, CopySide& side) {
  switch (type) {
  case CU_MEMORYTYPE_HOST: side.device = false; break;
  case CU_MEMORYTYPE_DEVICE: side.device = true; break;
  case CU_MEMORYTYPE_UNIFIED: side.device = driver.onDevice(device); break;
  default: return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such memory type: " + std::to_string(type));
  }
  const std::uint64_t start = type == CU_MEMORYTYPE_HOST ? reinterpret_cast<std::uint64_t>(host) : device;
  side.pitch = pitch;
  side.slice = pitch * height;
  side.address = start + z * side.slice + y * pitch + x;
  return CUDA_SUCCESS;
}

} // namespace

CopyWork flatCopy(Driver& driver, Location to, std::uint64_t toAddress, Location from, std::uint64_t fromAddress,
                  std::size_t bytes) {
  CopyWork copy;
  copy.to = {resolve(driver, to, toAddress), toAddress, bytes, bytes};
  copy.from = {resolve(driver, from, fromAddress), fromAddress, bytes, bytes};
  copy.width = bytes;
  return copy;
}

CUDA_MEMCPY3D asBox(const CUDA_MEMCPY2D& flat) {
  CUDA_MEMCPY3D box{};
  box.srcXInBytes = flat.srcXInBytes;
  box.srcY = flat.srcY;
  box.srcMemoryType = flat.srcMemoryType;
  box.srcHost = flat.srcHost;
  box.srcDevice = flat.srcDevice;
  box.srcArray = flat.srcArray;
  box.srcPitch = flat.srcPitch;
  box.srcHeight = flat.srcY + flat.Height;
  box.dstXInBytes = flat.dstXInBytes;
  box.dstY = flat.dstY;
  box.dstMemoryType = flat.dstMemoryType;
  box.dstHost = flat.dstHost;
  box.dstDevice = flat.dstDevice;
  box.dstArray = flat.dstArray;
  box.dstPitch = flat.dstPitch;
  box.dstHeight = flat.dstY + flat.Height;
  box.WidthInBytes = flat.WidthInBytes;
  box.Height = flat.Height;
  box.Depth = 1;
  return box;
}

CUresult boxCopy(Driver& driver, const CUDA_MEMCPY3D& box, CopyWork& copy) {
  for (const std::size_t offset : {box.srcXInBytes, box.srcY, box.srcZ, box.dstXInBytes, box.dstY, box.dstZ}) {
    if (offset > most) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "an offset larger than any memory");
  }
  if (box.srcLOD != 0 || box.dstLOD != 0) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the level of detail must be 0");
  }
  copy.width = box.WidthInBytes;
  copy.height = box.Height;
  copy.depth = box.Depth;
  const bool fromArray = box.srcMemoryType == CU_MEMORYTYPE_ARRAY;
  const bool toArray = box.dstMemoryType == CU_MEMORYTYPE_ARRAY;
  const std::size_t fromPitch = box.srcPitch != 0 && !fromArray ? box.srcPitch : box.WidthInBytes + box.srcXInBytes;
  const std::size_t toPitch = box.dstPitch != 0 && !toArray ? box.dstPitch : box.WidthInBytes + box.dstXInBytes;
  if (box.WidthInBytes + box.srcXInBytes > fromPitch || box.WidthInBytes + box.dstXInBytes > toPitch) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a row of " + std::to_string(box.WidthInBytes) +
                                                       " bytes does not fit in the pitch");
  }
  const std::size_t fromHeight = box.srcHeight != 0 && !fromArray ? box.srcHeight : box.srcY + box.Height;
  const std::size_t toHeight = box.dstHeight != 0 && !toArray ? box.dstHeight : box.dstY + box.Height;
  if (box.srcY + box.Height > fromHeight || box.dstY + box.Height > toHeight) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the rows do not fit in the height of a slice");
  }
  const CUresult badSource =
      fromArray ? arraySide(driver, box.srcArray, copy, box.srcXInBytes, box.srcY, box.srcZ, copy.from)
                : boxSide(driver, box.srcMemoryType, box.srcHost, box.srcDevice, fromPitch, fromHeight,
                          box.srcXInBytes, box.srcY, box.srcZ, copy.from);
  if (badSource != CUDA_SUCCESS) return badSource;
  if (toArray) return arraySide(driver, box.dstArray, copy, box.dstXInBytes, box.dstY, box.dstZ, copy.to);
  return boxSide(driver, box.dstMemoryType, box.dstHost, box.dstDevice, toPitch, toHeight, box.dstXInBytes, box.dstY,
                 box.dstZ, copy.to);
}

CUresult checkCopy(Driver& driver, const CopyWork& copy) {
  if (copy.width == 0 || copy.height == 0 || copy.depth == 0) return CUDA_SUCCESS;
  if (overflows(copy)) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a copy larger than any memory");
  if (const CUresult bad = checkSide(driver, copy, copy.from, "a copy's source")) return bad;
  return checkSide(driver, copy, copy.to, "a copy's destination");
}

CUresult copyNow(Driver& driver, Context& context, const CopyWork& copy) {
  if (const CUresult bad = checkCopy(driver, copy)) return bad;
  // copies within the device do not make the host wait
  if (copy.from.device && copy.to.device) return driver.scheduler.submit(context, context.legacy, copy);
  if (const CUresult failed = driver.scheduler.synchronizeLegacy(context)) return failed;
  CopyWork now = copy;
  now.readByHost = !copy.to.device;
  return driver.scheduler.runNow(context, now);
}

CUresult copyLater(Driver& driver, Context& context, CopyWork copy, CUstream handle) {
  const std::shared_ptr<Stream> stream = driver.stream(context, handle);
  if (stream == nullptr) return badHandle(driver, "stream", handle);
  if (const CUresult bad = checkCopy(driver, copy)) return bad;
  if (copy.bytes() == 0 && stream->capture == nullptr) return CUDA_SUCCESS;
  const bool toPinned = !copy.to.device && driver.pinned(copy.to.address, extent(copy.to, copy)) != nullptr;
  const bool fromPinned = !copy.from.device && driver.pinned(copy.from.address, extent(copy.from, copy)) != nullptr;
  if (stream->capture != nullptr) return driver.scheduler.submit(context, stream, std::move(copy));

  if (!copy.from.device && !fromPinned) {
    CopyWork staging = copy;
    copy.staged.resize(copy.bytes());
    staging.to = {false, reinterpret_cast<std::uint64_t>(copy.staged.data()), copy.width, copy.width * copy.height};
    if (copy.to.device) {
      if (const CUresult failed = transfer(driver, staging)) return failed;
    } else {
      copy.staged.clear();
    }
  }
  const bool toPageable = !copy.to.device && !toPinned;
  if (toPinned && driver.configuration.deferred && driver.configuration.engine.checks) {
    // the bytes of a buffer that goes to the device and comes back are still needed
    const bool needed = pendingWorkMayRead(driver, context, copy.to.address, extent(copy.to, copy));
    for (std::size_t z = 0; z < copy.depth && !needed; ++z) {
      for (std::size_t y = 0; y < copy.height; ++y) {
        const std::uint64_t row = copy.to.address + z * copy.to.slice + y * copy.to.pitch;
        std::memset(reinterpret_cast<void*>(row), poison, copy.width);
      }
    }
    const bool flat = copy.height == 1 && copy.depth == 1;
    if (flat && driver.configuration.guard) {
      copy.guard = HostGuard::over(driver.memory(), copy.to.address, copy.width);
    }
  }
  copy.readByHost = toPageable;
  if (const CUresult failed = driver.scheduler.submit(context, stream, std::move(copy))) return failed;
  return toPageable ? driver.scheduler.synchronize(context, stream) : CUDA_SUCCESS;
}

} // namespace simgpu::driver
