// atom and red.
#include "arith/half_arithmetic.h"
#include "exec/lanes.h"
#include "exec/memory_order.h"
#include "exec/opcode_table.h"

namespace simgpu {

namespace {

using ptx::Space;
using ptx::Type;

struct AtomicAdd {
  template <class T> static T apply(T old, T b, T) { return static_cast<T>(old + b); }
};
struct AddFloat {
  static std::uint32_t apply(std::uint32_t old, std::uint32_t b, std::uint32_t) {
    return arith::bitsOf(arith::add(arith::floatOf(old), arith::floatOf(b), arith::FloatMode{}));
  }
};
struct AddDouble {
  static std::uint64_t apply(std::uint64_t old, std::uint64_t b, std::uint64_t) {
    return arith::bitsOf(arith::add(arith::doubleOf(old), arith::doubleOf(b), arith::FloatMode{}));
  }
};
template <class H> struct AddHalf {
  static std::uint16_t apply(std::uint16_t old, std::uint16_t b, std::uint16_t) {
    return H::narrow(H::widen(old) + H::widen(b));
  }
};
template <class H> struct AddHalves {
  static std::uint32_t apply(std::uint32_t old, std::uint32_t b, std::uint32_t) {
    const auto low = AddHalf<H>::apply(static_cast<std::uint16_t>(old), static_cast<std::uint16_t>(b), 0);
    const auto high = AddHalf<H>::apply(static_cast<std::uint16_t>(old >> 16), static_cast<std::uint16_t>(b >> 16), 0);
    return static_cast<std::uint32_t>(high) << 16 | low;
  }
};
struct AtomicAnd {
  template <class T> static T apply(T old, T b, T) { return old & b; }
};
struct AtomicOr {
  template <class T> static T apply(T old, T b, T) { return old | b; }
};
struct AtomicXor {
  template <class T> static T apply(T old, T b, T) { return old ^ b; }
};
struct Exchange {
  template <class T> static T apply(T, T b, T) { return b; }
};
struct CompareSwap {
  template <class T> static T apply(T old, T b, T c) { return old == b ? c : old; }
};
struct Increment {
  static std::uint32_t apply(std::uint32_t old, std::uint32_t b, std::uint32_t) { return old >= b ? 0 : old + 1; }
};
struct Decrement {
  static std::uint32_t apply(std::uint32_t old, std::uint32_t b, std::uint32_t) {
    return old == 0 || old > b ? b : old - 1;
  }
};
template <class S> struct Min {
  template <class T> static T apply(T old, T b, T) { return static_cast<S>(old) < static_cast<S>(b) ? old : b; }
};
template <class S> struct Max {
  template <class T> static T apply(T old, T b, T) { return static_cast<S>(old) > static_cast<S>(b) ? old : b; }
};

/** Lane after lane: d = old value, memory = F(old, b, c). */
template <class T, class F> void atomic(Warp& warp, const Op& op, std::uint32_t mask) {
  LaneAddresses addresses;
  LanePointers pointers;
  laneAddresses(warp, op, addresses);
  warp.polled = true;
  if ((op.flags & memoryRelease) != 0) {
    noteRelease(warp);
  }
  const Access access{Intent::atomic, true, sizeof(T), sizeof(T), ~0u};
  resolve(warp, op, mask, static_cast<Space>(op.target), addresses, access, pointers);
  const T* b = warp.slot<T>(op.b);
  const T* c = op.c != noSlot ? warp.slot<T>(op.c) : b;
  T* d = op.d != noSlot ? warp.slot<T>(op.d) : nullptr;
  forEachLane(mask, [&](int lane) {
    auto* place = reinterpret_cast<T*>(pointers[static_cast<std::size_t>(lane)]);
    T old = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    while (!__atomic_compare_exchange_n(place, &old, F::apply(old, b[lane], c[lane]), true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
    }
    if (d != nullptr) {
      d[lane] = old;
    }
  });
  if ((op.flags & memoryAcquire) != 0) {
    noteAcquire(warp);
  }
}

template <class F> Handler bitsHandler(Decoder& d, Type type, bool allow16 = false) {
  const std::uint32_t size = ptx::sizeOf(type);
  if (ptx::isFloat(type) || size == 1 || (size == 2 && !allow16) || size > 8) {
    d.fail("the operation does not exist for type ." + std::string(ptx::typeName(type)));
  }
  return size == 2   ? Handler{atomic<std::uint16_t, F>}
         : size == 4 ? Handler{atomic<std::uint32_t, F>}
                     : Handler{atomic<std::uint64_t, F>};
}

Handler addHandler(Decoder& d, Type type) {
  switch (type) {
  case Type::u32:
  case Type::s32:
    return atomic<std::uint32_t, AtomicAdd>;
  case Type::u64:
  case Type::s64:
    return atomic<std::uint64_t, AtomicAdd>;
  case Type::f32:
    return atomic<std::uint32_t, AddFloat>;
  case Type::f64:
    return atomic<std::uint64_t, AddDouble>;
  case Type::f16:
    return atomic<std::uint16_t, AddHalf<arith::F16>>;
  case Type::bf16:
    return atomic<std::uint16_t, AddHalf<arith::Bf16>>;
  case Type::f16x2:
    return atomic<std::uint32_t, AddHalves<arith::F16>>;
  case Type::bf16x2:
    return atomic<std::uint32_t, AddHalves<arith::Bf16>>;
  default:
    d.fail("add does not exist for type ." + std::string(ptx::typeName(type)));
  }
}

template <template <class> class F> Handler extremumHandler(Decoder& d, Type type) {
  switch (type) {
  case Type::u32:
    return atomic<std::uint32_t, F<std::uint32_t>>;
  case Type::s32:
    return atomic<std::uint32_t, F<std::int32_t>>;
  case Type::u64:
    return atomic<std::uint64_t, F<std::uint64_t>>;
  case Type::s64:
    return atomic<std::uint64_t, F<std::int64_t>>;
  default:
    d.fail("min and max do not exist for type ." + std::string(ptx::typeName(type)));
  }
}

Handler counterHandler(Decoder& d, Type type, bool increment) {
  if (type != Type::u32) {
    d.fail("inc and dec have type .u32");
  }
  return increment ? atomic<std::uint32_t, Increment> : atomic<std::uint32_t, Decrement>;
}

} // namespace

void decodeAtomic(Decoder& d) {
  const bool reduction = d.instruction().opcode() == "red";
  const std::size_t policy = d.take("L2::cache_hint") ? 1 : 0;
  const MemoryOrder order = takeOrder(d);
  d.take("noftz");
  Space space = takeSpace(d);
  const auto operation = d.takeAny({"add", "and", "or", "xor", "exch", "cas", "inc", "dec", "min", "max"});
  if (!operation || (reduction && (*operation == 4 || *operation == 5))) {
    d.fail("the operation is missing");
  }
  const Type type = d.takeType();
  Handler handler = nullptr;
  switch (*operation) {
  case 0:
    handler = addHandler(d, type);
    break;
  case 1:
    handler = bitsHandler<AtomicAnd>(d, type);
    break;
  case 2:
    handler = bitsHandler<AtomicOr>(d, type);
    break;
  case 3:
    handler = bitsHandler<AtomicXor>(d, type);
    break;
  case 4:
    handler = bitsHandler<Exchange>(d, type);
    break;
  case 5:
    handler = bitsHandler<CompareSwap>(d, type, true);
    break;
  case 6:
    handler = counterHandler(d, type, true);
    break;
  case 7:
    handler = counterHandler(d, type, false);
    break;
  case 8:
    handler = extremumHandler<Min>(d, type);
    break;
  default:
    handler = extremumHandler<Max>(d, type);
    break;
  }
  const bool swap = *operation == 5;
  const std::size_t first = reduction ? 0 : 1;
  const std::size_t expected = first + 2 + (swap ? 1 : 0) + policy;
  d.expectOperands(expected, expected);
  const ValueId b = d.source(first + 1, type);
  const ValueId c = swap ? d.source(first + 2, type) : 0;
  const AddressOperand address = d.address(d.operand(first), space);
  const ValueId to = reduction ? 0 : d.destination(0, ptx::sizeOf(type));
  Op& op = d.emit(handler, space == Space::shared ? InstructionClass::sharedAtomic : InstructionClass::globalAtomic);
  address.apply(op);
  op.flags |= memoryFlags(order, true);
  op.b = b;
  op.c = c;
  op.d = to;
  op.target = static_cast<std::uint32_t>(space);
}

} // namespace simgpu
