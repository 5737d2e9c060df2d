// cvt to and from pairs of floats of eight bits.
#include "arith/half_arithmetic.h"
#include "arith/small_float.h"
#include "exec/block.h"
#include "exec/convert_small.h"
#include "exec/lanes.h"

namespace simgpu {

namespace {

using ptx::Type;

/** Op::n of these conversions. */
enum SmallFlags : std::uint8_t { smallE5m2 = 1, smallRelu = 2 };

const arith::SmallFormat& formatOf(const Op& op) { return (op.n & smallE5m2) != 0 ? arith::e5m2 : arith::e4m3; }

std::uint16_t packSmall(const Op& op, float high, float low) {
  const bool relu = (op.n & smallRelu) != 0;
  return static_cast<std::uint16_t>(arith::floatToSmall(formatOf(op), high, relu) << 8 |
                                    arith::floatToSmall(formatOf(op), low, relu));
}

void narrowFloats(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* high = warp.slot<float>(op.a);
  const auto* low = warp.slot<float>(op.b);
  auto* d = warp.slot<std::uint16_t>(op.d);
  forEachLane(mask, [&](int lane) { d[lane] = packSmall(op, high[lane], low[lane]); });
}

void narrowHalves(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint32_t>(op.a);
  auto* d = warp.slot<std::uint16_t>(op.d);
  forEachLane(mask, [&](int lane) {
    d[lane] = packSmall(op, arith::f16ToFloat(static_cast<std::uint16_t>(a[lane] >> 16)),
                        arith::f16ToFloat(static_cast<std::uint16_t>(a[lane])));
  });
}

void widenToHalves(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint16_t>(op.a);
  auto* d = warp.slot<std::uint32_t>(op.d);
  const auto half = [&](std::uint32_t byte) {
    const float value = arith::smallToFloat(formatOf(op), static_cast<std::uint8_t>(byte));
    const bool cleared = (op.n & smallRelu) != 0 && value < 0;
    return std::uint32_t{arith::F16::narrow(cleared ? 0.0F : value)};
  };
  forEachLane(mask, [&](int lane) {
    const std::uint32_t both = a[lane];
    d[lane] = half(both >> 8) << 16 | half(both & 0xff);
  });
}

} // namespace

/** cvt.rn.satfinite.{e4m3x2,e5m2x2}.{f32,f16x2} and cvt.rn.f16x2.{e4m3x2,e5m2x2}; the format was taken. */
void decodeConvertSmall(Decoder& d, bool isE5m2, bool rounds, bool saturates, bool relu) {
  const Type other = d.takeType();
  // what the result is comes first in the instruction
  const bool widens = d.instruction().text.find("f16x2.e") != std::string::npos;
  if (!rounds || saturates == widens || (other != Type::f16x2 && (other != Type::f32 || widens))) {
    d.fail("the forms are cvt.rn.satfinite.{e4m3x2,e5m2x2}.{f32,f16x2} and cvt.rn.f16x2.{e4m3x2,e5m2x2}");
  }
  const bool fromFloats = other == Type::f32;
  d.expectOperands(fromFloats ? 3 : 2, fromFloats ? 3 : 2);
  const ValueId a = d.source(1, widens ? Type::b16 : Type::b32);
  const ValueId b = fromFloats ? d.source(2, Type::b32) : 0;
  const ValueId to = d.destination(0, widens ? 4 : 2);
  const Handler handler = widens ? widenToHalves : fromFloats ? narrowFloats : narrowHalves;
  Op& op = d.emit(handler, InstructionClass::conversion);
  op.a = a;
  op.b = b;
  op.d = to;
  op.n = static_cast<std::uint8_t>((isE5m2 ? smallE5m2 : 0) | (relu ? smallRelu : 0));
}

} // namespace simgpu
