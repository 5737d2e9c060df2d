#include "exec/device_model.h"

namespace simgpu {

// NVIDIA's data sheets and the CUDA programming guide's table of compute capabilities 8.0 and 8.6.

DeviceModel DeviceModel::a100() {
  DeviceModel model;
  model.name = "Simulated NVIDIA A100";
  model.smCount = 108;
  model.clockKilohertz = 1410000;
  model.memoryClockKilohertz = 1215000;
  model.memoryBusBits = 5120;
  model.memoryBytes = std::uint64_t{40} << 30;
  model.l2Bytes = 40 << 20;
  model.sharedPerSm = 164 * 1024;
  model.sharedPerBlockOptin = 163 * 1024;
  model.threadsPerSm = 2048;
  model.blocksPerSm = 32;
  return model;
}

DeviceModel DeviceModel::a10() {
  DeviceModel model;
  model.name = "Simulated NVIDIA A10";
  model.computeMinor = 6;
  model.smCount = 72;
  model.clockKilohertz = 1695000;
  model.memoryClockKilohertz = 6251000;
  model.memoryBusBits = 384;
  model.memoryBytes = std::uint64_t{24} << 30;
  model.l2Bytes = 6 << 20;
  model.sharedPerSm = 100 * 1024;
  model.sharedPerBlockOptin = 99 * 1024;
  model.threadsPerSm = 1536;
  model.blocksPerSm = 16;
  return model;
}

DeviceModel DeviceModel::rtx3090() {
  DeviceModel model = a10();
  model.name = "Simulated NVIDIA GeForce RTX 3090";
  model.smCount = 82;
  model.memoryClockKilohertz = 9751000;
  return model;
}

DeviceModel DeviceModel::rtx5090() {
  DeviceModel model = a10();
  model.name = "Simulated NVIDIA GeForce RTX 5090";
  model.computeMajor = 12;
  model.computeMinor = 0;
  model.smCount = 170;
  model.clockKilohertz = 2407000;
  model.memoryClockKilohertz = 14001000;
  model.memoryBusBits = 512;
  model.memoryBytes = 32ull << 30;
  model.l2Bytes = 96u << 20;
  model.blocksPerSm = 24;
  return model;
}

std::optional<DeviceModel> DeviceModel::named(std::string_view name) {
  std::string lower;
  for (const char c : name) {
    lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return lower == "a100"      ? std::optional(a100())
         : lower == "a10"     ? std::optional(a10())
         : lower == "rtx3090" ? std::optional(rtx3090())
         : lower == "rtx5090" ? std::optional(rtx5090())
                              : std::nullopt;
}

} // namespace simgpu
