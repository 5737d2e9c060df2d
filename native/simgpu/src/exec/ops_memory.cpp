// ld, st and the instructions that only advise the caches.
#include "exec/lanes.h"
#include "exec/memory_order.h"
#include "exec/opcode_table.h"
#include "exec/suspect_tensor.h"

#include <cstring>

namespace simgpu {

namespace {

using ptx::Operand;
using ptx::Space;
using ptx::Type;

Space spaceOf(const Op& op) { return static_cast<Space>(op.target & ((1u << loadElementShift) - 1)); }

/** Op::target of a load or store. */
std::uint32_t targetOf(Space space, Type type, std::uint32_t usedBytes) {
  return static_cast<std::uint32_t>(space) | ptx::sizeOf(type) << loadElementShift | usedBytes << usedBytesShift;
}

template <class T> T loadValue(const std::byte* from, bool strong) {
  if (strong) {
    return __atomic_load_n(reinterpret_cast<const T*>(from), __ATOMIC_ACQUIRE);
  }
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/** Value M in memory, extended by its signedness into slots of R. */
template <class M, class R> void load(Warp& warp, const Op& op, std::uint32_t mask) {
  LaneAddresses addresses;
  LanePointers pointers;
  laneAddresses(warp, op, addresses);
  const bool strong = (op.flags & memoryStrong) != 0;
  const auto bytes = static_cast<std::uint32_t>(sizeof(M) * op.n);
  const Access access{Intent::read, strong, bytes, bytes, op.target >> usedBytesShift};
  warp.polled |= (op.flags & memoryPolls) != 0;
  resolve(warp, op, mask, spaceOf(op), addresses, access, pointers);
  const std::uint32_t* slots = op.n == 1 ? &op.d : warp.extended(op);
  for (std::uint32_t i = 0; i < op.n; i++) {
    R* d = warp.slot<R>(slots[i]);
    forEachLane(mask, [&](int lane) {
      d[lane] = static_cast<R>(loadValue<M>(pointers[static_cast<std::size_t>(lane)] + i * sizeof(M), strong));
    });
  }
  if ((op.flags & memoryAcquire) != 0) {
    noteAcquire(warp); // after the value was seen
  }
}

/** ld.param of a kernel: the same for every lane. */
template <class M, class R> void loadParameter(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::byte* from = warp.launch.parameters.data() + op.imm;
  for (std::uint32_t i = 0; i < op.n; i++) {
    const R value = static_cast<R>(loadValue<M>(from + i * sizeof(M), false));
    storeLanes(warp.slot<R>(op.n == 1 ? op.d : warp.extended(op)[i]), mask, [=](int) { return value; });
  }
}

template <class M, class R> void store(Warp& warp, const Op& op, std::uint32_t mask) {
  LaneAddresses addresses;
  LanePointers pointers;
  laneAddresses(warp, op, addresses);
  const bool strong = (op.flags & memoryStrong) != 0;
  const auto bytes = static_cast<std::uint32_t>(sizeof(M) * op.n);
  resolve(warp, op, mask, spaceOf(op), addresses, {Intent::write, strong, bytes, bytes, ~0u}, pointers);
  if ((op.flags & memoryRelease) != 0) {
    noteRelease(warp);
  }
  const std::uint32_t* slots = op.n == 1 ? &op.b : warp.extended(op);
  const bool mayRace = warp.launch.settings.checks && !strong;
  forEachLane(mask, [&](int lane) {
    std::byte* to = pointers[static_cast<std::size_t>(lane)];
    M values[8];
    for (std::uint32_t i = 0; i < op.n; i++) {
      values[i] = static_cast<M>(warp.slot<R>(slots[i])[lane]);
    }
    if (mayRace && isGlobal(warp, to)) {
      noteGlobalWrite(warp, op, lane, to, values, bytes);
    }
    if (strong && op.n == 1) {
      __atomic_store_n(reinterpret_cast<M*>(to), values[0], __ATOMIC_RELEASE);
    } else {
      std::memcpy(to, values, bytes);
    }
  });
}

/** Handler for memory type and slot size; `signedExtend` only matters where the slot is wider. */
template <template <class, class> class Maker> Handler memoryHandler(Decoder& d, Type type, std::uint32_t slot) {
  const bool isSigned = ptx::isSigned(type);
  const auto bySlot = [&]<class M>(TypeTag<M>) -> Handler {
    if constexpr (sizeof(M) <= 2) {
      if (slot == 2) {
        return Maker<M, std::uint16_t>::handler;
      }
    }
    if constexpr (sizeof(M) <= 4) {
      if (slot == 4) {
        return Maker<M, std::uint32_t>::handler;
      }
    }
    if (slot == 8) {
      return Maker<M, std::uint64_t>::handler;
    }
    d.fail("the register is smaller than type ." + std::string(ptx::typeName(type)));
  };
  switch (ptx::sizeOf(type)) {
  case 1:
    return isSigned ? bySlot(TypeTag<std::int8_t>{}) : bySlot(TypeTag<std::uint8_t>{});
  case 2:
    return isSigned ? bySlot(TypeTag<std::int16_t>{}) : bySlot(TypeTag<std::uint16_t>{});
  case 4:
    return isSigned ? bySlot(TypeTag<std::int32_t>{}) : bySlot(TypeTag<std::uint32_t>{});
  case 8:
    return bySlot(TypeTag<std::uint64_t>{});
  default:
    d.unsupported("type ." + std::string(ptx::typeName(type)) + " in memory is not simulated");
  }
}

template <class M, class R> struct Load {
  static constexpr Handler handler = load<M, R>;
};
template <class M, class R> struct LoadParameter {
  static constexpr Handler handler = loadParameter<M, R>;
};
template <class M, class R> struct Store {
  static constexpr Handler handler = store<M, R>;
};

std::uint32_t takeVector(Decoder& d) {
  const auto vector = d.takeAny({"v2", "v4", "v8"});
  return vector ? 2u << *vector : 1u;
}

/** The elements of a vector operand, or the operand itself. */
std::vector<const Operand*> elementsOf(Decoder& d, const Operand& operand, std::uint32_t count) {
  std::vector<const Operand*> elements;
  if (operand.kind == Operand::Kind::vector) {
    for (const Operand& element : operand.elements) {
      elements.push_back(&element);
    }
  } else {
    elements.push_back(&operand);
  }
  if (elements.size() != count) {
    d.fail("the vector operand has " + std::to_string(elements.size()) + " elements");
  }
  return elements;
}

InstructionClass loadClass(Space space) {
  switch (space) {
  case Space::shared:
    return InstructionClass::sharedLoad;
  case Space::local:
    return InstructionClass::localMemory;
  case Space::param:
  case Space::constant:
    return InstructionClass::parameter;
  default:
    return InstructionClass::globalLoad;
  }
}

InstructionClass storeClass(Space space) {
  return space == Space::shared  ? InstructionClass::sharedStore
         : space == Space::local ? InstructionClass::localMemory
                                 : InstructionClass::globalStore;
}

/** A cache policy operand ends the list when .L2::cache_hint is there; it changes nothing. */
std::size_t policyOperands(Decoder& d) { return d.take("L2::cache_hint") ? 1 : 0; }

} // namespace

void decodeLoad(Decoder& d) {
  const std::size_t policy = policyOperands(d);
  const bool polls = d.take("cv");
  const MemoryOrder order = takeOrder(d);
  takeCacheHints(d);
  Space space = takeSpace(d);
  d.take("nc");
  d.take("unified");
  const std::uint32_t count = takeVector(d);
  const Type type = d.takeType();
  d.expectOperands(2 + policy, 2 + policy);
  const std::vector<const Operand*> results = elementsOf(d, d.operand(0), count);
  const std::uint32_t natural = std::max(2u, ptx::sizeOf(type));
  std::uint32_t slot = 0;
  for (const Operand* result : results) {
    const std::uint32_t size = d.sizeOf(*result, slot != 0 ? slot : natural);
    if (slot != 0 && size != slot) {
      d.fail("the registers of the vector have different sizes");
    }
    slot = size;
  }
  const AddressOperand address = d.address(d.operand(1), space);
  const bool fromBlock = space == Space::param && (address.flags & addressAbsolute) != 0;
  const Handler handler =
      fromBlock ? memoryHandler<LoadParameter>(d, type, slot) : memoryHandler<Load>(d, type, slot);
  if (fromBlock && address.offset + ptx::sizeOf(type) * count > d.parameterBytes()) {
    d.fail("the load is outside the kernel's parameters");
  }
  std::vector<ValueId> values;
  for (const Operand* result : results) {
    values.push_back(d.destination(*result, slot));
  }
  Op& op = d.emit(handler, loadClass(space));
  address.apply(op);
  op.flags |= memoryFlags(order, polls || order.strong);
  op.n = static_cast<std::uint8_t>(count);
  op.target = targetOf(space, type, d.instruction().usedBytesMask);
  if (count == 1) {
    op.d = values.front();
  } else {
    d.extend(op, values, true);
  }
}

void decodeStore(Decoder& d) {
  const std::size_t policy = policyOperands(d);
  const MemoryOrder order = takeOrder(d);
  takeCacheHints(d);
  Space space = takeSpace(d);
  const std::uint32_t count = takeVector(d);
  const Type type = d.takeType();
  d.expectOperands(2 + policy, 2 + policy);
  if (space == Space::constant) {
    d.fail("constant memory cannot be written");
  }
  const std::vector<const Operand*> sources = elementsOf(d, d.operand(1), count);
  const std::uint32_t natural = std::max(2u, ptx::sizeOf(type));
  std::uint32_t slot = 0;
  for (const Operand* source : sources) {
    if (source->kind == Operand::Kind::reg) {
      const std::uint32_t size = d.sizeOf(*source, natural);
      if (slot != 0 && size != slot) {
        d.fail("the registers of the vector have different sizes");
      }
      slot = size;
    }
  }
  slot = slot == 0 ? natural : slot;
  // constants among registers of another size take that size
  const Type constantType = slot == natural ? type : slot == 4 ? Type::b32 : Type::b64;
  std::vector<ValueId> values;
  for (const Operand* source : sources) {
    const bool isRegister = source->kind == Operand::Kind::reg;
    values.push_back(d.source(*source, isRegister ? type : constantType, isRegister));
  }
  const AddressOperand address = d.address(d.operand(0), space);
  const Handler handler = memoryHandler<Store>(d, type, slot);
  Op& op = d.emit(handler, storeClass(space));
  address.apply(op);
  op.flags |= memoryFlags(order, false);
  op.n = static_cast<std::uint8_t>(count);
  op.target = targetOf(space, type, 0);
  if (count == 1) {
    op.b = values.front();
  } else {
    d.extend(op, values, false);
  }
}

namespace {

/** createpolicy: a policy is an opaque number nobody looks at. */
void createPolicy(Warp& warp, const Op& op, std::uint32_t mask) {
  storeLanes(warp.slot<std::uint64_t>(op.d), mask, [](int) { return std::uint64_t{1}; });
}

/** discard.L2: the data is gone, so reading it before it is written again is a defect. */
void discard(Warp& warp, const Op& op, std::uint32_t mask) {
  LaneAddresses addresses;
  LanePointers pointers;
  laneAddresses(warp, op, addresses);
  constexpr std::uint32_t line = 128;
  resolve(warp, op, mask, spaceOf(op), addresses, {Intent::write, false, line, line, ~0u}, pointers);
  forEachLane(mask, [&](int lane) {
    std::byte* to = pointers[static_cast<std::size_t>(lane)];
    if (isGlobal(warp, to)) {
      std::memset(warp.launch.memory.initialisedShadow(reinterpret_cast<DeviceAddress>(to)), 0, line);
    }
  });
}

void nothing(Warp&, const Op&, std::uint32_t) {}

} // namespace

void decodeCacheHint(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  if (opcode == "createpolicy") {
    d.takeAny({"fractional", "range", "cvt"});
    d.takePrefixed("L2");
    d.take("global");
    if (d.takeType() != Type::b64) {
      d.fail("a policy has type .b64");
    }
    const ValueId to = d.destination(0, 8);
    d.emit(createPolicy, InstructionClass::other).d = to;
    return;
  }
  d.takePrefixed("L2");
  d.takePrefixed("L1");
  d.take("tensormap");
  Space space = takeSpace(d);
  d.expectOperands(1, 2);
  const AddressOperand address = d.address(d.operand(0), space);
  Op& op = d.emit(opcode == "discard" ? discard : nothing, InstructionClass::other);
  address.apply(op);
  op.target = static_cast<std::uint32_t>(space);
}

} // namespace simgpu
