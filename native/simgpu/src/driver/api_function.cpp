// Functions: attributes and occupancy.
#include "driver/call.h"
#include "driver/cuda_api.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

template <class Body> CUresult withFunction(const char* name, CUfunction handle, Body body) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<Function> function = driver.functions.find(handle);
    if (function == nullptr) return badHandle(driver, "function", handle);
    return body(driver, *function);
  });
}

std::uint32_t defaultDynamicShared(const Driver& driver, const KernelInfo& kernel) {
  const std::uint32_t usual = driver.configuration.model.sharedPerBlock;
  return usual - std::min(usual, kernel.staticSharedBytes);
}

CUresult maxBlocks(Driver& driver, const Function& function, int* blocks, int blockSize, std::size_t dynamicShared) {
  if (blocks == nullptr) return nullArgument(driver, "blocks");
  if (blockSize <= 0 || dynamicShared > UINT32_MAX) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such block: " + std::to_string(blockSize) + " threads");
  }
  *blocks = static_cast<int>(driver.engine().occupancy(function.kernel->info, static_cast<std::uint32_t>(blockSize),
                                                       static_cast<std::uint32_t>(dynamicShared)));
  return CUDA_SUCCESS;
}

std::size_t askProgram(CUoccupancyB2DSize sizeOf, std::uint32_t threads) {
  insideHostFunction = true; // the driver is locked
  const std::size_t bytes = sizeOf(static_cast<int>(threads));
  insideHostFunction = false;
  return bytes;
}

CUresult bestBlock(Driver& driver, const Function& function, int* minGridSize, int* blockSize,
                   CUoccupancyB2DSize sizeOf, std::size_t dynamicShared, int limit) {
  if (minGridSize == nullptr || blockSize == nullptr) return nullArgument(driver, "minGridSize or blockSize");
  const KernelInfo& kernel = function.kernel->info;
  const DeviceModel& model = driver.configuration.model;
  std::uint32_t most = std::min(kernel.maxThreads, model.threadsPerBlock);
  if (limit > 0) most = std::min(most, static_cast<std::uint32_t>(limit));
  std::uint32_t bestThreads = 0;
  std::uint32_t best = 0;
  std::uint32_t bestResident = 0;
  for (std::uint32_t size = (most + 31) / 32 * 32; size > 0; size -= 32) {
    const std::uint32_t threads = std::min(size, most);
    const std::size_t shared = sizeOf != nullptr ? askProgram(sizeOf, threads) : dynamicShared;
    const std::uint32_t resident = driver.engine().occupancy(kernel, threads, static_cast<std::uint32_t>(shared));
    if (resident * threads > best) {
      best = resident * threads;
      bestThreads = threads;
      bestResident = resident;
    }
  }
  *blockSize = static_cast<int>(bestThreads);
  *minGridSize = static_cast<int>(bestResident * model.smCount);
  return CUDA_SUCCESS;
}

} // namespace

CUresult cuFuncGetModule(CUmodule* module, CUfunction handle) {
  return withFunction("cuFuncGetModule", handle, [&](Driver& driver, Function& function) -> CUresult {
    if (module == nullptr) return nullArgument(driver, "module");
    *module = function.module->handle;
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncGetName(const char** name, CUfunction handle) {
  return withFunction("cuFuncGetName", handle, [&](Driver& driver, Function& function) -> CUresult {
    if (name == nullptr) return nullArgument(driver, "name");
    *name = function.kernel->info.name.c_str();
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncGetParamInfo(CUfunction handle, std::size_t index, std::size_t* offset, std::size_t* size) {
  return withFunction("cuFuncGetParamInfo", handle, [&](Driver& driver, Function& function) -> CUresult {
    if (offset == nullptr) return nullArgument(driver, "offset");
    const auto& parameters = function.kernel->info.parameters;
    if (index >= parameters.size()) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                           "the kernel has " + std::to_string(parameters.size()) + " parameters");
    }
    *offset = parameters[index].offset;
    if (size != nullptr) *size = parameters[index].size;
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction handle) {
  return withFunction("cuFuncGetAttribute", handle, [&](Driver& driver, Function& function) -> CUresult {
    if (value == nullptr) return nullArgument(driver, "value");
    const KernelInfo& kernel = function.kernel->info;
    const DeviceModel& model = driver.configuration.model;
    std::uint32_t result = 0;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: result = std::min(kernel.maxThreads, model.threadsPerBlock); break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: result = kernel.staticSharedBytes; break;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES: result = kernel.constBytes; break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: result = kernel.localBytes; break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: result = kernel.registers; break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION: result = kernel.targetVersion; break;
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: result = model.computeMajor * 10 + model.computeMinor; break;
    case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA: result = 0; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      result = function.maxDynamicShared != 0 ? function.maxDynamicShared : defaultDynamicShared(driver, kernel);
      break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = function.carveout; return CUDA_SUCCESS;
    default:
      if (attribute < 0 || attribute > 15) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE, "there is no attribute " + std::to_string(attribute));
      }
    }
    *value = static_cast<int>(result);
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value) {
  return withFunction("cuFuncSetAttribute", handle, [&](Driver& driver, Function& function) -> CUresult {
    if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) {
      if (value < -1 || value > 100) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the carveout is a percentage, or -1");
      }
      function.carveout = value;
      return CUDA_SUCCESS;
    }
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "attribute " + std::to_string(attribute) + " cannot be set");
    }
    const std::uint32_t most = driver.configuration.model.sharedPerBlockOptin;
    const std::uint32_t room = most - std::min(most, function.kernel->info.staticSharedBytes);
    if (value < 0 || static_cast<std::uint32_t>(value) > room) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                           std::to_string(value) + " bytes of dynamic shared memory; kernel " +
                               function.kernel->info.name + " can have up to " + std::to_string(room) +
                               " on this device");
    }
    function.maxDynamicShared = static_cast<std::uint32_t>(value);
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncSetCacheConfig(CUfunction handle, int config) {
  return withFunction("cuFuncSetCacheConfig", handle, [&](Driver& driver, Function& function) -> CUresult {
    if (config < 0 || config > 3) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such cache configuration");
    function.cacheConfig = config;
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncSetSharedMemConfig(CUfunction handle, int config) {
  return withFunction("cuFuncSetSharedMemConfig", handle, [&](Driver& driver, Function&) -> CUresult {
    if (config < 0 || config > 2) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such shared memory configuration");
    return CUDA_SUCCESS;
  });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction handle, int blockSize,
                                                     std::size_t dynamicShared) {
  return withFunction("cuOccupancyMaxActiveBlocksPerMultiprocessor", handle, [&](Driver& driver, Function& function) {
    return maxBlocks(driver, function, blocks, blockSize, dynamicShared);
  });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, CUfunction handle, int blockSize,
                                                              std::size_t dynamicShared, unsigned) {
  return withFunction("cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags", handle,
                      [&](Driver& driver, Function& function) {
                        return maxBlocks(driver, function, blocks, blockSize, dynamicShared);
                      });
}

CUresult cuOccupancyMaxPotentialBlockSize(int* minGridSize, int* blockSize, CUfunction handle,
                                          CUoccupancyB2DSize sizeOf, std::size_t dynamicShared, int limit) {
  return withFunction("cuOccupancyMaxPotentialBlockSize", handle, [&](Driver& driver, Function& function) {
    return bestBlock(driver, function, minGridSize, blockSize, sizeOf, dynamicShared, limit);
  });
}

CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int* minGridSize, int* blockSize, CUfunction handle,
                                                   CUoccupancyB2DSize sizeOf, std::size_t dynamicShared, int limit,
                                                   unsigned) {
  return withFunction("cuOccupancyMaxPotentialBlockSizeWithFlags", handle, [&](Driver& driver, Function& function) {
    return bestBlock(driver, function, minGridSize, blockSize, sizeOf, dynamicShared, limit);
  });
}

CUresult cuOccupancyAvailableDynamicSMemPerBlock(std::size_t* bytes, CUfunction handle, int blocks, int blockSize) {
  return withFunction("cuOccupancyAvailableDynamicSMemPerBlock", handle,
                      [&](Driver& driver, Function& function) -> CUresult {
                        if (bytes == nullptr) return nullArgument(driver, "bytes");
                        if (blocks <= 0 || blockSize <= 0) {
                          return driver.refuse(CUDA_ERROR_INVALID_VALUE, "blocks and threads must be above 0");
                        }
                        const DeviceModel& model = driver.configuration.model;
                        const std::uint32_t taken =
                            function.kernel->info.staticSharedBytes + model.sharedReservedPerBlock;
                        const std::uint32_t share = model.sharedPerSm / static_cast<std::uint32_t>(blocks);
                        const std::uint32_t most = model.sharedPerBlockOptin - function.kernel->info.staticSharedBytes;
                        *bytes = share > taken ? std::min(share - taken, most) : 0;
                        return CUDA_SUCCESS;
                      });
}
