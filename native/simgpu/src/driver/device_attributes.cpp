#include "driver/device_attributes.h"

namespace simgpu::driver {
namespace {

/** The last attribute CUDA 12.6 knows. */
constexpr int lastAttribute = 139;

/** The largest sizes of textures, which are not told, and attributes of surfaces and graphics, which there are not: 0. */
constexpr bool isTexture(int attribute) {
  return (attribute >= 21 && attribute <= 30) || (attribute >= 42 && attribute <= 49) ||
         (attribute >= 52 && attribute <= 74) || attribute == 77;
}

std::optional<int> ofModel(const DeviceModel& model, int attribute) {
  switch (attribute) {
  case 1: return model.threadsPerBlock;
  case 8: return model.sharedPerBlock;
  case 12: return model.registersPerBlock;
  case 13: return model.clockKilohertz;
  case 16: return model.smCount;
  case 36: return model.memoryClockKilohertz;
  case 37: return model.memoryBusBits;
  case 38: return model.l2Bytes;
  case 39: return model.threadsPerSm;
  case 75: return model.computeMajor;
  case 76: return model.computeMinor;
  case 81: return model.sharedPerSm;
  case 82: return model.registersPerSm;
  case 87: return model.computeMajor == 8 && model.computeMinor == 0 ? 2 : 64; // single to double precision throughput: A100, others
  case 97: return model.sharedPerBlockOptin;
  case 106: return model.blocksPerSm;
  case 111: return model.sharedReservedPerBlock;
  default: return std::nullopt;
  }
}

std::optional<int> ofArchitecture(int attribute) {
  switch (attribute) {
  case 2: return 1024;        // MAX_BLOCK_DIM_X
  case 3: return 1024;        // MAX_BLOCK_DIM_Y
  case 4: return 64;          // MAX_BLOCK_DIM_Z
  case 5: return 2147483647;  // MAX_GRID_DIM_X
  case 6: return 65535;       // MAX_GRID_DIM_Y
  case 7: return 65535;       // MAX_GRID_DIM_Z
  case 9: return 65536;       // TOTAL_CONSTANT_MEMORY
  case 10: return 32;         // WARP_SIZE
  case 11: return 2147483647; // MAX_PITCH
  case 14: return 512;        // TEXTURE_ALIGNMENT
  case 15: return 1;          // GPU_OVERLAP
  case 19: return 1;          // CAN_MAP_HOST_MEMORY
  case 31: return 1;          // CONCURRENT_KERNELS
  case 32: return 1;          // ECC_ENABLED
  case 34: return 1;          // PCI_DEVICE_ID
  case 40: return 1;          // ASYNC_ENGINE_COUNT
  case 41: return 1;          // UNIFIED_ADDRESSING
  case 51: return 32;         // TEXTURE_PITCH_ALIGNMENT, the unit of pitches
  case 78: return 1;          // STREAM_PRIORITIES_SUPPORTED
  case 79: return 1;          // GLOBAL_L1_CACHE_SUPPORTED
  case 80: return 1;          // LOCAL_L1_CACHE_SUPPORTED
  case 83: return 1;          // MANAGED_MEMORY
  case 90: return 1;          // COMPUTE_PREEMPTION_SUPPORTED
  case 95: return 1;          // COOPERATIVE_LAUNCH
  case 99: return 1;          // HOST_REGISTER_SUPPORTED
  case 115: return 1;         // MEMORY_POOLS_SUPPORTED
  case 134: return -1;        // HOST_NUMA_ID: none
  default: return std::nullopt;
  }
}

} // namespace

std::optional<int> deviceAttribute(const DeviceModel& model, int attribute) {
  if (attribute < 1 || attribute > lastAttribute) return std::nullopt;
  if (isTexture(attribute)) return 0;
  if (const std::optional<int> value = ofModel(model, attribute)) return value;
  // capabilities the simulated device lacks, and everything a program must not rely on
  return ofArchitecture(attribute).value_or(0);
}

} // namespace simgpu::driver
