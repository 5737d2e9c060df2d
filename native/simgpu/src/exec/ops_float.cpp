// f32 and f64 instructions. The arithmetic is in arith/float_arithmetic.h and arith/approximate.h.
#include "exec/ops_float.h"

#include "arith/approximate.h"
#include "arith/comparison.h"
#include "exec/float_mode.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"

namespace simgpu {

namespace {

using arith::FloatMode;
using ptx::Type;

InstructionClass classOf(Type type) {
  return type == Type::f64 ? InstructionClass::float64 : InstructionClass::float32;
}

template <FloatMode M> struct FloatAdd {
  template <class T> static T apply(T a, T b) { return arith::add(a, b, M); }
};
template <FloatMode M> struct FloatSub {
  template <class T> static T apply(T a, T b) { return arith::sub(a, b, M); }
};
template <FloatMode M> struct Mul {
  template <class T> static T apply(T a, T b) { return arith::mul(a, b, M); }
};
template <FloatMode M> struct Fma {
  template <class T> static T apply(T a, T b, T c) { return arith::fma(a, b, c, M); }
};
template <FloatMode M> struct Div {
  template <class T> static T apply(T a, T b) { return arith::div(a, b, M); }
};
template <FloatMode M> struct Rcp {
  template <class T> static T apply(T a) { return arith::rcp(a, M); }
};
template <FloatMode M> struct Sqrt {
  template <class T> static T apply(T a) { return arith::sqrt(a, M); }
};
template <FloatMode M> struct FloatNeg {
  template <class T> static T apply(T a) { return arith::neg(a, M); }
};
template <FloatMode M> struct FloatAbs {
  template <class T> static T apply(T a) { return arith::abs(a, M); }
};

template <bool Flush> struct DivApprox {
  static float apply(float a, float b) {
    return Flush ? arith::flush(arith::divApprox(arith::flush(a), arith::flush(b))) : arith::divApprox(a, b);
  }
};
template <bool Flush> struct DivFull {
  static float apply(float a, float b) {
    return Flush ? arith::flush(arith::divFull(arith::flush(a), arith::flush(b))) : arith::divFull(a, b);
  }
};

/** One approximate function with or without .ftz. */
template <float (*Function)(float), bool Flush> struct Approximate {
  static float apply(float a) { return Flush ? arith::flushed(Function, a) : Function(a); }
};
struct RcpGross {
  static double apply(double a) { return arith::rcpGross(a); }
};
struct RsqrtGross {
  static double apply(double a) { return arith::rsqrtGross(a); }
};
struct RsqrtDouble {
  static double apply(double a) { return arith::rsqrtApprox(a); }
};

struct ExtremumFlags {
  bool larger;
  arith::ExtremumMode mode;
};

template <bool Larger, bool Flush, bool Nan, bool Xor> struct Extremum {
  template <class T> static T apply(T a, T b) {
    return arith::extremum<Larger>(a, b, arith::ExtremumMode{Flush, Nan, Xor});
  }
};

template <bool Larger, bool Flush> Handler extremumOf(bool nan, bool xorSign) {
  return nan ? (xorSign ? binary<Extremum<Larger, Flush, true, true>, float, float>
                        : binary<Extremum<Larger, Flush, true, false>, float, float>)
             : (xorSign ? binary<Extremum<Larger, Flush, false, true>, float, float>
                        : binary<Extremum<Larger, Flush, false, false>, float, float>);
}

void decodeExtremum(Decoder& d, bool larger, Type type) {
  Handler handler = nullptr;
  if (type == Type::f64) {
    handler = larger ? binary<Extremum<true, false, false, false>, double, double>
                     : binary<Extremum<false, false, false, false>, double, double>;
  } else {
    const bool flush = d.take("ftz");
    const bool nan = d.take("NaN");
    const bool xorSign = d.take("xorsign");
    if (xorSign && !d.take("abs")) {
      d.fail(".xorsign needs .abs");
    }
    handler = larger ? (flush ? extremumOf<true, true>(nan, xorSign) : extremumOf<true, false>(nan, xorSign))
                     : (flush ? extremumOf<false, true>(nan, xorSign) : extremumOf<false, false>(nan, xorSign));
  }
  emitBinary(d, handler, classOf(type), type, type, type);
}

template <template <FloatMode> class F> Handler unaryMode(Type type, FloatMode mode) {
  return forFloatMode(mode, [&]<FloatMode M>() -> Handler {
    return type == Type::f64 ? Handler{unary<F<M>, double, double>} : Handler{unary<F<M>, float, float>};
  });
}

template <template <FloatMode> class F> Handler binaryMode(Type type, FloatMode mode) {
  return forFloatMode(mode, [&]<FloatMode M>() -> Handler {
    return type == Type::f64 ? Handler{binary<F<M>, double, double>} : Handler{binary<F<M>, float, float>};
  });
}

template <template <FloatMode> class F> Handler ternaryMode(Type type, FloatMode mode) {
  return forFloatMode(mode, [&]<FloatMode M>() -> Handler {
    return type == Type::f64 ? Handler{ternary<F<M>, double, double>} : Handler{ternary<F<M>, float, float>};
  });
}

void requireFloat(Decoder& d, Type type) {
  if (type != Type::f32 && type != Type::f64) {
    d.fail("type ." + std::string(ptx::typeName(type)) + " is not allowed here");
  }
}

void decodeDivision(Decoder& d, Type type) {
  const auto approximate = d.takeAny({"approx", "full"});
  const InstructionClass special = InstructionClass::special;
  if (!approximate) {
    const FloatMode mode = takeFloatMode(d, type, false);
    emitBinary(d, binaryMode<Div>(type, mode), classOf(type), type, type, type);
    return;
  }
  if (type != Type::f32) {
    d.fail(".approx and .full are for .f32");
  }
  const bool flush = d.take("ftz");
  const Handler handler = *approximate == 0
                              ? (flush ? binary<DivApprox<true>, float, float> : binary<DivApprox<false>, float, float>)
                              : (flush ? binary<DivFull<true>, float, float> : binary<DivFull<false>, float, float>);
  emitBinary(d, handler, special, type, type, type);
}

template <float (*Function)(float)> Handler approximateOf(bool flush) {
  return flush ? unary<Approximate<Function, true>, float, float> : unary<Approximate<Function, false>, float, float>;
}

} // namespace

void decodeFloat(Decoder& d, FloatOperation operation, Type type) {
  requireFloat(d, type);
  switch (operation) {
  case FloatOperation::add:
    emitBinary(d, binaryMode<FloatAdd>(type, takeFloatMode(d, type, true)), classOf(type), type, type, type);
    break;
  case FloatOperation::sub:
    emitBinary(d, binaryMode<FloatSub>(type, takeFloatMode(d, type, true)), classOf(type), type, type, type);
    break;
  case FloatOperation::mul:
    emitBinary(d, binaryMode<Mul>(type, takeFloatMode(d, type, true)), classOf(type), type, type, type);
    break;
  case FloatOperation::fma:
    emitTernary(d, ternaryMode<Fma>(type, takeFloatMode(d, type, true)), classOf(type), type, type, type, type);
    break;
  case FloatOperation::div:
    decodeDivision(d, type);
    break;
  case FloatOperation::min:
    decodeExtremum(d, false, type);
    break;
  case FloatOperation::max:
    decodeExtremum(d, true, type);
    break;
  case FloatOperation::neg:
    emitUnary(d, unaryMode<FloatNeg>(type, takeFloatMode(d, type, false)), classOf(type), type, type);
    break;
  case FloatOperation::abs:
    emitUnary(d, unaryMode<FloatAbs>(type, takeFloatMode(d, type, false)), classOf(type), type, type);
    break;
  }
}

void decodeRoot(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  const bool approximate = d.take("approx");
  const Type type = d.takeType();
  requireFloat(d, type);
  Handler handler = nullptr;
  if (type == Type::f64 && approximate) {
    const bool gross = d.take("ftz");
    if (opcode == "sqrt" || (opcode == "rcp" && !gross)) {
      d.fail("there is no such approximation for .f64");
    }
    handler = opcode == "rcp" ? unary<RcpGross, double, double>
              : gross         ? unary<RsqrtGross, double, double>
                              : unary<RsqrtDouble, double, double>;
  } else if (approximate) {
    const bool flush = d.take("ftz");
    handler = opcode == "rcp"    ? approximateOf<arith::rcpApprox>(flush)
              : opcode == "sqrt" ? approximateOf<arith::sqrtApprox>(flush)
                                 : approximateOf<static_cast<float (*)(float)>(arith::rsqrtApprox)>(flush);
  } else if (opcode == "rsqrt") {
    d.fail("rsqrt exists as .approx only");
  } else {
    const FloatMode mode = takeFloatMode(d, type, false);
    handler = opcode == "rcp" ? unaryMode<Rcp>(type, mode) : unaryMode<Sqrt>(type, mode);
  }
  emitUnary(d, handler, type == Type::f64 ? InstructionClass::float64 : InstructionClass::special, type, type);
}

void decodeCopySign(Decoder& d) {
  struct CopySign {
    static float apply(float a, float b) { return arith::copySign(a, b); }
    static double apply(double a, double b) { return arith::copySign(a, b); }
  };
  const Type type = d.takeType();
  requireFloat(d, type);
  const Handler handler =
      type == Type::f64 ? Handler{binary<CopySign, double, double>} : Handler{binary<CopySign, float, float>};
  emitBinary(d, handler, classOf(type), type, type, type);
}

namespace {

template <class T> void testProperty(Warp& warp, const Op& op, std::uint32_t mask) {
  const T* a = warp.slot<T>(op.a);
  const auto property = static_cast<arith::FloatProperty>(op.n);
  warp.setPredicate(op.d, mask, gatherBits([&](int lane) { return arith::hasProperty(property, a[lane]); }));
}

} // namespace

void decodeTestProperty(Decoder& d) {
  // in the order of arith::FloatProperty
  const auto property = d.takeAny({"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
  if (!property) {
    d.fail("the property is missing");
  }
  const Type type = d.takeType();
  requireFloat(d, type);
  d.expectOperands(2, 2);
  const ValueId a = d.source(1, type);
  const ValueId to = d.destination(0, 0);
  Op& op = d.emit(type == Type::f64 ? testProperty<double> : testProperty<float>, InstructionClass::predicate);
  op.a = a;
  op.d = to;
  op.n = static_cast<std::uint8_t>(*property);
}

void decodeFunction(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  if (!d.take("approx")) {
    d.fail(".approx is missing");
  }
  const Type type = d.takeType();
  if (isHalf(type)) {
    decodeHalfFunction(d, type);
    return;
  }
  if (type != Type::f32) {
    d.fail("type ." + std::string(ptx::typeName(type)) + " is not allowed here");
  }
  const bool flush = d.take("ftz");
  const Handler handler = opcode == "sin"   ? approximateOf<arith::sinApprox>(flush)
                          : opcode == "cos" ? approximateOf<arith::cosApprox>(flush)
                          : opcode == "lg2" ? approximateOf<arith::log2Approx>(flush)
                          : opcode == "ex2" ? approximateOf<arith::exp2Approx>(flush)
                                            : approximateOf<arith::tanhApprox>(flush);
  emitUnary(d, handler, InstructionClass::special, type, type);
}

} // namespace simgpu
