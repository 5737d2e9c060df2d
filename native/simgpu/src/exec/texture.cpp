#include "exec/texture.h"

#include "arith/half_arithmetic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <mutex>

namespace simgpu {

namespace {

// of the weights, which have eight fractional bits (CUDA Programming Guide, "Linear Filtering")
constexpr float weightSteps = 256;

template <class T> T channel(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/** Wrapped or mirrored into [0, 1); other modes act on the texels. */
float intoUnit(TextureAddressing addressing, float x) {
  const float whole = std::floor(x);
  const float fraction = x - whole;
  if (addressing == TextureAddressing::mirror && std::fmod(whole, 2.0F) != 0) {
    return std::nextafter(1.0F - fraction, 0.0F); // 1 itself is the last texel too
  }
  return fraction;
}

std::int64_t texelOf(TextureAddressing addressing, std::int64_t index, std::int64_t size) {
  if (index >= 0 && index < size) {
    return index;
  }
  switch (addressing) {
  case TextureAddressing::wrap:
    return (index % size + size) % size;
  case TextureAddressing::border:
    return -1;
  default: // a neighbour beyond the edge of a mirror is the edge
    return std::clamp<std::int64_t>(index, 0, size - 1);
  }
}

} // namespace

std::string Texture::describe() const {
  std::string text =
      std::to_string(dimensions) + "D " + (layered ? "layered " : "") + "texture of " + std::to_string(size[0]);
  if (dimensions > 1) {
    text += " x " + std::to_string(size[1]);
  }
  if (dimensions > 2 || layered) {
    text += " x " + std::to_string(size[2]);
  }
  return text + " texels of " + std::to_string(texelBytes()) + " bytes";
}

void TextureTable::put(std::uint64_t handle, const Texture& texture) {
  const std::lock_guard lock(mutex_);
  textures_[handle] = std::make_shared<const Texture>(texture);
}

void TextureTable::remove(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  textures_.erase(handle);
}

std::shared_ptr<const Texture> TextureTable::find(std::uint64_t handle) const {
  const std::shared_lock lock(mutex_);
  const auto found = textures_.find(handle);
  return found == textures_.end() ? nullptr : found->second;
}

TexelRange texelsAt(const Texture& texture, std::uint32_t dimension, float coordinate) {
  const std::int64_t size = texture.size[dimension];
  TextureAddressing addressing = texture.addressing[dimension];
  const bool periodic = addressing == TextureAddressing::wrap || addressing == TextureAddressing::mirror;
  float x = coordinate;
  if (texture.normalised) {
    x = (periodic ? intoUnit(addressing, x) : x) * static_cast<float>(size);
  } else if (periodic) {
    addressing = TextureAddressing::clamp; // periods are those of normalised coordinates
  }
  // beyond these all coordinates are alike; not-a-numbers are 0
  const float farthest = static_cast<float>(size) + 2;
  x = x > -2 ? std::min(x, farthest) : std::isnan(x) ? 0.0F : -2.0F;
  TexelRange range;
  if (!texture.linear) {
    const auto index = static_cast<std::int64_t>(std::floor(x));
    range.index[0] = range.index[1] = texelOf(addressing, index, size);
    return range;
  }
  const float middle = x - 0.5F;
  const auto first = static_cast<std::int64_t>(std::floor(middle));
  range.weight = std::round((middle - std::floor(middle)) * weightSteps) / weightSteps;
  range.index = {texelOf(addressing, first, size), texelOf(addressing, first + 1, size)};
  return range;
}

TexelRange texelAt(const Texture& texture, std::uint32_t dimension, std::int32_t coordinate) {
  TextureAddressing addressing = texture.addressing[dimension];
  if (texture.plainMemory) {
    addressing = TextureAddressing::border;
  } else if (addressing != TextureAddressing::border) {
    addressing = TextureAddressing::clamp;
  }
  const std::int64_t index = texelOf(addressing, coordinate, texture.size[dimension]);
  return {{index, index}, 0};
}

float texelNumber(TexelFormat format, const std::byte* from) {
  switch (format) {
  case TexelFormat::u8:
    return static_cast<float>(channel<std::uint8_t>(from)) / 255;
  case TexelFormat::u16:
    return static_cast<float>(channel<std::uint16_t>(from)) / 65535;
  case TexelFormat::s8:
    return std::max(static_cast<float>(channel<std::int8_t>(from)) / 127, -1.0F);
  case TexelFormat::s16:
    return std::max(static_cast<float>(channel<std::int16_t>(from)) / 32767, -1.0F);
  case TexelFormat::f16:
    return arith::f16ToFloat(channel<std::uint16_t>(from));
  default:
    return channel<float>(from);
  }
}

std::uint32_t texelBits(TexelFormat format, const std::byte* from) {
  switch (format) {
  case TexelFormat::u8:
    return channel<std::uint8_t>(from);
  case TexelFormat::u16:
    return channel<std::uint16_t>(from);
  case TexelFormat::s8:
    return static_cast<std::uint32_t>(channel<std::int8_t>(from));
  case TexelFormat::s16:
    return static_cast<std::uint32_t>(channel<std::int16_t>(from));
  case TexelFormat::f16:
    return std::bit_cast<std::uint32_t>(arith::f16ToFloat(channel<std::uint16_t>(from)));
  default:
    return channel<std::uint32_t>(from);
  }
}

} // namespace simgpu
