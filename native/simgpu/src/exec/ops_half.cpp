// f16 and bf16 instructions, scalar and packed. A packed register of a warp is 64 consecutive 16-bit values, so the
// packed instructions are the scalar ones with twice the count.
#include "arith/half_arithmetic.h"
#include "exec/lanes.h"
#include "exec/ops_float.h"

namespace simgpu {

namespace {

using arith::Bf16;
using arith::F16;
using arith::HalfMode;
using ptx::Type;

enum HalfFlags : std::uint8_t { halfFlush = 1, halfSaturate = 2, halfRelu = 4, halfNan = 8, halfXorSign = 16 };

HalfMode modeOf(const Op& op) {
  return {(op.flags & halfFlush) != 0, (op.flags & halfSaturate) != 0, (op.flags & halfRelu) != 0};
}

/** Writes 16-bit results to the lanes of `mask`: one a lane, or two. */
template <int PerLane> void storeHalves(Warp& warp, const Op& op, std::uint32_t mask, const std::uint16_t* values) {
  auto* d = warp.slot<std::uint16_t>(op.d);
  for (int i = 0; i < lanesPerWarp * PerLane; i++) {
    d[i] = (mask >> (i / PerLane) & 1) != 0 ? values[i] : d[i];
  }
}

template <class H, int PerLane, template <class> class Operation>
void halfBinary(Warp& warp, const Op& op, std::uint32_t mask) {
  std::uint16_t result[lanesPerWarp * PerLane];
  arith::halfBinary<H, Operation>(result, warp.slot<std::uint16_t>(op.a), warp.slot<std::uint16_t>(op.b),
                                  lanesPerWarp * PerLane, modeOf(op));
  storeHalves<PerLane>(warp, op, mask, result);
}

template <class H, int PerLane> void halfFma(Warp& warp, const Op& op, std::uint32_t mask) {
  std::uint16_t result[lanesPerWarp * PerLane];
  arith::halfFma<H>(result, warp.slot<std::uint16_t>(op.a), warp.slot<std::uint16_t>(op.b),
                    warp.slot<std::uint16_t>(op.c), lanesPerWarp * PerLane, modeOf(op));
  storeHalves<PerLane>(warp, op, mask, result);
}

template <class H, int PerLane, bool Larger> void halfExtremum(Warp& warp, const Op& op, std::uint32_t mask) {
  const arith::ExtremumMode mode{(op.flags & halfFlush) != 0, (op.flags & halfNan) != 0, (op.flags & halfXorSign) != 0};
  const auto* a = warp.slot<std::uint16_t>(op.a);
  const auto* b = warp.slot<std::uint16_t>(op.b);
  std::uint16_t result[lanesPerWarp * PerLane];
  for (int i = 0; i < lanesPerWarp * PerLane; i++) {
    result[i] = arith::halfExtremum<H, Larger>(a[i], b[i], mode);
  }
  storeHalves<PerLane>(warp, op, mask, result);
}

template <class H> struct HalfNeg {
  static std::uint16_t apply(std::uint16_t a, bool flush) { return arith::halfNeg<H>(a, flush); }
};
template <class H> struct HalfAbs {
  static std::uint16_t apply(std::uint16_t a, bool flush) { return arith::halfAbs<H>(a, flush); }
};
template <class H> struct Exp2 {
  static std::uint16_t apply(std::uint16_t a, bool flush) {
    return flush ? arith::flushHalf<H>(arith::halfExp2<H>(arith::flushHalf<H>(a))) : arith::halfExp2<H>(a);
  }
};
template <class H> struct Tanh {
  static std::uint16_t apply(std::uint16_t a, bool) { return arith::halfTanh<H>(a); }
};

template <class H, int PerLane, template <class> class Operation>
void halfUnary(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint16_t>(op.a);
  std::uint16_t result[lanesPerWarp * PerLane];
  for (int i = 0; i < lanesPerWarp * PerLane; i++) {
    result[i] = Operation<H>::apply(a[i], (op.flags & halfFlush) != 0);
  }
  storeHalves<PerLane>(warp, op, mask, result);
}

/** Chooses by format and packing. */
template <class Choose> Handler forHalf(Type type, Choose choose) {
  switch (type) {
  case Type::f16:
    return choose.template operator()<F16, 1>();
  case Type::f16x2:
    return choose.template operator()<F16, 2>();
  case Type::bf16:
    return choose.template operator()<Bf16, 1>();
  default:
    return choose.template operator()<Bf16, 2>();
  }
}

template <template <class> class Operation> Handler binaryOf(Type type) {
  return forHalf(type, []<class H, int PerLane>() -> Handler { return halfBinary<H, PerLane, Operation>; });
}

template <template <class> class Operation> Handler unaryOf(Type type) {
  return forHalf(type, []<class H, int PerLane>() -> Handler { return halfUnary<H, PerLane, Operation>; });
}

std::uint8_t takeFlags(Decoder& d, FloatOperation operation) {
  unsigned flags = 0;
  d.take("rn"); // the only rounding there is
  const bool extremum = operation == FloatOperation::min || operation == FloatOperation::max;
  const bool arithmetic = operation <= FloatOperation::fma;
  flags |= d.take("ftz") ? halfFlush : 0;
  flags |= arithmetic && d.take("sat") ? halfSaturate : 0;
  flags |= operation == FloatOperation::fma && d.take("relu") ? halfRelu : 0;
  flags |= extremum && d.take("NaN") ? halfNan : 0;
  if (extremum && d.take("xorsign")) {
    if (!d.take("abs")) {
      d.fail(".xorsign needs .abs");
    }
    flags |= halfXorSign;
  }
  return static_cast<std::uint8_t>(flags);
}

} // namespace

void decodeHalf(Decoder& d, FloatOperation operation, Type type) {
  const InstructionClass half = InstructionClass::float16;
  const std::uint8_t flags = takeFlags(d, operation);
  if (operation == FloatOperation::fma) {
    const Handler handler = forHalf(type, []<class H, int PerLane>() -> Handler { return halfFma<H, PerLane>; });
    emitTernary(d, handler, half, type, type, type, type).flags = flags;
    return;
  }
  if (operation == FloatOperation::neg || operation == FloatOperation::abs) {
    const Handler handler = operation == FloatOperation::neg ? unaryOf<HalfNeg>(type) : unaryOf<HalfAbs>(type);
    emitUnary(d, handler, half, type, type).flags = flags;
    return;
  }
  Handler handler = nullptr;
  switch (operation) {
  case FloatOperation::add:
    d.take("noftz");
    handler = binaryOf<arith::HalfAdd>(type);
    break;
  case FloatOperation::sub:
    handler = binaryOf<arith::HalfSub>(type);
    break;
  case FloatOperation::mul:
    handler = binaryOf<arith::HalfMul>(type);
    break;
  case FloatOperation::min:
    handler = forHalf(type, []<class H, int PerLane>() -> Handler { return halfExtremum<H, PerLane, false>; });
    break;
  case FloatOperation::max:
    handler = forHalf(type, []<class H, int PerLane>() -> Handler { return halfExtremum<H, PerLane, true>; });
    break;
  default:
    d.fail("type ." + std::string(ptx::typeName(type)) + " is not allowed here");
  }
  emitBinary(d, handler, half, type, type, type).flags = flags;
}

void decodeHalfFunction(Decoder& d, Type type) {
  const std::string_view opcode = d.instruction().opcode();
  if (opcode != "ex2" && opcode != "tanh") {
    d.fail("type ." + std::string(ptx::typeName(type)) + " is not allowed here");
  }
  const std::uint8_t flags = opcode == "ex2" && d.take("ftz") ? halfFlush : 0;
  const Handler handler = opcode == "ex2" ? unaryOf<Exp2>(type) : unaryOf<Tanh>(type);
  emitUnary(d, handler, InstructionClass::special, type, type).flags = flags;
}

} // namespace simgpu
