// Loops over the lanes of a warp. A full warp writes straight through, which vectorises; otherwise results are blended.
// Functions are applied to inactive lanes too and their results dropped, so they must be defined for any operand.
#pragma once

#include "exec/decoder.h"
#include "exec/warp.h"

#include <cstdint>
#include <type_traits>

namespace simgpu {

template <class D, class Function> void storeLanes(D* d, std::uint32_t mask, Function value) {
  if (mask == allLanes) {
    // the result may be one of the sources, lane by lane: no dependence between iterations
#pragma GCC ivdep
    for (int lane = 0; lane < lanesPerWarp; lane++) {
      d[lane] = value(lane);
    }
  } else {
#pragma GCC ivdep
    for (int lane = 0; lane < lanesPerWarp; lane++) {
      const D result = value(lane);
      d[lane] = (mask >> lane & 1) != 0 ? result : d[lane];
    }
  }
}

/** Handlers d = F::apply(a), F::apply(a, b), F::apply(a, b, c) for lane types. */
template <class F, class D, class A> void unary(Warp& warp, const Op& op, std::uint32_t mask) {
  const A* a = warp.slot<A>(op.a);
  storeLanes(warp.slot<D>(op.d), mask, [=](int lane) { return static_cast<D>(F::apply(a[lane])); });
}

template <class F, class D, class A, class B = A> void binary(Warp& warp, const Op& op, std::uint32_t mask) {
  const A* a = warp.slot<A>(op.a);
  const B* b = warp.slot<B>(op.b);
  storeLanes(warp.slot<D>(op.d), mask, [=](int lane) { return static_cast<D>(F::apply(a[lane], b[lane])); });
}

template <class F, class D, class A, class B = A, class C = A>
void ternary(Warp& warp, const Op& op, std::uint32_t mask) {
  const A* a = warp.slot<A>(op.a);
  const B* b = warp.slot<B>(op.b);
  const C* c = warp.slot<C>(op.c);
  storeLanes(warp.slot<D>(op.d), mask, [=](int lane) { return static_cast<D>(F::apply(a[lane], b[lane], c[lane])); });
}

/** The lane bits for which `test(lane)` holds. */
template <class Test> std::uint32_t gatherBits(Test test) {
  std::uint32_t bits = 0;
  for (int lane = 0; lane < lanesPerWarp; lane++) {
    bits |= static_cast<std::uint32_t>(test(lane)) << lane;
  }
  return bits;
}

/** A type as a value, to choose template arguments from a PTX type. */
template <class T> struct TypeTag {
  using Type = T;
};

/** Calls choose(TypeTag<T>{}) with the C++ integer type of a 16-, 32- or 64-bit PTX type; bits count as unsigned. */
template <class Choose> Handler forInteger(Decoder& decoder, ptx::Type type, Choose choose) {
  using ptx::Type;
  switch (type) {
  case Type::u16:
  case Type::b16:
    return choose(TypeTag<std::uint16_t>{});
  case Type::s16:
    return choose(TypeTag<std::int16_t>{});
  case Type::u32:
  case Type::b32:
    return choose(TypeTag<std::uint32_t>{});
  case Type::s32:
    return choose(TypeTag<std::int32_t>{});
  case Type::u64:
  case Type::b64:
    return choose(TypeTag<std::uint64_t>{});
  case Type::s64:
    return choose(TypeTag<std::int64_t>{});
  default:
    decoder.fail("type ." + std::string(ptx::typeName(type)) + " is not allowed here");
  }
}

/** The same for types of any signedness, by size alone. */
template <class Choose> Handler forBits(Decoder& decoder, ptx::Type type, Choose choose) {
  switch (ptx::sizeOf(type)) {
  case 2:
    return choose(TypeTag<std::uint16_t>{});
  case 4:
    return choose(TypeTag<std::uint32_t>{});
  case 8:
    return choose(TypeTag<std::uint64_t>{});
  default:
    decoder.fail("type ." + std::string(ptx::typeName(type)) + " is not allowed here");
  }
}

/** Takes d, a, b, c ... of one type and emits the operation. */
inline Op& emitUnary(Decoder& d, Handler handler, InstructionClass instructionClass, ptx::Type result,
                     ptx::Type source) {
  d.expectOperands(2, 2);
  const ValueId a = d.source(1, source);
  const ValueId to = d.destination(0, std::max(2u, ptx::sizeOf(result)));
  Op& op = d.emit(handler, instructionClass);
  op.d = to;
  op.a = a;
  return op;
}

inline Op& emitBinary(Decoder& d, Handler handler, InstructionClass instructionClass, ptx::Type result, ptx::Type left,
                      ptx::Type right) {
  d.expectOperands(3, 3);
  const ValueId a = d.source(1, left);
  const ValueId b = d.source(2, right);
  const ValueId to = d.destination(0, std::max(2u, ptx::sizeOf(result)));
  Op& op = d.emit(handler, instructionClass);
  op.d = to;
  op.a = a;
  op.b = b;
  return op;
}

inline Op& emitTernary(Decoder& d, Handler handler, InstructionClass instructionClass, ptx::Type result,
                       ptx::Type first, ptx::Type second, ptx::Type third) {
  d.expectOperands(4, 4);
  const ValueId a = d.source(1, first);
  const ValueId b = d.source(2, second);
  const ValueId c = d.source(3, third);
  const ValueId to = d.destination(0, std::max(2u, ptx::sizeOf(result)));
  Op& op = d.emit(handler, instructionClass);
  op.d = to;
  op.a = a;
  op.b = b;
  op.c = c;
  return op;
}

inline bool isHalf(ptx::Type type) {
  return type == ptx::Type::f16 || type == ptx::Type::f16x2 || type == ptx::Type::bf16 || type == ptx::Type::bf16x2;
}

} // namespace simgpu
