// The condition code of sums with carries is a predicate: operand e in, d2 out.
//
// A difference is a + ~b + 1 on devices: the flag it leaves is the carry of that sum, set if nothing was borrowed. PTX
// ISA speaks of a borrow, and chains of sub.cc and subc cannot tell; addc after sub.cc can, and nvcc's division of
// 128-bit integers counts on it.
#include "exec/ops_carry.h"

#include "arith/integer.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"

namespace simgpu {

using ptx::Type;

namespace {

enum CarryFlags : std::uint8_t { carryIn = 1, carryOut = 2 };

template <class T, bool Subtract> void addCarry(Warp& warp, const Op& op, std::uint32_t mask) {
  const T* a = warp.slot<T>(op.a);
  const T* b = warp.slot<T>(op.b);
  T* d = warp.slot<T>(op.d);
  const std::uint32_t in = (op.flags & carryIn) != 0 ? warp.predicate(op.e) : 0;
  std::uint32_t out = 0;
  forEachLane(mask, [&](int lane) {
    const bool carry = (in >> lane & 1) != 0;
    const auto result =
        Subtract ? arith::addWithCarry(a[lane], static_cast<T>(~b[lane]), carry || (op.flags & carryIn) == 0)
                 : arith::addWithCarry(a[lane], b[lane], carry);
    d[lane] = result.value;
    out |= static_cast<std::uint32_t>(result.carry) << lane;
  });
  if ((op.flags & carryOut) != 0) {
    warp.setPredicate(op.d2, mask, out);
  }
}

template <class T, bool High> void madCarry(Warp& warp, const Op& op, std::uint32_t mask) {
  using U = arith::Unsigned<T>;
  const T* a = warp.slot<T>(op.a);
  const T* b = warp.slot<T>(op.b);
  const U* c = warp.slot<U>(op.c);
  U* d = warp.slot<U>(op.d);
  const std::uint32_t in = (op.flags & carryIn) != 0 ? warp.predicate(op.e) : 0;
  std::uint32_t out = 0;
  forEachLane(mask, [&](int lane) {
    const T product = High ? arith::mulHigh(a[lane], b[lane]) : arith::mulLow(a[lane], b[lane]);
    const auto result = arith::addWithCarry(static_cast<U>(product), c[lane], (in >> lane & 1) != 0);
    d[lane] = result.value;
    out |= static_cast<std::uint32_t>(result.carry) << lane;
  });
  if ((op.flags & carryOut) != 0) {
    warp.setPredicate(op.d2, mask, out);
  }
}

void applyCarry(Op& op, bool in, bool out, ValueId carry) {
  op.flags = static_cast<std::uint8_t>((in ? carryIn : 0) | (out ? carryOut : 0));
  op.e = in ? carry : 0;
  op.d2 = out ? carry : 0;
}

} // namespace

void decodeAddCarry(Decoder& d, bool subtract, bool in, bool out) {
  const Type type = d.takeType();
  Handler handler = nullptr;
  if (ptx::sizeOf(type) == 4 && !ptx::isFloat(type)) {
    handler = subtract ? addCarry<std::uint32_t, true> : addCarry<std::uint32_t, false>;
  } else if (ptx::sizeOf(type) == 8 && !ptx::isFloat(type)) {
    handler = subtract ? addCarry<std::uint64_t, true> : addCarry<std::uint64_t, false>;
  } else {
    d.fail("carries exist for 32- and 64-bit integers only");
  }
  const ValueId carry = d.carry();
  applyCarry(emitBinary(d, handler, InstructionClass::integer, type, type, type), in, out, carry);
}

void decodeMadCarry(Decoder& d, bool in, bool out) {
  const bool high = d.take("hi");
  if (!high && !d.take("lo")) {
    d.fail(".lo or .hi is missing");
  }
  const Type type = d.takeType();
  const Handler handler = forInteger(d, type, [&]<class T>(TypeTag<T>) -> Handler {
    if constexpr (sizeof(T) < 4) {
      d.fail("carries exist for 32- and 64-bit integers only");
    } else {
      return high ? madCarry<T, true> : madCarry<T, false>;
    }
  });
  const ValueId carry = d.carry();
  applyCarry(emitTernary(d, handler, InstructionClass::integer, type, type, type, type), in, out, carry);
}

void decodeCarry(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  const bool out = d.take("cc");
  if (opcode == "madc") {
    decodeMadCarry(d, true, out);
  } else {
    decodeAddCarry(d, opcode == "subc", true, out);
  }
}

} // namespace simgpu
