// Logic, shifts, bit fields, permutations and packed integer instructions.
#include "arith/bit_field.h"
#include "arith/packed_integer.h"
#include "exec/bit_operations.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"

#include <memory>

namespace simgpu {

namespace {

using ptx::Type;
constexpr InstructionClass bitClass = InstructionClass::integer;

struct Not {
  template <class T> static T apply(T a) { return static_cast<T>(~a); }
};
struct LogicalNot {
  template <class T> static T apply(T a) { return static_cast<T>(a == 0); }
};
struct ShiftLeft {
  template <class T> static T apply(T a, std::uint32_t n) { return arith::shiftLeft(a, n); }
};
struct ShiftRight {
  template <class T> static T apply(T a, std::uint32_t n) { return arith::shiftRight(a, n); }
};
template <bool Wrap> struct FunnelLeft {
  static std::uint32_t apply(std::uint32_t a, std::uint32_t b, std::uint32_t n) {
    return arith::funnelShiftLeft(a, b, n, Wrap);
  }
};
template <bool Wrap> struct FunnelRight {
  static std::uint32_t apply(std::uint32_t a, std::uint32_t b, std::uint32_t n) {
    return arith::funnelShiftRight(a, b, n, Wrap);
  }
};
struct Extract {
  template <class T> static T apply(T a, std::uint32_t position, std::uint32_t length) {
    return arith::bitFieldExtract(a, position, length);
  }
};
template <bool Wrap> struct MaskBits {
  static std::uint32_t apply(std::uint32_t position, std::uint32_t width) {
    return arith::bitMask(position, width, Wrap);
  }
};
template <bool Wrap> struct Extend {
  template <class T> static T apply(T a, std::uint32_t width) { return arith::extendFrom(a, width, Wrap); }
};
struct Population {
  template <class T> static std::uint32_t apply(T a) { return static_cast<std::uint32_t>(arith::populationCount(a)); }
};
struct Zeros {
  template <class T> static std::uint32_t apply(T a) { return static_cast<std::uint32_t>(arith::leadingZeros(a)); }
};
struct Reverse {
  template <class T> static T apply(T a) { return arith::reverseBits(a); }
};
template <bool ShiftAmount> struct Find {
  template <class T> static std::uint32_t apply(T a) { return arith::findLeadingBit(a, ShiftAmount); }
};
struct NthSet {
  static std::uint32_t apply(std::uint32_t mask, std::uint32_t base, std::int32_t offset) {
    return arith::findNthSet(mask, base, offset);
  }
};

template <class F> void predicateBinary(Warp& warp, const Op& op, std::uint32_t mask) {
  warp.setPredicate(op.d, mask, F::apply(warp.predicate(op.a), warp.predicate(op.b)));
}

void predicateNot(Warp& warp, const Op& op, std::uint32_t mask) {
  warp.setPredicate(op.d, mask, ~warp.predicate(op.a));
}

template <class F> void decodeLogicBinary(Decoder& d, Type type) {
  if (type == Type::pred) {
    d.expectOperands(3, 3);
    const ValueId a = d.predicate(1);
    const ValueId b = d.predicate(2);
    const ValueId to = d.destination(0, 0);
    Op& op = d.emit(predicateBinary<F>, InstructionClass::predicate);
    op.a = a;
    op.b = b;
    op.d = to;
    return;
  }
  const Handler handler = forBits(d, type, []<class T>(TypeTag<T>) -> Handler { return binary<F, T, T>; });
  emitBinary(d, handler, bitClass, type, type, type);
}

void lop3(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint32_t>(op.a);
  const auto* b = warp.slot<std::uint32_t>(op.b);
  const auto* c = warp.slot<std::uint32_t>(op.c);
  const auto table = static_cast<std::uint32_t>(op.imm);
  storeLanes(warp.slot<std::uint32_t>(op.d), mask, [=](int lane) { return arith::lop3(a[lane], b[lane], c[lane], table); });
}

/** lop3.{and,or}.b32 d|p, a, b, c, table, q: p = (d != 0) and/or q. */
void lop3Predicate(Warp& warp, const Op& op, std::uint32_t mask) {
  lop3(warp, op, mask);
  const auto* result = warp.slot<std::uint32_t>(op.d);
  const std::uint32_t nonZero = gatherBits([&](int lane) { return result[lane] != 0; });
  const std::uint32_t q = warp.predicate(op.e);
  warp.setPredicate(op.d2, mask, op.n == 0 ? nonZero & q : nonZero | q);
}

void permute(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint32_t>(op.a);
  const auto* b = warp.slot<std::uint32_t>(op.b);
  const auto* c = warp.slot<std::uint32_t>(op.c);
  const auto mode = static_cast<arith::PermuteMode>(op.n);
  storeLanes(warp.slot<std::uint32_t>(op.d), mask, [=](int lane) { return arith::permute(a[lane], b[lane], c[lane], mode); });
}

template <class T> void insertField(Warp& warp, const Op& op, std::uint32_t mask) {
  const T* a = warp.slot<T>(op.a);
  const T* b = warp.slot<T>(op.b);
  const auto* c = warp.slot<std::uint32_t>(op.c);
  const auto* e = warp.slot<std::uint32_t>(op.e);
  storeLanes(warp.slot<T>(op.d), mask, [=](int lane) { return arith::bitFieldInsert(a[lane], b[lane], c[lane], e[lane]); });
}

enum DotFlags : std::uint8_t { aSigned = 1, bSigned = 2, highHalf = 4 };

template <bool Halves> void dotProduct(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint32_t>(op.a);
  const auto* b = warp.slot<std::uint32_t>(op.b);
  const auto* c = warp.slot<std::uint32_t>(op.c);
  const bool leftSigned = (op.flags & aSigned) != 0;
  const bool rightSigned = (op.flags & bSigned) != 0;
  const bool high = (op.flags & highHalf) != 0;
  storeLanes(warp.slot<std::uint32_t>(op.d), mask, [=](int lane) {
    return Halves ? arith::dotHalves(a[lane], b[lane], c[lane], leftSigned, rightSigned, high)
                  : arith::dotBytes(a[lane], b[lane], c[lane], leftSigned, rightSigned);
  });
}

} // namespace

void decodeLogic(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  const Type type = d.takeType();
  if (opcode == "and") {
    decodeLogicBinary<And>(d, type);
  } else if (opcode == "or") {
    decodeLogicBinary<Or>(d, type);
  } else if (opcode == "xor") {
    decodeLogicBinary<Xor>(d, type);
  } else if (opcode == "not" && type == Type::pred) {
    d.expectOperands(2, 2);
    const ValueId a = d.predicate(1);
    const ValueId to = d.destination(0, 0);
    Op& op = d.emit(predicateNot, InstructionClass::predicate);
    op.a = a;
    op.d = to;
  } else if (opcode == "not") {
    emitUnary(d, forBits(d, type, []<class T>(TypeTag<T>) -> Handler { return unary<Not, T, T>; }), bitClass, type, type);
  } else {
    emitUnary(d, forBits(d, type, []<class T>(TypeTag<T>) -> Handler { return unary<LogicalNot, T, T>; }), bitClass, type,
              type);
  }
}

void decodeShift(Decoder& d) {
  const bool left = d.instruction().opcode() == "shl";
  const Type type = d.takeType();
  const Handler handler = forInteger(d, type, [left]<class T>(TypeTag<T>) -> Handler {
    return left ? binary<ShiftLeft, T, T, std::uint32_t> : binary<ShiftRight, T, T, std::uint32_t>;
  });
  emitBinary(d, handler, bitClass, type, type, Type::u32);
}

void decodeFunnelShift(Decoder& d) {
  const auto direction = d.takeAny({"l", "r"});
  const auto overflow = d.takeAny({"clamp", "wrap"});
  if (!direction || !overflow || d.takeType() != Type::b32) {
    d.fail("the form is shf.{l,r}.{clamp,wrap}.b32");
  }
  using U = std::uint32_t;
  const Handler handler = *direction == 0 ? (*overflow == 0 ? ternary<FunnelLeft<false>, U, U> : ternary<FunnelLeft<true>, U, U>)
                                          : (*overflow == 0 ? ternary<FunnelRight<false>, U, U> : ternary<FunnelRight<true>, U, U>);
  emitTernary(d, handler, bitClass, Type::b32, Type::b32, Type::b32, Type::u32);
}

void decodeLop3(Decoder& d) {
  const auto combine = d.takeAny({"and", "or"});
  const Type type = d.takeType();
  if (type != Type::b32) {
    d.fail("the type must be .b32");
  }
  d.expectOperands(combine ? 6 : 5, combine ? 6 : 5);
  const ValueId a = d.source(1, type);
  const ValueId b = d.source(2, type);
  const ValueId c = d.source(3, type);
  const std::uint64_t table = d.immediate(4) & 0xff;
  const ptx::Operand& result = d.operand(0);
  const bool pair = result.kind == ptx::Operand::Kind::pair;
  if (pair != combine.has_value()) {
    d.fail("the result d|p goes with .and or .or");
  }
  const ValueId q = combine ? d.predicate(5) : 0;
  const ValueId to = d.destination(pair ? result.elements[0] : result, 4);
  const ValueId p = pair ? d.destination(result.elements[1], 0) : 0;
  Op& op = d.emit(pair ? lop3Predicate : lop3, bitClass);
  op.a = a;
  op.b = b;
  op.c = c;
  op.d = to;
  op.d2 = p;
  op.e = q;
  op.imm = table;
  op.n = static_cast<std::uint8_t>(combine.value_or(0));
}

void decodePermute(Decoder& d) {
  const Type type = d.takeType();
  const auto mode = d.takeAny({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}); // the order of arith::PermuteMode
  if (type != Type::b32) {
    d.fail("the type must be .b32");
  }
  emitTernary(d, permute, bitClass, type, type, type, type).n = static_cast<std::uint8_t>(mode ? *mode + 1 : 0);
}

void decodeBitField(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  const auto overflow = d.takeAny({"clamp", "wrap"});
  const bool wrap = overflow && *overflow == 1;
  const Type type = d.takeType();
  if (opcode == "bfe") {
    const Handler handler = forInteger(
        d, type, []<class T>(TypeTag<T>) -> Handler { return ternary<Extract, T, T, std::uint32_t, std::uint32_t>; });
    emitTernary(d, handler, bitClass, type, type, Type::u32, Type::u32);
  } else if (opcode == "bmsk") {
    const Handler handler = wrap ? binary<MaskBits<true>, std::uint32_t, std::uint32_t>
                                 : binary<MaskBits<false>, std::uint32_t, std::uint32_t>;
    emitBinary(d, handler, bitClass, Type::b32, Type::b32, Type::b32);
  } else if (opcode == "szext") {
    const Handler handler =
        type == Type::s32 ? (wrap ? Handler{binary<Extend<true>, std::int32_t, std::int32_t, std::uint32_t>}
                                  : Handler{binary<Extend<false>, std::int32_t, std::int32_t, std::uint32_t>})
                          : (wrap ? Handler{binary<Extend<true>, std::uint32_t, std::uint32_t>}
                                  : Handler{binary<Extend<false>, std::uint32_t, std::uint32_t>});
    emitBinary(d, handler, bitClass, Type::b32, Type::b32, Type::b32);
  } else {
    d.expectOperands(5, 5);
    if (type != Type::b32 && type != Type::b64) {
      d.fail("the type must be .b32 or .b64");
    }
    const ValueId a = d.source(1, type);
    const ValueId b = d.source(2, type);
    const ValueId c = d.source(3, Type::u32);
    const ValueId e = d.source(4, Type::u32);
    const ValueId to = d.destination(0, ptx::sizeOf(type));
    Op& op = d.emit(type == Type::b32 ? insertField<std::uint32_t> : insertField<std::uint64_t>, bitClass);
    op.a = a;
    op.b = b;
    op.c = c;
    op.e = e;
    op.d = to;
  }
}

void decodeBitCount(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  const bool shiftAmount = opcode == "bfind" && d.take("shiftamt");
  const Type type = d.takeType();
  if (opcode == "fns") {
    emitTernary(d, ternary<NthSet, std::uint32_t, std::uint32_t, std::uint32_t, std::int32_t>, bitClass, Type::b32,
                Type::b32, Type::b32, Type::s32);
    return;
  }
  if (ptx::sizeOf(type) < 4 || ptx::isFloat(type)) {
    d.fail("the type must have 32 or 64 bits");
  }
  const Handler handler = forInteger(d, type, [&]<class T>(TypeTag<T>) -> Handler {
    using U = arith::Unsigned<T>;
    if constexpr (sizeof(T) < 4) {
      return nullptr;
    } else {
      return opcode == "popc"   ? Handler{unary<Population, std::uint32_t, U>}
             : opcode == "clz"  ? Handler{unary<Zeros, std::uint32_t, U>}
             : opcode == "brev" ? Handler{unary<Reverse, U, U>}
             : shiftAmount      ? Handler{unary<Find<true>, std::uint32_t, T>}
                                : Handler{unary<Find<false>, std::uint32_t, T>};
    }
  });
  emitUnary(d, handler, bitClass, opcode == "brev" ? type : Type::u32, type);
}

void decodeDotProduct(Decoder& d) {
  const bool halves = d.instruction().opcode() == "dp2a";
  const auto part = halves ? d.takeAny({"lo", "hi"}) : std::nullopt;
  const Type left = d.takeType();
  const Type right = d.takeType();
  if (ptx::sizeOf(left) != 4 || ptx::sizeOf(right) != 4 || (halves && !part)) {
    d.fail("the form is dp4a.type.type or dp2a.{lo,hi}.type.type with .u32 and .s32");
  }
  Op& op = emitTernary(d, halves ? dotProduct<true> : dotProduct<false>, bitClass, Type::b32, Type::b32, Type::b32,
                       Type::b32);
  op.flags = static_cast<std::uint8_t>((ptx::isSigned(left) ? aSigned : 0) | (ptx::isSigned(right) ? bSigned : 0) |
                                       (part.value_or(0) == 1 ? highHalf : 0));
}

} // namespace simgpu
