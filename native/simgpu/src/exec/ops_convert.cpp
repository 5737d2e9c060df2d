// cvt. Every form goes through arith::convert; the frequent ones have loops of their own.
#include "arith/conversion.h"
#include "arith/packed_integer.h"
#include "exec/convert_small.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"

#include <memory>

namespace simgpu {

namespace {

using arith::Conversion;
using arith::Rounding;
using arith::ScalarType;
using ptx::Type;
constexpr InstructionClass conversionClass = InstructionClass::conversion;

ScalarType scalarType(Decoder& d, Type type) {
  switch (type) {
  case Type::u8:
    return ScalarType::u8;
  case Type::s8:
    return ScalarType::s8;
  case Type::u16:
    return ScalarType::u16;
  case Type::s16:
    return ScalarType::s16;
  case Type::u32:
    return ScalarType::u32;
  case Type::s32:
    return ScalarType::s32;
  case Type::u64:
    return ScalarType::u64;
  case Type::s64:
    return ScalarType::s64;
  case Type::f16:
    return ScalarType::f16;
  case Type::bf16:
    return ScalarType::bf16;
  case Type::tf32:
    return ScalarType::tf32;
  case Type::f32:
    return ScalarType::f32;
  case Type::f64:
    return ScalarType::f64;
  default:
    d.fail("type ." + std::string(ptx::typeName(type)) + " cannot be converted");
  }
}

template <class D, class A> void convertLanes(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto& conversion = *reinterpret_cast<const Conversion*>(op.imm);
  const A* a = warp.slot<A>(op.a);
  D* d = warp.slot<D>(op.d);
  forEachLane(mask, [&](int lane) { d[lane] = static_cast<D>(arith::convert(conversion, a[lane])); });
}

/** Slots of D and A bytes. */
Handler generalHandler(std::uint32_t to, std::uint32_t from) {
  const auto withSource = [&]<class D>(TypeTag<D>) -> Handler {
    return from == 2   ? Handler{convertLanes<D, std::uint16_t>}
           : from == 4 ? Handler{convertLanes<D, std::uint32_t>}
                       : Handler{convertLanes<D, std::uint64_t>};
  };
  return to == 2   ? withSource(TypeTag<std::uint16_t>{})
         : to == 4 ? withSource(TypeTag<std::uint32_t>{})
                   : withSource(TypeTag<std::uint64_t>{});
}

/** Integer to integer without saturation: value T in a slot D, from value S in a slot A. */
template <class T, class D, class S, class A> void castLanes(Warp& warp, const Op& op, std::uint32_t mask) {
  const A* a = warp.slot<A>(op.a);
  storeLanes(warp.slot<D>(op.d), mask, [=](int lane) { return static_cast<D>(static_cast<T>(static_cast<S>(a[lane]))); });
}

template <class S, class A> Handler castFrom(Type to, std::uint32_t slot) {
  switch (to) {
  case Type::u8:
    return slot == 2   ? Handler{castLanes<std::uint8_t, std::uint16_t, S, A>}
           : slot == 4 ? Handler{castLanes<std::uint8_t, std::uint32_t, S, A>}
                       : nullptr;
  case Type::s8:
    return slot == 2   ? Handler{castLanes<std::int8_t, std::uint16_t, S, A>}
           : slot == 4 ? Handler{castLanes<std::int8_t, std::uint32_t, S, A>}
                       : nullptr;
  case Type::u16:
  case Type::s16:
    return slot == 2 ? Handler{castLanes<std::uint16_t, std::uint16_t, S, A>} : nullptr;
  case Type::u32:
  case Type::s32:
    return slot == 4 ? Handler{castLanes<std::uint32_t, std::uint32_t, S, A>} : nullptr;
  default:
    return Handler{castLanes<std::uint64_t, std::uint64_t, S, A>};
  }
}

Handler integerHandler(Type to, std::uint32_t toSlot, Type from, std::uint32_t fromSlot) {
  switch (from) {
  case Type::u8:
    return fromSlot == 2   ? castFrom<std::uint8_t, std::uint16_t>(to, toSlot)
           : fromSlot == 4 ? castFrom<std::uint8_t, std::uint32_t>(to, toSlot)
                           : nullptr;
  case Type::s8:
    return fromSlot == 2   ? castFrom<std::int8_t, std::uint16_t>(to, toSlot)
           : fromSlot == 4 ? castFrom<std::int8_t, std::uint32_t>(to, toSlot)
                           : nullptr;
  case Type::u16:
    return fromSlot == 2 ? castFrom<std::uint16_t, std::uint16_t>(to, toSlot) : nullptr;
  case Type::s16:
    return fromSlot == 2 ? castFrom<std::int16_t, std::uint16_t>(to, toSlot) : nullptr;
  case Type::u32:
    return fromSlot == 4 ? castFrom<std::uint32_t, std::uint32_t>(to, toSlot) : nullptr;
  case Type::s32:
    return fromSlot == 4 ? castFrom<std::int32_t, std::uint32_t>(to, toSlot) : nullptr;
  case Type::u64:
    return castFrom<std::uint64_t, std::uint64_t>(to, toSlot);
  case Type::s64:
    return castFrom<std::int64_t, std::uint64_t>(to, toSlot);
  default:
    return nullptr;
  }
}

struct F16ToFloat {
  static float apply(std::uint16_t a) { return arith::f16ToFloat(a); }
};
struct Bf16ToFloat {
  static float apply(std::uint16_t a) { return arith::bf16ToFloat(a); }
};
struct FloatToF16 {
  static std::uint16_t apply(float a) { return arith::floatToF16(a); }
};
struct FloatToBf16 {
  static std::uint16_t apply(float a) { return arith::floatToBf16(a); }
};
struct FloatToTf32 {
  static std::uint32_t apply(float a) { return arith::floatToTf32(a); }
};
template <class I> struct IntegerToFloat {
  static float apply(I a) { return static_cast<float>(a); }
};
template <class I, Rounding R> struct FloatToInteger {
  static I apply(float a) { return arith::toInteger<I>(a, R); }
};
struct FloatToDouble {
  static double apply(float a) { return static_cast<double>(arith::canonical(a)); }
};
struct DoubleToFloat {
  static float apply(double a) { return arith::canonical(static_cast<float>(a)); }
};

template <class I> Handler fromFloat(Rounding rounding) {
  switch (rounding) {
  case Rounding::towardZero:
    return unary<FloatToInteger<I, Rounding::towardZero>, I, float>;
  case Rounding::towardNegative:
    return unary<FloatToInteger<I, Rounding::towardNegative>, I, float>;
  case Rounding::towardPositive:
    return unary<FloatToInteger<I, Rounding::towardPositive>, I, float>;
  default:
    return unary<FloatToInteger<I, Rounding::nearestEven>, I, float>;
  }
}

/** A loop of its own for frequent conversions whose registers have their types' sizes; null for the others. */
Handler frequentHandler(const Conversion& c) {
  const bool nearest = c.rounding == Rounding::nearestEven;
  if (c.flush || c.saturate || c.relu || c.satfinite || c.integral) {
    return nullptr;
  }
  if (c.from == ScalarType::f16 && c.to == ScalarType::f32) {
    return unary<F16ToFloat, float, std::uint16_t>;
  }
  if (c.from == ScalarType::bf16 && c.to == ScalarType::f32) {
    return unary<Bf16ToFloat, float, std::uint16_t>;
  }
  if (c.from == ScalarType::f32) {
    switch (c.to) {
    case ScalarType::f16:
      return nearest ? unary<FloatToF16, std::uint16_t, float> : nullptr;
    case ScalarType::bf16:
      return nearest ? unary<FloatToBf16, std::uint16_t, float> : nullptr;
    case ScalarType::tf32:
      return c.rounding == Rounding::nearestAway ? unary<FloatToTf32, std::uint32_t, float> : nullptr;
    case ScalarType::f64:
      return unary<FloatToDouble, double, float>;
    case ScalarType::s32:
      return fromFloat<std::int32_t>(c.rounding);
    case ScalarType::u32:
      return fromFloat<std::uint32_t>(c.rounding);
    default:
      return nullptr;
    }
  }
  if (c.to == ScalarType::f32 && nearest) {
    return c.from == ScalarType::s32   ? Handler{unary<IntegerToFloat<std::int32_t>, float, std::int32_t>}
           : c.from == ScalarType::u32 ? Handler{unary<IntegerToFloat<std::uint32_t>, float, std::uint32_t>}
           : c.from == ScalarType::f64 ? Handler{unary<DoubleToFloat, float, double>}
                                       : nullptr;
  }
  return nullptr;
}

/** cvt.rn.f16x2.f32 d, a, b and its relatives: a goes to the high half. */
void convertPair(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto& conversion = *reinterpret_cast<const Conversion*>(op.imm);
  const auto* a = warp.slot<std::uint32_t>(op.a);
  const auto* b = warp.slot<std::uint32_t>(op.b);
  auto* d = warp.slot<std::uint32_t>(op.d);
  forEachLane(mask, [&](int lane) {
    d[lane] = static_cast<std::uint32_t>(arith::convert(conversion, a[lane])) << 16 |
              (static_cast<std::uint32_t>(arith::convert(conversion, b[lane])) & 0xffff);
  });
}

template <class H> void narrowPair(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<float>(op.a);
  const auto* b = warp.slot<float>(op.b);
  storeLanes(warp.slot<std::uint32_t>(op.d), mask, [=](int lane) {
    return static_cast<std::uint32_t>(H::narrow(a[lane])) << 16 | H::narrow(b[lane]);
  });
}

Conversion takeConversion(Decoder& d) {
  Conversion conversion{};
  const auto rounding = d.takeAny({"rn", "rz", "rm", "rp", "rna"}); // in the order of arith::Rounding
  const auto integral = d.takeAny({"rni", "rzi", "rmi", "rpi"});
  if (rounding) {
    conversion.rounding = static_cast<Rounding>(*rounding);
  } else if (integral) {
    conversion.rounding = static_cast<Rounding>(*integral);
    conversion.integral = true;
  }
  conversion.flush = d.take("ftz");
  conversion.saturate = d.take("sat");
  conversion.relu = d.take("relu");
  conversion.satfinite = d.take("satfinite");
  return conversion;
}

void decodePair(Decoder& d, Type to, Conversion conversion) {
  if (d.takeType() != Type::f32) {
    d.fail("packed results come from two .f32 values");
  }
  conversion.from = ScalarType::f32;
  conversion.to = to == Type::f16x2 ? ScalarType::f16 : ScalarType::bf16;
  const bool plain = conversion.rounding == Rounding::nearestEven && !conversion.relu && !conversion.satfinite &&
                     !conversion.flush && !conversion.saturate;
  const Handler handler = !plain               ? convertPair
                          : to == Type::f16x2 ? narrowPair<arith::F16>
                                               : narrowPair<arith::Bf16>;
  Op& op = emitBinary(d, handler, conversionClass, Type::b32, Type::b32, Type::b32);
  op.imm = d.keep(std::make_shared<const Conversion>(conversion));
}

} // namespace

void decodeConvert(Decoder& d) {
  Conversion conversion = takeConversion(d);
  const bool packs = d.take("pack");
  if (packs) {
    decodeConvertPack(d);
    return;
  }
  if (const auto small = d.takeAny({"e4m3x2", "e5m2x2"})) {
    const bool nearest = conversion.rounding == Rounding::nearestEven && !conversion.integral;
    decodeConvertSmall(d, *small == 1, nearest, conversion.satfinite, conversion.relu);
    return;
  }
  if (d.takeAny({"e2m1x2", "e2m3x2", "e3m2x2", "ue8m0x2"})) {
    d.unsupported("floats of fewer than eight bits are of later devices and not simulated; compile for .target sm_80");
  }
  const Type to = d.takeType();
  if (to == Type::f16x2 || to == Type::bf16x2) {
    decodePair(d, to, conversion);
    return;
  }
  const Type from = d.takeType();
  conversion.to = scalarType(d, to);
  conversion.from = scalarType(d, from);
  const bool bothFloat = ptx::isFloat(to) && ptx::isFloat(from);
  // between a float and an integer .rni and .rn say the same
  conversion.integral = conversion.integral && bothFloat;
  d.expectOperands(2, 2);
  const ptx::Operand& result = d.operand(0);
  const std::uint32_t toSlot = d.sizeOf(result, std::max(2u, ptx::sizeOf(to)));
  const std::uint32_t fromSlot = d.sizeOf(d.operand(1), std::max(2u, ptx::sizeOf(from)));
  if (toSlot < ptx::sizeOf(to) || toSlot == 0) {
    d.fail("the destination register is too small");
  }
  const ValueId a = d.source(d.operand(1), from, true);
  const ValueId target = d.destination(result, toSlot);
  Handler handler = nullptr;
  if (!ptx::isFloat(to) && !ptx::isFloat(from) && !conversion.saturate) {
    handler = integerHandler(to, toSlot, from, fromSlot);
  } else if (toSlot == ptx::sizeOf(to) && fromSlot == ptx::sizeOf(from)) {
    handler = frequentHandler(conversion);
  }
  const std::uint64_t imm = d.keep(std::make_shared<const Conversion>(conversion));
  Op& op = d.emit(handler != nullptr ? handler : generalHandler(toSlot, fromSlot), conversionClass);
  op.a = a;
  op.d = target;
  op.imm = imm;
}

namespace {

void packSaturated(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::int32_t>(op.a);
  const auto* b = warp.slot<std::int32_t>(op.b);
  const std::uint32_t* c = op.c != noSlot ? warp.slot<std::uint32_t>(op.c) : nullptr;
  auto* d = warp.slot<std::uint32_t>(op.d);
  forEachLane(mask, [&](int lane) {
    d[lane] = arith::packSaturated(a[lane], b[lane], c != nullptr ? c[lane] : 0, op.n, op.flags != 0);
  });
}

} // namespace

/** cvt.pack.sat.convertType.abType{.cType} d, a, b{, c}: .sat and .pack were taken. */
void decodeConvertPack(Decoder& d) {
  // "s4", "u4", "s2", "u2": types only this instruction has
  const auto narrow = d.takeAny({"u2", "s2"});
  const std::optional<Type> type = narrow ? std::nullopt : d.maybeType();
  int bits = 2;
  bool isSigned = narrow && *narrow == 1;
  if (type) {
    isSigned = ptx::isSigned(*type);
    bits = *type == Type::u4 || *type == Type::s4 ? 4 : static_cast<int>(8 * ptx::sizeOf(*type));
  }
  if (!narrow && (!type || (bits != 4 && bits != 8 && bits != 16))) {
    d.fail("the result type must have 2, 4, 8 or 16 bits");
  }
  if (d.takeType() != Type::s32) {
    d.fail("the source type must be .s32");
  }
  const bool merges = d.take("b32");
  d.expectOperands(merges ? 4 : 3, merges ? 4 : 3);
  const ValueId a = d.source(1, Type::s32);
  const ValueId b = d.source(2, Type::s32);
  const ValueId c = merges ? d.source(3, Type::b32) : 0;
  const ValueId to = d.destination(0, 4);
  Op& op = d.emit(packSaturated, conversionClass);
  op.a = a;
  op.b = b;
  op.c = c;
  op.d = to;
  op.n = static_cast<std::uint8_t>(bits);
  op.flags = isSigned ? 1 : 0;
}

} // namespace simgpu
