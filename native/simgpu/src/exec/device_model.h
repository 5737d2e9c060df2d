// The properties of the device being simulated, as far as programs can see them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace simgpu {

struct DeviceModel {
  std::string name;
  std::uint32_t computeMajor = 8;
  std::uint32_t computeMinor = 0;
  std::uint32_t smCount = 0;
  std::uint32_t clockKilohertz = 0;
  std::uint32_t memoryClockKilohertz = 0;
  std::uint32_t memoryBusBits = 0;
  std::uint64_t memoryBytes = 0;
  std::uint32_t l2Bytes = 0;
  std::uint32_t sharedPerSm = 0;
  std::uint32_t sharedPerBlock = 48 * 1024;
  std::uint32_t sharedPerBlockOptin = 0;
  std::uint32_t sharedReservedPerBlock = 1024;
  std::uint32_t registersPerSm = 65536;
  std::uint32_t registersPerBlock = 65536;
  std::uint32_t threadsPerSm = 0;
  std::uint32_t threadsPerBlock = 1024;
  std::uint32_t blocksPerSm = 0;

  static DeviceModel a100();
  static DeviceModel a10();
  static DeviceModel rtx3090();

  /** A later architecture than any kernel was written for; it computes as the others do. */
  static DeviceModel rtx5090();

  /** "a100", "a10", "rtx3090" or "rtx5090", in any case; nothing else. */
  static std::optional<DeviceModel> named(std::string_view name);
};

} // namespace simgpu
