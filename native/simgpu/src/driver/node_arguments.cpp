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

CUresult withAttributes(Driver& driver, const KernelWork& kernel, std::map<unsigned, CUlaunchAttributeValue> attributes,
                        WorkPointer& work) {
  const auto cooperative = attributes.find(CU_LAUNCH_ATTRIBUTE_COOPERATIVE);
  KernelWork changed = kernel;
  changed.attributes = std::move(attributes);
  changed.config.cooperative = cooperative != changed.attributes.end() && cooperative->second.cooperative != 0;
  if (const CUresult bad = checkResources(driver, *changed.function, changed.config)) return bad;
  resetPointers(changed);
  return done(std::move(changed), work);
}

std::string changeProblem(const Work& before, const Work& now) {
  if (const auto* copy = std::get_if<CopyWork>(&now.any())) {
    const auto& old = std::get<CopyWork>(before.any());
    const auto flat = [](const CopyWork& each) { return each.height == 1 && each.depth == 1; };
    if (!flat(old) || !flat(*copy)) return "only copies of one row can be changed in an executable graph";
    if (old.from.device != copy->from.device || old.to.device != copy->to.device) {
      return "a copy between host and device cannot become one in another direction";
    }
  }
  if (const auto* fill = std::get_if<FillWork>(&now.any())) {
    if (std::get<FillWork>(before.any()).height != 1 || fill->height != 1) {
      return "only fills of one row can be changed in an executable graph";
    }
  }
  return {};
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
