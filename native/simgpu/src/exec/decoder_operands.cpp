// The operands of an instruction: values, constants, addresses.
#include "exec/address_space.h"
#include "exec/decoder.h"
#include "exec/special_register.h"
#include "exec/warp.h"

#include <bit>

namespace simgpu {

using ptx::Operand;
using ptx::Space;
using ptx::Type;

namespace {

std::size_t sizeIndex(std::uint32_t size) { return size == 0 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3; }

std::uint64_t truncated(std::uint64_t bits, std::uint32_t size) {
  return size >= 8 ? bits : bits & ((std::uint64_t{1} << (8 * size)) - 1);
}

void readLocalAddress(Warp& warp, const Op& op, std::uint32_t mask) {
  const std::uint64_t address = warp.frame().localBase + op.imm;
  if (op.n == 8) {
    forEachLane(mask, [&](int lane) { warp.slot<std::uint64_t>(op.d)[lane] = address; });
  } else {
    forEachLane(mask, [&](int lane) { warp.slot<std::uint32_t>(op.d)[lane] = static_cast<std::uint32_t>(address); });
  }
}

template <class T> void offsetAddress(Warp& warp, const Op& op, std::uint32_t mask) {
  forEachLane(mask, [&](int lane) {
    warp.slot<T>(op.d)[lane] = static_cast<T>(warp.slot<std::uint32_t>(op.a)[lane] + op.imm);
  });
}

} // namespace

std::uint64_t Decoder::constantBits(const Operand& operand, Type type) const {
  switch (operand.kind) {
  case Operand::Kind::integer:
    if (type == Type::f32) {
      return std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int64_t>(operand.value)));
    }
    if (type == Type::f64) {
      return std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<std::int64_t>(operand.value)));
    }
    return operand.value;
  case Operand::Kind::single:
    if (type == Type::f64) {
      return std::bit_cast<std::uint64_t>(
          static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(operand.value))));
    }
    return operand.value;
  default: // floating
    if (type == Type::f32 || type == Type::b32) {
      return std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<double>(operand.value)));
    }
    if (type != Type::f64 && type != Type::b64) {
      fail("a floating-point constant for type ." + std::string(ptx::typeName(type)));
    }
    return operand.value;
  }
}

ValueId Decoder::source(std::size_t index, Type type) { return source(operand(index), type); }

ValueId Decoder::source(const Operand& operand, Type type, bool wider) {
  refusePart(operand);
  if (type == Type::pred) {
    return predicate(operand);
  }
  const std::uint32_t size = slotSize(type);
  switch (operand.kind) {
  case Operand::Kind::reg: {
    const ValueId value = operand.index + 1;
    const std::uint32_t actual = values_[value].size;
    if (actual == 0 || (wider ? actual < size : actual != size)) {
      fail("register '" + function().registers[operand.index].name + "' does not fit type ." +
           std::string(ptx::typeName(type)));
    }
    return value;
  }
  case Operand::Kind::integer:
  case Operand::Kind::single:
  case Operand::Kind::floating:
    return constant(truncated(constantBits(operand, type), size), size);
  case Operand::Kind::special:
    return special(operand.name, size);
  case Operand::Kind::variable:
  case Operand::Kind::function:
    if (size < 4) {
      fail("an address does not fit type ." + std::string(ptx::typeName(type)));
    }
    return addressOf(operand, size);
  default:
    fail("a value is needed here");
  }
}

ValueId Decoder::special(const std::string& name, std::uint32_t size) {
  const auto special = findSpecialRegister(name);
  if (!special) {
    unsupported("special register '" + name + "' is not simulated");
  }
  const ValueId value = temporary(size);
  Op& op = emitUnguarded(readSpecialRegister, InstructionClass::move);
  op.imm = static_cast<std::uint64_t>(*special);
  op.n = static_cast<std::uint8_t>(size);
  op.d = value;
  return value;
}

ValueId Decoder::predicate(const Operand& operand) {
  refusePart(operand);
  if (operand.kind == Operand::Kind::integer) {
    return truth((operand.value != 0) != operand.negated);
  }
  if (operand.kind != Operand::Kind::reg || values_[operand.index + 1].size != 0) {
    fail("a predicate is needed here");
  }
  if (!operand.negated) {
    return operand.index + 1;
  }
  const ValueId value = temporary(0);
  Op& op = emitUnguarded(
      [](Warp& warp, const Op& self, std::uint32_t mask) {
        warp.setPredicate(self.d, mask, ~warp.predicate(self.a));
      },
      InstructionClass::predicate);
  op.d = value;
  op.a = operand.index + 1;
  return value;
}

ValueId Decoder::destination(std::size_t index, std::uint32_t size) { return destination(operand(index), size); }

void Decoder::refusePart(const Operand& operand) const {
  if (operand.minus || !operand.part.empty()) {
    fail("this instruction takes neither parts of registers nor their negation: '" + operand.name + "'");
  }
}

ValueId Decoder::destination(const Operand& operand, std::uint32_t size) {
  refusePart(operand);
  if (operand.kind == Operand::Kind::sink) {
    ValueId& sink = sinks_[sizeIndex(size)];
    if (sink == 0) {
      sink = temporary(size);
    }
    return sink;
  }
  if (operand.kind != Operand::Kind::reg || operand.negated) {
    fail("the destination must be a register");
  }
  if (values_[operand.index + 1].size != size) {
    fail("register '" + function().registers[operand.index].name + "' has the wrong size for the result");
  }
  return operand.index + 1;
}

std::uint32_t Decoder::sizeOf(const Operand& operand, std::uint32_t otherwise) const {
  return operand.kind == Operand::Kind::reg ? values_[operand.index + 1].size : otherwise;
}

std::uint64_t Decoder::immediate(std::size_t index) const {
  if (operand(index).kind != Operand::Kind::integer) {
    fail("operand " + std::to_string(index + 1) + " must be an integer constant");
  }
  return operand(index).value;
}

ValueId Decoder::constant(std::uint64_t bits, std::uint32_t size) {
  const auto [entry, isNew] = constants_[sizeIndex(size)].emplace(bits, static_cast<ValueId>(values_.size()));
  if (isNew) {
    values_.push_back({size, true, bits});
  }
  return entry->second;
}

ValueId Decoder::temporary(std::uint32_t size) {
  values_.push_back({size, false, 0});
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId Decoder::carry() {
  if (carry_ == 0) {
    carry_ = temporary(0);
  }
  return carry_;
}

bool Decoder::isParameterBlock(const Operand& operand) const {
  return function().entry && !operand.moduleScope && operand.index < function().parameters.size();
}

/** The address of a variable or function as a value; for shared and param variables within their space. */
ValueId Decoder::addressOf(const Operand& operand, std::uint32_t size) {
  if (operand.kind == Operand::Kind::function) {
    return constant(truncated(functionAddress(operand.index), size), size);
  }
  const ptx::Variable& variable =
      operand.moduleScope ? context_.module->variables[operand.index] : function().variables[operand.index];
  if (variable.space == Space::shared && variable.unsized) {
    const ValueId narrow = temporary(4);
    emitUnguarded(readDynamicSharedBase, InstructionClass::move).d = narrow;
    if (size == 4 && operand.value == 0) {
      return narrow;
    }
    const ValueId address = temporary(size);
    Op& op = emitUnguarded(size == 4 ? offsetAddress<std::uint32_t> : offsetAddress<std::uint64_t>,
                           InstructionClass::move);
    op.a = narrow;
    op.d = address;
    op.imm = operand.value;
    return address;
  }
  if (operand.moduleScope) {
    return constant(truncated(context_.variableAddresses[operand.index] + operand.value, size), size);
  }
  if (variable.space == Space::shared) {
    return constant(truncated(context_.sharedAddresses.at(operand.index) + operand.value, size), size);
  }
  if (isParameterBlock(operand)) {
    return constant(truncated(context_.parameterOffsets[operand.index] + operand.value, size), size);
  }
  const ValueId value = temporary(size);
  Op& op = emitUnguarded(readLocalAddress, InstructionClass::move);
  op.d = value;
  op.n = static_cast<std::uint8_t>(size);
  // a parameter of a function lives in local memory, and its generic address says so
  op.imm = localOffsets_[operand.index] + operand.value + (variable.space == Space::param && size == 8 ? localWindow : 0);
  return value;
}

AddressOperand Decoder::address(const Operand& operand, Space& space) {
  if (operand.kind != Operand::Kind::address || operand.elements.size() != 1) {
    fail("an address in brackets is needed here");
  }
  const Operand& base = operand.elements.front();
  refusePart(base);
  AddressOperand address{0, operand.value, 0};
  if (base.kind == Operand::Kind::reg) {
    const std::uint32_t size = values_[base.index + 1].size;
    if (size != 4 && size != 8) {
      fail("the address register must have 32 or 64 bits");
    }
    address.base = base.index + 1;
    address.flags = size == 4 ? addressNarrow : 0;
    return address;
  }
  if (base.kind == Operand::Kind::integer) {
    address.offset += base.value;
    address.flags = addressAbsolute;
    return address;
  }
  if (base.kind != Operand::Kind::variable) {
    fail("the address must start with a register, a variable or a number");
  }
  const ptx::Variable& variable =
      base.moduleScope ? context_.module->variables[base.index] : function().variables[base.index];
  if (space != variable.space && space != Space::generic) {
    fail("'" + variable.name + "' is not in ." + std::string(ptx::spaceName(space)) + " memory");
  }
  space = variable.space;
  if (space == Space::shared && variable.unsized) {
    address.base = temporary(4);
    emitUnguarded(readDynamicSharedBase, InstructionClass::move).d = address.base;
    address.flags = addressNarrow;
    return address;
  }
  address.flags = addressAbsolute;
  if (base.moduleScope) {
    address.offset += context_.variableAddresses[base.index];
  } else if (space == Space::shared) {
    address.offset += context_.sharedAddresses.at(base.index);
  } else if (isParameterBlock(base)) {
    address.offset += context_.parameterOffsets[base.index];
  } else {
    address.offset += localOffsets_[base.index];
    address.flags = addressFrame;
    space = Space::local;
  }
  return address;
}

} // namespace simgpu
