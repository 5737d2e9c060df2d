// mov in all its forms, address conversions, alloca.
#include "exec/address_space.h"
#include "exec/lanes.h"
#include "exec/launch_context.h"
#include "exec/opcode_table.h"

#include <cstring>

namespace simgpu {

namespace {

using ptx::Operand;
using ptx::Space;
using ptx::Type;
constexpr InstructionClass moveClass = InstructionClass::move;

struct Copy {
  template <class T> static T apply(T a) { return a; }
};

void movePredicate(Warp& warp, const Op& op, std::uint32_t mask) {
  warp.setPredicate(op.d, mask, warp.predicate(op.a));
}

/** mov.b32 d, {a, b}: elements of Op::flags bytes from the lowest up; Op::imm is the size of the whole. */
void packElements(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint32_t* parts = warp.extended(op);
  const std::uint32_t size = op.flags;
  const auto whole = static_cast<std::uint32_t>(op.imm);
  std::byte* d = warp.slot<std::byte>(op.d);
  forEachLane(mask, [&](int lane) {
    std::byte value[8];
    for (std::uint32_t i = 0; i < op.n; i++) {
      std::memcpy(value + i * size, warp.slot<std::byte>(parts[i]) + static_cast<std::uint32_t>(lane) * size, size);
    }
    std::memcpy(d + static_cast<std::uint32_t>(lane) * whole, value, whole);
  });
}

void unpackElements(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint32_t* parts = warp.extended(op);
  const std::uint32_t size = op.flags;
  const auto whole = static_cast<std::uint32_t>(op.imm);
  const std::byte* a = warp.slot<std::byte>(op.a);
  forEachLane(mask, [&](int lane) {
    std::byte value[8];
    std::memcpy(value, a + static_cast<std::uint32_t>(lane) * whole, whole);
    for (std::uint32_t i = 0; i < op.n; i++) {
      std::memcpy(warp.slot<std::byte>(parts[i]) + static_cast<std::uint32_t>(lane) * size, value + i * size, size);
    }
  });
}

// The frequent shapes as vector loops.
void pack16(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* low = warp.slot<std::uint16_t>(warp.extended(op)[0]);
  const auto* high = warp.slot<std::uint16_t>(warp.extended(op)[1]);
  storeLanes(warp.slot<std::uint32_t>(op.d), mask,
             [=](int lane) { return static_cast<std::uint32_t>(high[lane]) << 16 | low[lane]; });
}
void pack32(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* low = warp.slot<std::uint32_t>(warp.extended(op)[0]);
  const auto* high = warp.slot<std::uint32_t>(warp.extended(op)[1]);
  storeLanes(warp.slot<std::uint64_t>(op.d), mask,
             [=](int lane) { return static_cast<std::uint64_t>(high[lane]) << 32 | low[lane]; });
}

Type elementType(Decoder& d, std::uint32_t size) {
  switch (size) {
  case 1:
    return Type::b8;
  case 2:
    return Type::b16;
  case 4:
    return Type::b32;
  default:
    d.fail("the elements do not add up to the type");
  }
}

/** The size of one element of a vector operand of `whole` bytes. */
std::uint32_t elementSize(Decoder& d, const Operand& vector, std::uint32_t whole) {
  const auto count = static_cast<std::uint32_t>(vector.elements.size());
  if (count == 0 || whole % count != 0 || whole / count < 2) {
    d.fail("the elements do not add up to the type");
  }
  return whole / count;
}

void decodePack(Decoder& d, Type type) {
  const Operand& vector = d.operand(1);
  const std::uint32_t whole = ptx::sizeOf(type);
  const std::uint32_t size = elementSize(d, vector, whole);
  std::vector<ValueId> parts;
  for (const Operand& element : vector.elements) {
    parts.push_back(d.source(element, elementType(d, size)));
  }
  const ValueId to = d.destination(0, whole);
  const bool pair = parts.size() == 2;
  Op& op = d.emit(pair && size == 2 ? pack16 : pair && size == 4 ? pack32 : packElements, moveClass);
  op.d = to;
  op.n = static_cast<std::uint8_t>(parts.size());
  op.flags = static_cast<std::uint8_t>(size);
  op.imm = whole;
  d.extend(op, parts, false);
}

void decodeUnpack(Decoder& d, Type type) {
  const Operand& vector = d.operand(0);
  const std::uint32_t whole = ptx::sizeOf(type);
  const std::uint32_t size = elementSize(d, vector, whole);
  const ValueId from = d.source(1, type);
  std::vector<ValueId> parts;
  for (const Operand& element : vector.elements) {
    parts.push_back(d.destination(element, size));
  }
  Op& op = d.emit(unpackElements, moveClass);
  op.a = from;
  op.n = static_cast<std::uint8_t>(parts.size());
  op.flags = static_cast<std::uint8_t>(size);
  op.imm = whole;
  d.extend(op, parts, true);
}


/** cvta.space: an address of the space becomes generic. A generic one (a function's parameter) stays. */
void toGeneric(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint64_t>(op.a);
  const std::uint64_t window = op.imm;
  storeLanes(warp.slot<std::uint64_t>(op.d), mask,
             [=](int lane) { return a[lane] >> 32 == 0 ? a[lane] | window : a[lane]; });
}
/** cvta.to.space: the offset in the window; anything else stays and faults when used. */
void fromGeneric(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint64_t>(op.a);
  const std::uint64_t window = op.imm;
  storeLanes(warp.slot<std::uint64_t>(op.d), mask,
             [=](int lane) { return a[lane] >> 32 == window >> 32 ? a[lane] & 0xffffffff : a[lane]; });
}

void isInWindow(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint64_t>(op.a);
  const std::uint64_t window = op.imm;
  warp.setPredicate(op.d, mask, gatherBits([&](int lane) { return inWindow(a[lane], window); }));
}
/** Constants lie in global memory here, but are told apart like a device does. */
bool isConstant(const Warp& warp, std::uint64_t address) {
  const auto allocation = warp.launch.memory.find(address);
  return allocation && allocation->kind == AllocationKind::constant;
}
void isConstantAddress(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint64_t>(op.a);
  warp.setPredicate(op.d, mask, gatherBits([&](int lane) { return isConstant(warp, a[lane]); }));
}
void isGlobalAddress(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* a = warp.slot<std::uint64_t>(op.a);
  warp.setPredicate(op.d, mask, gatherBits([&](int lane) {
                      return !inWindow(a[lane], sharedWindow) && !inWindow(a[lane], localWindow) &&
                             !inWindow(a[lane], paramWindow) && !isConstant(warp, a[lane]);
                    }));
}

Space takeWindow(Decoder& d) {
  const auto space = d.takeAny({"shared", "shared::cta", "local", "param", "param::entry", "global", "const"});
  constexpr Space spaces[] = {Space::shared, Space::shared, Space::local,   Space::param,
                              Space::param,  Space::global, Space::constant};
  if (!space) {
    d.fail("the state space is missing");
  }
  return spaces[*space];
}

std::uint64_t windowOf(Space space) {
  return space == Space::shared ? sharedWindow : space == Space::local ? localWindow : paramWindow;
}

void allocateOnStack(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* sizes = warp.slot<std::uint64_t>(op.a);
  std::uint64_t most = 0;
  forEachLane(mask, [&](int lane) { most = std::max(most, sizes[lane]); });
  const auto bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, 1 << 30));
  const std::uint32_t base = warp.allocateLocal(op, bytes, static_cast<std::uint32_t>(op.imm));
  auto* d = warp.slot<std::uint64_t>(op.d);
  forEachLane(mask, [&](int lane) { d[lane] = base; });
}

void saveStack(Warp& warp, const Op& op, std::uint32_t mask) {
  auto* d = warp.slot<std::uint64_t>(op.d);
  forEachLane(mask, [&](int lane) { d[lane] = warp.frame().localTop; });
}

/** The frame is shared by lanes that may have allocated more: memory comes back when the function returns. */
void restoreStack(Warp&, const Op&, std::uint32_t) {}

} // namespace

void decodeMov(Decoder& d) {
  const Type type = d.takeType();
  d.expectOperands(2, 2);
  if (type == Type::pred) {
    const ValueId a = d.predicate(1);
    const ValueId to = d.destination(0, 0);
    Op& op = d.emit(movePredicate, InstructionClass::predicate);
    op.a = a;
    op.d = to;
    return;
  }
  if (type == Type::b128) {
    d.unsupported("128-bit registers are not simulated");
  }
  if (d.operand(0).kind == Operand::Kind::vector) {
    decodeUnpack(d, type);
    return;
  }
  if (d.operand(1).kind == Operand::Kind::vector) {
    decodePack(d, type);
    return;
  }
  const Handler handler = forBits(d, type, []<class T>(TypeTag<T>) -> Handler { return unary<Copy, T, T>; });
  emitUnary(d, handler, moveClass, type, type);
}

void decodeConvertAddress(Decoder& d) {
  const bool to = d.take("to");
  const Space space = takeWindow(d);
  if (d.takeType() != Type::u64) {
    d.fail("addresses have type .u64");
  }
  const bool window = space == Space::shared || space == Space::local || space == Space::param;
  const Handler handler = !window ? Handler{unary<Copy, std::uint64_t, std::uint64_t>} : to ? fromGeneric : toGeneric;
  Op& op = emitUnary(d, handler, InstructionClass::integer, Type::u64, Type::u64);
  op.imm = window ? windowOf(space) : 0;
}

void decodeIsSpace(Decoder& d) {
  const Space space = takeWindow(d);
  d.expectOperands(2, 2);
  const ValueId a = d.source(1, Type::u64);
  const ValueId p = d.destination(0, 0);
  const Handler handler = space == Space::global     ? isGlobalAddress
                          : space == Space::constant ? isConstantAddress
                                                     : isInWindow;
  Op& op = d.emit(handler, InstructionClass::predicate);
  op.a = a;
  op.d = p;
  op.imm = windowOf(space);
}

void decodeAlloca(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  const Type type = d.takeType();
  if (ptx::sizeOf(type) != 8) {
    d.fail("addresses have 64 bits");
  }
  if (opcode == "stackrestore") {
    d.expectOperands(1, 1);
    const ValueId a = d.source(0, type);
    d.emit(restoreStack, moveClass).a = a;
    return;
  }
  if (opcode == "stacksave") {
    d.expectOperands(1, 1);
    const ValueId to = d.destination(0, 8);
    d.emit(saveStack, moveClass).d = to;
    return;
  }
  d.expectOperands(2, 3);
  const ValueId a = d.source(1, type);
  const std::uint64_t alignment = d.operandCount() == 3 ? d.immediate(2) : 8;
  if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > 128) {
    d.fail("the alignment must be a power of two up to 128");
  }
  const ValueId to = d.destination(0, 8);
  Op& op = d.emit(allocateOnStack, moveClass);
  op.a = a;
  op.d = to;
  op.imm = std::max<std::uint64_t>(16, alignment);
}

} // namespace simgpu
