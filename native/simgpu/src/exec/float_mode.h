// Rounding, flush and saturation modifiers: from modifiers to template arguments.
#pragma once

#include "arith/rounding.h"
#include "exec/decoder.h"

namespace simgpu {

/** Takes .rn .rz .rm .rp, .ftz and, where the instruction has it, .sat. */
inline arith::FloatMode takeFloatMode(Decoder& d, ptx::Type type, bool maySaturate) {
  arith::FloatMode mode;
  if (const auto rounding = d.takeAny({"rn", "rz", "rm", "rp"})) {
    mode.rounding = static_cast<arith::Rounding>(*rounding); // same order
  }
  if (type == ptx::Type::f32) {
    mode.flush = d.take("ftz");
    mode.saturate = maySaturate && d.take("sat");
  }
  return mode;
}

/** Calls choose.operator()<mode>(). */
template <class Choose> Handler forFloatMode(arith::FloatMode mode, Choose choose) {
  using arith::FloatMode;
  using arith::Rounding;
  const auto flags = [&]<Rounding R>() -> Handler {
    if (mode.flush) {
      return mode.saturate ? choose.template operator()<FloatMode{R, true, true}>()
                           : choose.template operator()<FloatMode{R, true, false}>();
    }
    return mode.saturate ? choose.template operator()<FloatMode{R, false, true}>()
                         : choose.template operator()<FloatMode{R, false, false}>();
  };
  switch (mode.rounding) {
  case Rounding::towardZero:
    return flags.template operator()<Rounding::towardZero>();
  case Rounding::towardNegative:
    return flags.template operator()<Rounding::towardNegative>();
  case Rounding::towardPositive:
    return flags.template operator()<Rounding::towardPositive>();
  default:
    return flags.template operator()<Rounding::nearestEven>();
  }
}

} // namespace simgpu
