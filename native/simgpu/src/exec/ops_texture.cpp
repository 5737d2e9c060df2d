// tex: fetches from textures of one to three dimensions and from layers of them, by a handle in a register.
#include "exec/access.h"
#include "exec/block.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"
#include "exec/suspect_tensor.h"
#include "exec/texture.h"

#include <algorithm>
#include <bit>

namespace simgpu {

namespace {

using ptx::Operand;
using ptx::Type;

/** Op::flags of tex: the number of dimensions in the lowest two bits. */
enum TextureFlags : std::uint8_t {
  textureDimensions = 3,
  textureLayered = 4,
  textureIntegers = 8,  // the coordinates
  textureNumbers = 16,  // the result
};

constexpr std::uint32_t channelsOfResult = 4;

using LaneColours = std::array<std::array<std::uint32_t, lanesPerWarp>, channelsOfResult>;

[[noreturn]] void refuseFetch(Warp& warp, const Op& op, std::uint32_t lanes, std::string detail) {
  Finding finding =
      warp.launch.locate(FindingKind::invalidCall, Status::illegalAddress, warp, op, std::countr_zero(lanes));
  finding.detail = std::move(detail);
  warp.launch.fail(std::move(finding));
}

/** Texels nobody wrote are found by channel, where the value matters. */
void checkWritten(Warp& warp, const Op& op, int lane, const Texture& texture, std::uint64_t address) {
  const std::uint8_t* shadow = warp.launch.memory.initialisedShadow(address);
  for (std::uint32_t byte = 0; byte < texture.texelBytes(); byte++) {
    if (shadow[byte] == byteWritten) {
      continue;
    }
    const std::uint32_t result = byte / bytesOf(texture.format) * sizeof(std::uint32_t);
    warp.suspect(op, lane, result, FindingKind::uninitialisedRead, [&] {
      Finding finding = warp.launch.locate(FindingKind::uninitialisedRead, Status::launchFailed, warp, op, lane);
      finding.address = address + byte;
      finding.detail = "nobody wrote this byte of a " + texture.describe();
      finding.allocation = warp.launch.describeAddress(address);
      return finding;
    });
  }
}

/** One fetch of the lanes of `mask` from the same texture. */
class Fetch {
public:
  Fetch(Warp& warp, const Op& op, std::uint32_t mask, const Texture& texture)
      : warp_(warp), op_(op), mask_(mask), texture_(texture), numbers_((op.flags & textureNumbers) != 0) {}

  void run(LaneColours& colours) {
    locate();
    const std::uint32_t dimensions = op_.flags & textureDimensions;
    const bool between = texture_.linear && numbers_ && !texture_.asIntegers && (op_.flags & textureIntegers) == 0;
    // corner c takes the second neighbour in the dimensions whose bits it has
    for (std::uint32_t corner = 0; corner < (between ? 1u << dimensions : 1u); corner++) {
      fetchCorner(corner, colours);
    }
    if (between) {
      forEachLane(mask_, [&](int lane) {
        const auto at = static_cast<std::size_t>(lane);
        for (std::uint32_t i = 0; i < channelsOfResult; i++) {
          colours[i][at] = std::bit_cast<std::uint32_t>(sums_[i][at]);
        }
      });
    }
  }

private:
  void locate() {
    const std::uint32_t sources[3] = {op_.b, op_.c, op_.e};
    const std::uint32_t dimensions = op_.flags & textureDimensions;
    const bool integers = (op_.flags & textureIntegers) != 0;
    for (std::uint32_t i = 0; i < dimensions; i++) {
      const auto* floats = warp_.slot<float>(sources[i]);
      const auto* words = warp_.slot<std::int32_t>(sources[i]);
      forEachLane(mask_, [&](int lane) {
        ranges_[i][static_cast<std::size_t>(lane)] =
            integers ? texelAt(texture_, i, words[lane]) : texelsAt(texture_, i, floats[lane]);
      });
    }
    if ((op_.flags & textureLayered) != 0) {
      const auto* layers = warp_.slot<std::int32_t>(sources[dimensions]);
      forEachLane(mask_, [&](int lane) {
        const std::int64_t layer = std::clamp<std::int64_t>(layers[lane], 0, texture_.size[2] - 1);
        ranges_[2][static_cast<std::size_t>(lane)] = {{layer, layer}, 0};
      });
    }
  }

  void fetchCorner(std::uint32_t corner, LaneColours& colours) {
    LaneAddresses addresses;
    addresses.fill(texture_.base);
    std::array<float, lanesPerWarp> weights{};
    std::uint32_t inside = 0;
    std::uint32_t counting = 0;
    forEachLane(mask_, [&](int lane) {
      const auto at = static_cast<std::size_t>(lane);
      float weight = 1;
      bool beyond = false;
      std::array<std::uint64_t, 3> index{};
      for (std::uint32_t i = 0; i < 3; i++) {
        const TexelRange& range = ranges_[i][at];
        const std::uint32_t second = corner >> i & 1;
        weight *= second != 0 ? range.weight : 1 - range.weight;
        beyond |= range.index[second] < 0;
        index[i] = static_cast<std::uint64_t>(range.index[second]);
      }
      weights[at] = weight;
      counting |= static_cast<std::uint32_t>(weight != 0) << lane; // a texel without weight is not read
      if (!beyond && weight != 0) {
        inside |= 1u << lane;
        addresses[at] = texture_.base + index[2] * texture_.slice + index[1] * texture_.pitch +
                        index[0] * texture_.texelBytes();
      }
    });
    read(inside, addresses, weights, colours);
    forEachLane(counting & ~inside, [&](int lane) {
      for (std::uint32_t i = 0; i < channelsOfResult; i++) {
        take(lane, i, texture_.border[i], texture_.asIntegers ? 0 : std::bit_cast<std::uint32_t>(texture_.border[i]),
             weights, colours);
      }
    });
  }

  void read(std::uint32_t lanes, const LaneAddresses& addresses, const std::array<float, lanesPerWarp>& weights,
            LaneColours& colours) {
    if (lanes == 0) {
      return;
    }
    LanePointers pointers;
    constexpr std::uint32_t checkedHere = 0; // which bytes resolve() looks at for being written
    resolve(warp_, op_, lanes, ptx::Space::global, addresses,
            {Intent::read, false, texture_.texelBytes(), texture_.texelBytes(), checkedHere}, pointers);
    forEachLane(lanes, [&](int lane) {
      const auto at = static_cast<std::size_t>(lane);
      if (warp_.launch.settings.checks) {
        checkWritten(warp_, op_, lane, texture_, addresses[at]);
      }
      for (std::uint32_t i = 0; i < texture_.channels; i++) {
        const std::byte* from = pointers[at] + i * bytesOf(texture_.format);
        const bool scaled = numbers_ && !texture_.asIntegers;
        const float number = scaled ? texelNumber(texture_.format, from) : 0;
        const std::uint32_t bits =
            scaled ? std::bit_cast<std::uint32_t>(number) : texelBits(texture_.format, from);
        take(lane, i, number, bits, weights, colours);
      }
    });
  }

  void take(int lane, std::uint32_t channel, float number, std::uint32_t bits,
            const std::array<float, lanesPerWarp>& weights, LaneColours& colours) {
    const auto at = static_cast<std::size_t>(lane);
    colours[channel][at] = bits;
    sums_[channel][at] += weights[at] * number;
  }

  Warp& warp_;
  const Op& op_;
  std::uint32_t mask_;
  const Texture& texture_;
  bool numbers_;
  std::array<std::array<TexelRange, lanesPerWarp>, 3> ranges_{};
  std::array<std::array<float, lanesPerWarp>, channelsOfResult> sums_{};
};

void fetchTexels(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* handles = warp.slot<std::uint64_t>(op.a);
  LaneColours colours{};
  for (std::uint32_t left = mask; left != 0;) {
    const std::uint64_t handle = handles[std::countr_zero(left)];
    std::uint32_t same = 0;
    forEachLane(left, [&](int lane) { same |= static_cast<std::uint32_t>(handles[lane] == handle) << lane; });
    left &= ~same;
    const std::shared_ptr<const Texture> texture = warp.launch.textures->find(handle);
    if (texture == nullptr) {
      refuseFetch(warp, op, same,
                  std::to_string(handle) + " is the handle of no texture object, or of one that was destroyed");
    }
    if (texture->dimensions != (op.flags & textureDimensions) ||
        texture->layered != ((op.flags & textureLayered) != 0)) {
      refuseFetch(warp, op, same, "the object is a " + texture->describe());
    }
    Fetch(warp, op, same, *texture).run(colours);
  }
  for (std::uint32_t i = 0; i < channelsOfResult; i++) {
    auto* d = warp.slot<std::uint32_t>(warp.extended(op)[i]);
    forEachLane(mask, [&](int lane) { d[lane] = colours[i][static_cast<std::size_t>(lane)]; });
  }
}

} // namespace

void decodeTexture(Decoder& d) {
  constexpr std::array<std::uint8_t, 5> geometries{1, 2, 3, 1 | textureLayered, 2 | textureLayered};
  const auto geometry = d.takeAny({"1d", "2d", "3d", "a1d", "a2d"});
  if (!geometry || !d.take("v4") || d.modifiers().size() != 2) {
    d.unsupported("of textures fetches of four values from 1d, 2d, 3d, a1d and a2d are simulated, without mipmaps");
  }
  const Type result = d.takeType();
  const Type coordinate = d.takeType();
  if ((result != Type::f32 && result != Type::s32 && result != Type::u32) ||
      (coordinate != Type::f32 && coordinate != Type::s32)) {
    d.unsupported("of textures results .f32, .s32 and .u32 at coordinates .f32 and .s32 are simulated");
  }
  d.expectOperands(2, 2);
  const Operand& vector = d.operand(0);
  const Operand& place = d.operand(1);
  if (vector.kind != Operand::Kind::vector || vector.elements.size() != channelsOfResult) {
    d.fail("the result is a vector of four registers");
  }
  if (place.kind != Operand::Kind::address || place.elements.size() != 2 || place.value != 0) {
    d.unsupported("the form is [texture, {coordinates}]; samplers of their own are not simulated");
  }
  const Operand& handle = place.elements[0];
  if (handle.kind != Operand::Kind::reg) {
    d.unsupported("texture references are not simulated; use texture objects");
  }
  const std::uint8_t kind = geometries[*geometry];
  const std::uint32_t dimensions = kind & textureDimensions;
  const bool layered = (kind & textureLayered) != 0;
  const std::size_t count = dimensions + (layered ? 1 : 0);
  const Operand& coordinates = place.elements[1];
  // three coordinates take a vector of four
  const std::vector<Operand> single{coordinates};
  const std::vector<Operand>& list = coordinates.kind == Operand::Kind::vector ? coordinates.elements : single;
  if (list.size() != count && !(count == 3 && list.size() == 4)) {
    d.fail("the texture has " + std::to_string(count) + " coordinates");
  }
  const ValueId object = d.source(handle, Type::u64);
  std::array<ValueId, 3> sources{};
  for (std::uint32_t i = 0; i < dimensions; i++) {
    sources[i] = d.source(list[layered ? i + 1 : i], coordinate);
  }
  if (layered) {
    sources[dimensions] = d.source(list[0], Type::u32);
  }
  std::vector<ValueId> results;
  for (const Operand& element : vector.elements) {
    results.push_back(d.destination(element, sizeof(std::uint32_t)));
  }
  Op& op = d.emit(fetchTexels, InstructionClass::globalLoad);
  op.a = object;
  op.b = sources[0];
  op.c = sources[1];
  op.e = sources[2];
  op.n = channelsOfResult;
  op.flags = static_cast<std::uint8_t>(kind | (coordinate == Type::s32 ? textureIntegers : 0) |
                                       (result == Type::f32 ? textureNumbers : 0));
  op.target = static_cast<std::uint32_t>(ptx::Space::global) | sizeof(std::uint32_t) << loadElementShift;
  d.extend(op, results, true);
}

} // namespace simgpu
