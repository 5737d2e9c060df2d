#include "driver/node_arguments.h"

namespace simgpu::driver {
namespace {

template <class Kind> CUresult done(Kind kind, WorkPointer& work) {
  work = std::make_shared<const Work>(std::move(kind));
  return CUDA_SUCCESS;
}

} // namespace

CUresult kernelNode(Driver& driver, const CUDA_KERNEL_NODE_PARAMS* arguments, WorkPointer& work) {
  if (arguments == nullptr) return nullArgument(driver, "parameters");
  const LaunchArguments launch{arguments->func,
                               {arguments->gridDimX, arguments->gridDimY, arguments->gridDimZ},
                               {arguments->blockDimX, arguments->blockDimY, arguments->blockDimZ},
                               arguments->sharedMemBytes,
                               false,
                               arguments->kernelParams,
                               arguments->extra};
  KernelWork kernel;
  if (const CUresult bad = prepareLaunch(driver, launch, kernel)) return bad;
  return done(std::move(kernel), work);
}

CUresult copyNode(Driver& driver, const CUDA_MEMCPY3D* arguments, WorkPointer& work) {
  if (arguments == nullptr) return nullArgument(driver, "copy");
  CopyWork copy;
  if (const CUresult bad = boxCopy(driver, *arguments, copy)) return bad;
  if (const CUresult bad = checkCopy(driver, copy)) return bad;
  return done(std::move(copy), work);
}

CUresult fillNode(Driver& driver, const CUDA_MEMSET_NODE_PARAMS* arguments, WorkPointer& work) {
  if (arguments == nullptr) return nullArgument(driver, "fill");
  const std::size_t pitch =
      arguments->height > 1 ? arguments->pitch : arguments->width * arguments->elementSize;
  const FillWork fill{arguments->dst,   pitch,            arguments->value, arguments->elementSize,
                      arguments->width, arguments->height};
  if (const CUresult bad = checkFill(driver, fill)) return bad;
  return done(fill, work);
}

CUresult hostNode(Driver& driver, const CUDA_HOST_NODE_PARAMS* arguments, WorkPointer& work) {
  if (arguments == nullptr || arguments->fn == nullptr) return nullArgument(driver, "the host function");
  return done(HostWork{arguments->fn, nullptr, nullptr, arguments->userData}, work);
}

CUDA_MEMCPY3D asNodeParameters(const CopyWork& copy) {
  CUDA_MEMCPY3D box{};
  box.srcMemoryType = copy.from.device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
  box.srcHost = copy.from.device ? nullptr : reinterpret_cast<const void*>(copy.from.address);
  box.srcDevice = copy.from.device ? copy.from.address : 0;
  box.srcPitch = copy.from.pitch;
  box.srcHeight = copy.from.pitch == 0 ? 0 : copy.from.slice / copy.from.pitch;
  box.dstMemoryType = copy.to.device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
  box.dstHost = copy.to.device ? nullptr : reinterpret_cast<void*>(copy.to.address);
  box.dstDevice = copy.to.device ? copy.to.address : 0;
  box.dstPitch = copy.to.pitch;
  box.dstHeight = copy.to.pitch == 0 ? 0 : copy.to.slice / copy.to.pitch;
  box.WidthInBytes = copy.width;
  box.Height = copy.height;
  box.Depth = copy.depth;
  return box;
}

} // namespace simgpu::driver
