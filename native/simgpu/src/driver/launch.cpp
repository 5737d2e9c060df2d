#include "driver/launch.h"

#include "driver/call.h"
#include "driver/host_memory.h"

#include <cstring>

namespace simgpu::driver {
namespace {

std::string text(const Dim3& size) {
  return std::to_string(size.x) + "x" + std::to_string(size.y) + "x" + std::to_string(size.z);
}

/** A launch that cannot be made, as a finding that names the kernel. */
CUresult invalidLaunch(Driver& driver, const KernelInfo& kernel, CUresult status, const std::string& detail) {
  Finding finding;
  finding.kind = FindingKind::invalidLaunch;
  finding.status = static_cast<Status>(status);
  finding.kernel = kernel.name;
  finding.line = kernel.line;
  finding.detail = detail;
  driver.report(finding);
  return status;
}

CUresult checkSizes(Driver& driver, const KernelInfo& kernel, const Dim3& grid, const Dim3& block) {
  const DeviceModel& model = driver.configuration.model;
  constexpr std::uint32_t mostX = 2147483647;
  constexpr std::uint32_t mostYZ = 65535;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > mostX || grid.y > mostYZ || grid.z > mostYZ) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                         "a grid of " + text(grid) + " blocks; 1 to 2147483647 x 65535 x 65535 are possible");
  }
  if (block.x == 0 || block.y == 0 || block.z == 0 || block.x > 1024 || block.y > 1024 || block.z > 64 ||
      block.volume() > model.threadsPerBlock) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                         "blocks of " + text(block) + " threads; 1 to 1024 x 1024 x 64 are possible, " +
                             std::to_string(model.threadsPerBlock) + " in all");
  }
  const Dim3& required = kernel.requiredBlock;
  if (required.x != 0 && (required.x != block.x || required.y != block.y || required.z != block.z)) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                         "blocks of " + text(block) + " threads where .reqntid says " + text(required));
  }
  if (block.volume() > kernel.maxThreads) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                         "blocks of " + std::to_string(block.volume()) + " threads where .maxntid says " +
                             std::to_string(kernel.maxThreads));
  }
  return CUDA_SUCCESS;
}

CUresult fromArray(Driver& driver, const KernelInfo& kernel, void** parameters, KernelWork& launch) {
  const std::size_t count = kernel.parameters.size();
  if (!hostMapped(parameters, count * sizeof(void*))) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                         parameters == nullptr
                             ? "no parameters given where .entry declares " + std::to_string(count)
                             : "the array of parameters cannot be read as far as .entry demands (" +
                                   std::to_string(count) + " pointers)");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const KernelParameter& parameter = kernel.parameters[i];
    if (!hostMapped(parameters[i], parameter.size)) {
      char place[32];
      std::snprintf(place, sizeof place, "%p", parameters[i]);
      return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                           "parameter " + std::to_string(i) + " of " + std::to_string(count) + " (" + parameter.name +
                               ", " + std::to_string(parameter.size) + " bytes) cannot be read at " + place);
    }
    std::memcpy(launch.parameters.data() + parameter.offset, parameters[i], parameter.size);
  }
  return CUDA_SUCCESS;
}

CUresult fromBuffer(Driver& driver, const KernelInfo& kernel, void** extra, KernelWork& launch) {
  const void* buffer = nullptr;
  const std::size_t* size = nullptr;
  for (void** at = extra; hostMapped(at, sizeof *at) && *at != CU_LAUNCH_PARAM_END; at += 2) {
    if (*at == CU_LAUNCH_PARAM_BUFFER_POINTER) {
      buffer = at[1];
    } else if (*at == CU_LAUNCH_PARAM_BUFFER_SIZE) {
      size = static_cast<const std::size_t*>(at[1]);
    } else {
      return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                           "an unknown entry in the array of extra arguments");
    }
  }
  if (size == nullptr || !hostMapped(size, sizeof *size) || !hostMapped(buffer, *size)) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE, "the buffer of parameters cannot be read");
  }
  // a buffer may end in padding, as a structure does
  const std::size_t padded = (kernel.parameterBytes + std::size_t{7}) / 8 * 8;
  if (*size != kernel.parameterBytes && *size != padded) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                         "a buffer of " + std::to_string(*size) + " bytes where .entry declares parameters of " +
                             std::to_string(kernel.parameterBytes));
  }
  std::memcpy(launch.parameters.data(), buffer, kernel.parameterBytes);
  return CUDA_SUCCESS;
}

} // namespace

CUresult checkResources(Driver& driver, const Function& function, const LaunchConfig& config) {
  const DeviceModel& model = driver.configuration.model;
  const KernelInfo& kernel = function.kernel->info;
  const std::uint64_t shared = std::uint64_t{kernel.staticSharedBytes} + config.dynamicShared;
  if (config.dynamicShared > config.maxDynamicShared || shared > model.sharedPerBlockOptin) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                         std::to_string(config.dynamicShared) + " bytes of dynamic shared memory where " +
                             std::to_string(config.maxDynamicShared) +
                             " are allowed (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES allows up to " +
                             std::to_string(model.sharedPerBlockOptin - kernel.staticSharedBytes) + ")");
  }
  const std::uint32_t resident = driver.engine().occupancy(
      kernel, static_cast<std::uint32_t>(config.block.volume()), config.dynamicShared);
  if (resident == 0) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES,
                         "not one block of " + std::to_string(config.block.volume()) + " threads with " +
                             std::to_string(kernel.registers) + " registers each fits on a multiprocessor");
  }
  if (config.cooperative && config.grid.volume() > std::uint64_t{resident} * model.smCount) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE,
                         std::to_string(config.grid.volume()) + " blocks cannot be resident together; " +
                             std::to_string(std::uint64_t{resident} * model.smCount) + " can");
  }
  return CUDA_SUCCESS;
}

void resetPointers(KernelWork& launch) {
  launch.pointers.clear();
  for (const KernelParameter& parameter : launch.function->kernel->info.parameters) {
    launch.pointers.push_back(launch.parameters.data() + parameter.offset);
  }
}

CUresult prepareLaunch(Driver& driver, const LaunchArguments& arguments, KernelWork& launch) {
  launch.function = driver.functions.find(arguments.function);
  if (launch.function == nullptr) return badHandle(driver, "function", arguments.function);
  const Function& function = *launch.function;
  const KernelInfo& kernel = function.kernel->info;
  if (!kernel.refusal.empty()) return invalidLaunch(driver, kernel, CUDA_ERROR_NOT_SUPPORTED, kernel.refusal);
  launch.config.grid = arguments.grid;
  launch.config.block = arguments.block;
  launch.config.dynamicShared = arguments.sharedBytes;
  launch.config.cooperative = arguments.cooperative;
  const std::uint32_t usual = driver.configuration.model.sharedPerBlock;
  launch.config.maxDynamicShared =
      std::max(function.maxDynamicShared, usual - std::min(usual, kernel.staticSharedBytes));
  if (const CUresult bad = checkSizes(driver, kernel, arguments.grid, arguments.block)) return bad;
  if (const CUresult bad = checkResources(driver, function, launch.config)) return bad;

  launch.parameters.assign(kernel.parameterBytes, std::byte{0});
  if (arguments.parameters != nullptr && arguments.extra != nullptr) {
    return invalidLaunch(driver, kernel, CUDA_ERROR_INVALID_VALUE,
                         "parameters are given twice, as array and as buffer");
  }
  if (arguments.extra != nullptr) {
    if (const CUresult bad = fromBuffer(driver, kernel, arguments.extra, launch)) return bad;
  } else if (!kernel.parameters.empty()) {
    if (const CUresult bad = fromArray(driver, kernel, arguments.parameters, launch)) return bad;
  }
  resetPointers(launch);
  return CUDA_SUCCESS;
}

CUDA_KERNEL_NODE_PARAMS asNodeParameters(const KernelWork& launch) {
  const LaunchConfig& config = launch.config;
  CUDA_KERNEL_NODE_PARAMS result{};
  result.func = launch.function->handle;
  result.gridDimX = config.grid.x;
  result.gridDimY = config.grid.y;
  result.gridDimZ = config.grid.z;
  result.blockDimX = config.block.x;
  result.blockDimY = config.block.y;
  result.blockDimZ = config.block.z;
  result.sharedMemBytes = config.dynamicShared;
  result.kernelParams = const_cast<void**>(launch.pointers.data());
  return result;
}

} // namespace simgpu::driver
