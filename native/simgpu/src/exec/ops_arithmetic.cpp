// Integer arithmetic. The arithmetic itself is in arith/integer.h.
#include "arith/integer.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"
#include "exec/ops_carry.h"
#include "exec/ops_float.h"

namespace simgpu {

namespace {

using ptx::Type;
constexpr InstructionClass integer = InstructionClass::integer;

struct Add {
  template <class T> static T apply(T a, T b) { return arith::wrappingAdd(a, b); }
};
struct Sub {
  template <class T> static T apply(T a, T b) { return arith::wrappingSub(a, b); }
};
struct AddSaturated {
  static std::int32_t apply(std::int32_t a, std::int32_t b) { return arith::saturatingAdd(a, b); }
};
struct SubSaturated {
  static std::int32_t apply(std::int32_t a, std::int32_t b) { return arith::saturatingSub(a, b); }
};
struct MulLow {
  template <class T> static T apply(T a, T b) { return arith::mulLow(a, b); }
};
struct MulHigh {
  template <class T> static T apply(T a, T b) { return arith::mulHigh(a, b); }
};
struct MulWide {
  template <class T> static auto apply(T a, T b) { return arith::mulWide(a, b); }
};
struct MadLow {
  template <class T> static T apply(T a, T b, T c) { return arith::madLow(a, b, c); }
};
struct MadHigh {
  template <class T> static T apply(T a, T b, T c) { return arith::madHigh(a, b, c); }
};
struct MadHighSaturated {
  static std::int32_t apply(std::int32_t a, std::int32_t b, std::int32_t c) {
    return arith::saturatingMadHigh(a, b, c);
  }
};
struct MadWide {
  template <class T> static auto apply(T a, T b, arith::Wide<T> c) { return arith::madWide(a, b, c); }
};
struct Divide {
  template <class T> static T apply(T a, T b) { return arith::divide(a, b); }
};
struct Remainder {
  template <class T> static T apply(T a, T b) { return arith::remainder(a, b); }
};
struct Smaller {
  template <class T> static T apply(T a, T b) { return a < b ? a : b; }
};
struct Larger {
  template <class T> static T apply(T a, T b) { return a > b ? a : b; }
};
struct Negate {
  template <class T> static T apply(T a) { return arith::negate(a); }
};
struct Absolute {
  template <class T> static T apply(T a) { return arith::absolute(a); }
};
struct Sad {
  template <class T> static T apply(T a, T b, T c) { return arith::sumAbsoluteDifference(a, b, c); }
};
struct Mul24Low {
  template <class T> static T apply(T a, T b) { return arith::mul24Low(a, b); }
};
struct Mul24High {
  template <class T> static T apply(T a, T b) { return arith::mul24High(a, b); }
};
struct Mad24Low {
  template <class T> static T apply(T a, T b, T c) { return arith::wrappingAdd(arith::mul24Low(a, b), c); }
};
struct Mad24High {
  template <class T> static T apply(T a, T b, T c) { return arith::wrappingAdd(arith::mul24High(a, b), c); }
};
struct Mad24HighSaturated {
  static std::int32_t apply(std::int32_t a, std::int32_t b, std::int32_t c) {
    return arith::saturatingAdd(arith::mul24High(a, b), c);
  }
};

template <class F> Handler binaryOf(Decoder& d, Type type) {
  return forInteger(d, type, []<class T>(TypeTag<T>) -> Handler { return binary<F, T, T>; });
}

template <class F> Handler ternaryOf(Decoder& d, Type type) {
  return forInteger(d, type, []<class T>(TypeTag<T>) -> Handler { return ternary<F, T, T>; });
}

template <class F> void decodeBinary(Decoder& d, Type type) {
  const Handler handler = binaryOf<F>(d, type);
  emitBinary(d, handler, integer, type, type, type);
}

/** The type of twice the width, for .wide. */
Type widened(Decoder& d, Type type) {
  switch (type) {
  case Type::u16:
    return Type::u32;
  case Type::s16:
    return Type::s32;
  case Type::u32:
    return Type::u64;
  case Type::s32:
    return Type::s64;
  default:
    d.fail(".wide needs a 16- or 32-bit integer type");
  }
}

template <class Choose> Handler forWide(Decoder& d, Type type, Choose choose) {
  switch (type) {
  case Type::u16:
    return choose(TypeTag<std::uint16_t>{});
  case Type::s16:
    return choose(TypeTag<std::int16_t>{});
  case Type::u32:
    return choose(TypeTag<std::uint32_t>{});
  case Type::s32:
    return choose(TypeTag<std::int32_t>{});
  default:
    d.fail(".wide needs a 16- or 32-bit integer type");
  }
}

Type require32(Decoder& d, Type type) {
  if (type != Type::s32 && type != Type::u32) {
    d.fail("the type must be .s32 or .u32");
  }
  return type;
}

void decodeAddOrSub(Decoder& d, bool subtract) {
  if (d.take("cc")) {
    decodeAddCarry(d, subtract, false, true);
    return;
  }
  const Type type = d.takeType();
  const FloatOperation operation = subtract ? FloatOperation::sub : FloatOperation::add;
  if (isHalf(type)) {
    decodeHalf(d, operation, type);
  } else if (ptx::isFloat(type)) {
    decodeFloat(d, operation, type);
  } else if (d.take("sat")) {
    if (type != Type::s32) {
      d.fail(".sat needs type .s32");
    }
    const Handler handler = subtract ? Handler{binary<SubSaturated, std::int32_t, std::int32_t>}
                                     : Handler{binary<AddSaturated, std::int32_t, std::int32_t>};
    emitBinary(d, handler, integer, type, type, type);
  } else if (subtract) {
    decodeBinary<Sub>(d, type);
  } else {
    decodeBinary<Add>(d, type);
  }
}

} // namespace

void decodeAdd(Decoder& d) { decodeAddOrSub(d, false); }
void decodeSub(Decoder& d) { decodeAddOrSub(d, true); }

void decodeMul(Decoder& d) {
  const auto half = d.takeAny({"lo", "hi", "wide"});
  const Type type = d.takeType();
  if (ptx::isFloat(type)) {
    if (half) {
      d.fail(".lo, .hi and .wide are for integers");
    }
    isHalf(type) ? decodeHalf(d, FloatOperation::mul, type) : decodeFloat(d, FloatOperation::mul, type);
    return;
  }
  if (!half) {
    d.fail(".lo, .hi or .wide is missing");
  }
  if (*half == 2) {
    const Type wide = widened(d, type);
    const Handler handler = forWide(d, type, []<class T>(TypeTag<T>) -> Handler { return binary<MulWide, arith::Wide<T>, T>; });
    emitBinary(d, handler, integer, wide, type, type);
  } else if (*half == 1) {
    decodeBinary<MulHigh>(d, type);
  } else {
    decodeBinary<MulLow>(d, type);
  }
}

void decodeMad(Decoder& d) {
  if (d.take("cc")) {
    decodeMadCarry(d, false, true);
    return;
  }
  const auto half = d.takeAny({"lo", "hi", "wide"});
  const bool saturate = half && *half == 1 && d.take("sat");
  const Type type = d.takeType();
  if (ptx::isFloat(type)) {
    decodeFloat(d, FloatOperation::fma, type); // mad of floats is fma on every device since sm_20
    return;
  }
  if (!half) {
    d.fail(".lo, .hi or .wide is missing");
  }
  if (*half == 2) {
    const Type wide = widened(d, type);
    const Handler handler = forWide(
        d, type, []<class T>(TypeTag<T>) -> Handler { return ternary<MadWide, arith::Wide<T>, T, T, arith::Wide<T>>; });
    emitTernary(d, handler, integer, wide, type, type, wide);
    return;
  }
  if (saturate && type != Type::s32) {
    d.fail(".sat needs type .s32");
  }
  const Handler handler = saturate     ? ternary<MadHighSaturated, std::int32_t, std::int32_t>
                          : *half == 1 ? ternaryOf<MadHigh>(d, type)
                                       : ternaryOf<MadLow>(d, type);
  emitTernary(d, handler, integer, type, type, type, type);
}

void decodeFma(Decoder& d) {
  const Type type = d.takeType();
  if (!ptx::isFloat(type)) {
    d.fail("fma is for floating-point types");
  }
  isHalf(type) ? decodeHalf(d, FloatOperation::fma, type) : decodeFloat(d, FloatOperation::fma, type);
}

void decodeDiv(Decoder& d) {
  const Type type = d.takeType();
  ptx::isFloat(type) ? decodeFloat(d, FloatOperation::div, type) : decodeBinary<Divide>(d, type);
}

void decodeRem(Decoder& d) { decodeBinary<Remainder>(d, d.takeType()); }

void decodeMinMax(Decoder& d) {
  const bool larger = d.instruction().opcode() == "max";
  const Type type = d.takeType();
  const FloatOperation operation = larger ? FloatOperation::max : FloatOperation::min;
  if (isHalf(type)) {
    decodeHalf(d, operation, type);
  } else if (ptx::isFloat(type)) {
    decodeFloat(d, operation, type);
  } else if (larger) {
    decodeBinary<Larger>(d, type);
  } else {
    decodeBinary<Smaller>(d, type);
  }
}

void decodeNegate(Decoder& d) {
  const Type type = d.takeType();
  if (isHalf(type)) {
    decodeHalf(d, FloatOperation::neg, type);
  } else if (ptx::isFloat(type)) {
    decodeFloat(d, FloatOperation::neg, type);
  } else {
    const Handler handler = forInteger(d, type, []<class T>(TypeTag<T>) -> Handler { return unary<Negate, T, T>; });
    emitUnary(d, handler, integer, type, type);
  }
}

void decodeAbsolute(Decoder& d) {
  const Type type = d.takeType();
  if (isHalf(type)) {
    decodeHalf(d, FloatOperation::abs, type);
  } else if (ptx::isFloat(type)) {
    decodeFloat(d, FloatOperation::abs, type);
  } else {
    if (!ptx::isSigned(type)) {
      d.fail("abs needs a signed type");
    }
    const Handler handler = forInteger(d, type, []<class T>(TypeTag<T>) -> Handler { return unary<Absolute, T, T>; });
    emitUnary(d, handler, integer, type, type);
  }
}

void decodeSad(Decoder& d) {
  const Type type = d.takeType();
  const Handler handler = ternaryOf<Sad>(d, type);
  emitTernary(d, handler, integer, type, type, type, type);
}

void decodeMul24(Decoder& d) {
  const bool multiplyAdd = d.instruction().opcode() == "mad24";
  const bool high = d.take("hi");
  if (!high && !d.take("lo")) {
    d.fail(".lo or .hi is missing");
  }
  const bool saturate = high && multiplyAdd && d.take("sat");
  const Type type = require32(d, d.takeType());
  const bool isSigned = type == Type::s32;
  using S = std::int32_t;
  using U = std::uint32_t;
  if (!multiplyAdd) {
    const Handler handler = high ? (isSigned ? binary<Mul24High, S, S> : binary<Mul24High, U, U>)
                                 : (isSigned ? binary<Mul24Low, S, S> : binary<Mul24Low, U, U>);
    emitBinary(d, handler, integer, type, type, type);
    return;
  }
  if (saturate && !isSigned) {
    d.fail(".sat needs type .s32");
  }
  const Handler handler = saturate ? ternary<Mad24HighSaturated, S, S>
                          : high   ? (isSigned ? ternary<Mad24High, S, S> : ternary<Mad24High, U, U>)
                                   : (isSigned ? ternary<Mad24Low, S, S> : ternary<Mad24Low, U, U>);
  emitTernary(d, handler, integer, type, type, type, type);
}

} // namespace simgpu
