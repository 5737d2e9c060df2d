// Texture objects: what a kernel's 64-bit handle of one stands for.
#pragma once

#include "memory/device_memory.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>

namespace simgpu {

enum class TexelFormat : std::uint8_t { u8, u16, u32, s8, s16, s32, f16, f32 };

constexpr std::uint32_t bytesOf(TexelFormat format) {
  switch (format) {
  case TexelFormat::u8:
  case TexelFormat::s8:
    return 1;
  case TexelFormat::u16:
  case TexelFormat::s16:
  case TexelFormat::f16:
    return 2;
  default:
    return 4;
  }
}

/** What stands for coordinates beyond the edge. */
enum class TextureAddressing : std::uint8_t { wrap, clamp, mirror, border };

/**
 * Texels in device memory and how they are read:
 *
 *     address(x, y, z) = base + z * slice + y * pitch + x * channels * bytesOf(format)
 *
 * z counts the slices of three dimensions, or layers.
 */
struct Texture {
  DeviceAddress base = 0;
  std::array<std::uint32_t, 3> size{1, 1, 1}; // texels in a row, rows, slices or layers
  std::uint64_t pitch = 0;
  std::uint64_t slice = 0;
  TexelFormat format = TexelFormat::f32;
  std::uint32_t channels = 1;   // 1, 2 or 4
  std::uint32_t dimensions = 1; // without layers
  bool layered = false;
  std::array<TextureAddressing, 3> addressing{TextureAddressing::clamp, TextureAddressing::clamp,
                                              TextureAddressing::clamp};
  std::array<float, 4> border{}; // the colour of TextureAddressing::border
  bool linear = false;           // interpolates between neighbours
  bool normalised = false;       // coordinates go from 0 to 1
  bool asIntegers = false;       // integers are not scaled to [0, 1] or [-1, 1]
  bool plainMemory = false;      // consecutive elements; there is nothing beyond the last

  std::uint32_t texelBytes() const { return channels * bytesOf(format); }
  /** "2D texture of 64 x 32 texels of 4 bytes". */
  std::string describe() const;
};

/** The texture objects of a device. All members may be called from any thread. */
class TextureTable {
public:
  void put(std::uint64_t handle, const Texture& texture);
  void remove(std::uint64_t handle);
  /** Null when there is no such object, or not any longer. */
  std::shared_ptr<const Texture> find(std::uint64_t handle) const;

private:
  mutable std::shared_mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<const Texture>> textures_;
};

/** Where one coordinate of a fetch falls: one texel, or two neighbours and how much the second counts. */
struct TexelRange {
  std::array<std::int64_t, 2> index{}; // negative: the border
  float weight = 0;                    // of the second, in 1/256; without interpolation 0
};

/** A coordinate of dimension `dimension` as given by a kernel. */
TexelRange texelsAt(const Texture& texture, std::uint32_t dimension, float coordinate);
/** The same of an integer coordinate, which names a texel. */
TexelRange texelAt(const Texture& texture, std::uint32_t dimension, std::int32_t coordinate);

/** A channel as a number: integers scaled to [0, 1] or [-1, 1]. */
float texelNumber(TexelFormat format, const std::byte* from);
/** A channel as 32 bits: integers widened, numbers as they are. */
std::uint32_t texelBits(TexelFormat format, const std::byte* from);

} // namespace simgpu
