// Fills of device memory with elements of one, two or four bytes.
#include "driver/cuda_api.h"
#include "driver/fill.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

/** Fills are asynchronous to the host; the forms without a stream use the legacy default stream. */
CUresult fill(const char* name, const FillWork& work, CUstream handle) {
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    const std::shared_ptr<Stream> stream = driver.stream(context, handle);
    if (stream == nullptr) return badHandle(driver, "stream", handle);
    if (stream->legacy) {
      if (const CUresult forbidden = driver.captureForbids(context)) return forbidden;
    }
    if (const CUresult bad = checkFill(driver, work)) return bad;
    return driver.scheduler.submit(context, stream, work);
  });
}

FillWork flat(CUdeviceptr to, std::uint32_t value, std::uint32_t elementBytes, std::size_t count) {
  return {to, count * elementBytes, value, elementBytes, count, 1};
}

} // namespace

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, std::size_t count) {
  return fill("cuMemsetD8", flat(to, value, 1, count), nullptr);
}

CUresult cuMemsetD16_v2(CUdeviceptr to, unsigned short value, std::size_t count) {
  return fill("cuMemsetD16", flat(to, value, 2, count), nullptr);
}

CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, std::size_t count) {
  return fill("cuMemsetD32", flat(to, value, 4, count), nullptr);
}

CUresult cuMemsetD2D8_v2(CUdeviceptr to, std::size_t pitch, unsigned char value, std::size_t width,
                         std::size_t height) {
  return fill("cuMemsetD2D8", {to, pitch, value, 1, width, height}, nullptr);
}

CUresult cuMemsetD2D16_v2(CUdeviceptr to, std::size_t pitch, unsigned short value, std::size_t width,
                          std::size_t height) {
  return fill("cuMemsetD2D16", {to, pitch, value, 2, width, height}, nullptr);
}

CUresult cuMemsetD2D32_v2(CUdeviceptr to, std::size_t pitch, unsigned value, std::size_t width, std::size_t height) {
  return fill("cuMemsetD2D32", {to, pitch, value, 4, width, height}, nullptr);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t count, CUstream stream) {
  return fill("cuMemsetD8Async", flat(to, value, 1, count), stream);
}

CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, std::size_t count, CUstream stream) {
  return fill("cuMemsetD16Async", flat(to, value, 2, count), stream);
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, std::size_t count, CUstream stream) {
  return fill("cuMemsetD32Async", flat(to, value, 4, count), stream);
}

CUresult cuMemsetD2D8Async(CUdeviceptr to, std::size_t pitch, unsigned char value, std::size_t width,
                           std::size_t height, CUstream stream) {
  return fill("cuMemsetD2D8Async", {to, pitch, value, 1, width, height}, stream);
}

CUresult cuMemsetD2D16Async(CUdeviceptr to, std::size_t pitch, unsigned short value, std::size_t width,
                            std::size_t height, CUstream stream) {
  return fill("cuMemsetD2D16Async", {to, pitch, value, 2, width, height}, stream);
}

CUresult cuMemsetD2D32Async(CUdeviceptr to, std::size_t pitch, unsigned value, std::size_t width, std::size_t height,
                            CUstream stream) {
  return fill("cuMemsetD2D32Async", {to, pitch, value, 4, width, height}, stream);
}
