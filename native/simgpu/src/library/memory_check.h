// What the math libraries ask about the pointers they are given.
#pragma once

#include "driver/simgpu.h"

#include <cstdint>
#include <cstdio>
#include <string>

namespace simgpu::library {

/** Notes a refusal in the driver's log and gives the status back. */
template <class Status> Status refuse(Status status, const char* function, const std::string& reason) {
  simgpuRefused(function, reason.c_str());
  return status;
}

/** Why a device range cannot be used; empty when it can. */
inline std::string rangeProblem(const char* name, const void* pointer, std::uint64_t bytes) {
  if (bytes == 0) return {};
  if (pointer == nullptr) return std::string(name) + " is null";
  std::uint64_t left = 0;
  const int kind = simgpuMemoryAt(reinterpret_cast<std::uint64_t>(pointer), &left);
  char place[48];
  std::snprintf(place, sizeof place, " at %p ", pointer);
  if (kind == 0) return name + std::string(place) + "is no device memory";
  if (kind == 2) return name + std::string(place) + "lies in memory that was freed";
  if (left < bytes) {
    return name + std::string(place) + "needs " + std::to_string(bytes) + " bytes; its allocation ends after " +
           std::to_string(left);
  }
  return {};
}

/** Why a scalar cannot be used: it lies on the host or on the device, as the pointer mode says. */
inline std::string scalarProblem(const char* name, const void* pointer, std::uint64_t bytes, bool onDevice) {
  if (pointer == nullptr) return std::string(name) + " is null";
  if (onDevice) return rangeProblem(name, pointer, bytes);
  std::uint64_t left = 0;
  const int kind = simgpuMemoryAt(reinterpret_cast<std::uint64_t>(pointer), &left);
  if (kind == 0 || kind == 3) return {};
  return std::string(name) + " lies in device memory while the pointer mode says host";
}

inline const std::byte* bytesAt(const void* pointer) { return static_cast<const std::byte*>(pointer); }

} // namespace simgpu::library
