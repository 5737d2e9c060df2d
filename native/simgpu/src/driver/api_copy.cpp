// Copies, in every direction, at once or in a stream.
#include "driver/call.h"
#include "driver/copy.h"
#include "driver/cuda_api.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

std::uint64_t number(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

CUresult flatNow(const char* name, Location to, std::uint64_t toAddress, Location from, std::uint64_t fromAddress,
                 std::size_t bytes) {
  return callOutsideCapture(name, [&](Driver& driver, Context& context) {
    return copyNow(driver, context, flatCopy(driver, to, toAddress, from, fromAddress, bytes));
  });
}

CUresult flatLater(const char* name, Location to, std::uint64_t toAddress, Location from, std::uint64_t fromAddress,
                   std::size_t bytes, CUstream stream) {
  return callInContext(name, [&](Driver& driver, Context& context) {
    return copyLater(driver, context, flatCopy(driver, to, toAddress, from, fromAddress, bytes), stream);
  });
}

CUresult boxNow(const char* name, const CUDA_MEMCPY3D* box) {
  return callOutsideCapture(name, [&](Driver& driver, Context& context) -> CUresult {
    if (box == nullptr) return nullArgument(driver, "copy");
    CopyWork copy;
    if (const CUresult bad = boxCopy(driver, *box, copy)) return bad;
    return copyNow(driver, context, copy);
  });
}

CUresult boxLater(const char* name, const CUDA_MEMCPY3D* box, CUstream stream) {
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    if (box == nullptr) return nullArgument(driver, "copy");
    CopyWork copy;
    if (const CUresult bad = boxCopy(driver, *box, copy)) return bad;
    return copyLater(driver, context, std::move(copy), stream);
  });
}

CUresult rectangleNow(const char* name, const CUDA_MEMCPY2D* copy) {
  if (copy == nullptr) return boxNow(name, nullptr);
  const CUDA_MEMCPY3D box = asBox(*copy);
  return boxNow(name, &box);
}

CUresult checkPeers(Driver& driver, CUcontext to, CUcontext from) {
  if (driver.contexts.find(to) != nullptr && driver.contexts.find(from) != nullptr) return CUDA_SUCCESS;
  return driver.refuse(CUDA_ERROR_INVALID_CONTEXT, "no such context, or destroyed already");
}

} // namespace

CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
  return flatNow("cuMemcpy", Location::automatic, to, Location::automatic, from, bytes);
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, std::size_t bytes) {
  return flatNow("cuMemcpyHtoD", Location::device, to, Location::host, number(from), bytes);
}

CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, std::size_t bytes) {
  return flatNow("cuMemcpyDtoH", Location::host, number(to), Location::device, from, bytes);
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
  return flatNow("cuMemcpyDtoD", Location::device, to, Location::device, from, bytes);
}

CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext toContext, CUdeviceptr from, CUcontext fromContext,
                      std::size_t bytes) {
  return callOutsideCapture("cuMemcpyPeer", [&](Driver& driver, Context& context) -> CUresult {
    if (const CUresult bad = checkPeers(driver, toContext, fromContext)) return bad;
    return copyNow(driver, context, flatCopy(driver, Location::device, to, Location::device, from, bytes));
  });
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D* copy) { return rectangleNow("cuMemcpy2D", copy); }

CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D* copy) { return rectangleNow("cuMemcpy2DUnaligned", copy); }

CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D* copy) { return boxNow("cuMemcpy3D", copy); }

CUresult cuMemcpy3DPeer(const CUDA_MEMCPY3D* copy) { return boxNow("cuMemcpy3DPeer", copy); }

CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  return flatLater("cuMemcpyAsync", Location::automatic, to, Location::automatic, from, bytes, stream);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, std::size_t bytes, CUstream stream) {
  return flatLater("cuMemcpyHtoDAsync", Location::device, to, Location::host, number(from), bytes, stream);
}

CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  return flatLater("cuMemcpyDtoHAsync", Location::host, number(to), Location::device, from, bytes, stream);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  return flatLater("cuMemcpyDtoDAsync", Location::device, to, Location::device, from, bytes, stream);
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext toContext, CUdeviceptr from, CUcontext fromContext,
                           std::size_t bytes, CUstream stream) {
  return callInContext("cuMemcpyPeerAsync", [&](Driver& driver, Context& context) -> CUresult {
    if (const CUresult bad = checkPeers(driver, toContext, fromContext)) return bad;
    return copyLater(driver, context, flatCopy(driver, Location::device, to, Location::device, from, bytes), stream);
  });
}

CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* copy, CUstream stream) {
  if (copy == nullptr) return boxLater("cuMemcpy2DAsync", nullptr, stream);
  const CUDA_MEMCPY3D box = asBox(*copy);
  return boxLater("cuMemcpy2DAsync", &box, stream);
}

CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D* copy, CUstream stream) {
  return boxLater("cuMemcpy3DAsync", copy, stream);
}

CUresult cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D* copy, CUstream stream) {
  return boxLater("cuMemcpy3DPeerAsync", copy, stream);
}
