// Launches of kernels and of host functions.
#include "driver/call.h"
#include "driver/cuda_api.h"
#include "driver/launch.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

CUresult launch(const char* name, const LaunchArguments& arguments, CUstream handle) {
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    const std::shared_ptr<Stream> stream = driver.stream(context, handle);
    if (stream == nullptr) return badHandle(driver, "stream", handle);
    if (stream->legacy) {
      if (const CUresult forbidden = driver.captureForbids(context)) return forbidden;
    }
    KernelWork work;
    if (const CUresult bad = prepareLaunch(driver, arguments, work)) return bad;
    return driver.scheduler.submit(context, stream, std::move(work));
  });
}

} // namespace

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                        unsigned blockY, unsigned blockZ, unsigned sharedBytes, CUstream stream, void** parameters,
                        void** extra) {
  return launch("cuLaunchKernel",
                {function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes, false, parameters, extra},
                stream);
}

CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ,
                                   unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                                   CUstream stream, void** parameters) {
  return launch("cuLaunchCooperativeKernel",
                {function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes, true, parameters, nullptr},
                stream);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void** parameters, void** extra) {
  if (config == nullptr || (config->numAttrs > 0 && config->attrs == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  LaunchArguments arguments{function,
                            {config->gridDimX, config->gridDimY, config->gridDimZ},
                            {config->blockDimX, config->blockDimY, config->blockDimZ},
                            config->sharedMemBytes,
                            false,
                            parameters,
                            extra};
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttribute& attribute = config->attrs[i];
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) arguments.cooperative = attribute.value.cooperative != 0;
    const auto& cluster = attribute.value.clusterDim;
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION &&
        std::uint64_t{cluster.x} * cluster.y * cluster.z > 1) {
      return CUDA_ERROR_INVALID_CLUSTER_SIZE; // this architecture has no clusters
    }
  }
  return launch("cuLaunchKernelEx", arguments, config->hStream);
}

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void* userData) {
  return callInContext("cuLaunchHostFunc", [&](Driver& driver, Context& context) -> CUresult {
    if (function == nullptr) return nullArgument(driver, "function");
    const std::shared_ptr<Stream> stream = driver.stream(context, handle);
    if (stream == nullptr) return badHandle(driver, "stream", handle);
    return driver.scheduler.submit(context, stream, HostWork{function, nullptr, nullptr, userData});
  });
}
