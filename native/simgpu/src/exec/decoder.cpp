#include "exec/decoder.h"

#include "exec/address_space.h"
#include "exec/opcode_table.h"
#include "exec/register_packing.h"
#include "exec/special_register.h"
#include "exec/warp.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace simgpu {

using ptx::Operand;
using ptx::PtxError;
using ptx::Space;
using ptx::Type;

namespace {

constexpr std::uint32_t frameAlignment = 128; // no variable needs more; keeps "or" arithmetic on addresses right
constexpr std::uint64_t largestLocal = 512 * 1024;

/** Bytes a lane of a register has: 8-bit registers are kept in 16. */
std::uint32_t slotSize(Type type) { return type == Type::pred ? 0 : std::max(2u, ptx::sizeOf(type)); }

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

void widenAddress(Warp& warp, const Op& op, std::uint32_t mask) {
  forEachLane(mask, [&](int lane) { warp.slot<std::uint64_t>(op.d)[lane] = warp.slot<std::uint32_t>(op.a)[lane] + op.imm; });
}

} // namespace

Decoder::Decoder(const LinkContext& context, Code& code) : context_(context), code_(code) {
  values_.resize(1);
  for (const ptx::Register& reg : context.function->registers) {
    if (slotSize(reg.type) > 8) {
      throw PtxError(context.function->line, "128-bit register '" + reg.name + "' is not simulated", true);
    }
    values_.push_back({slotSize(reg.type), false, 0});
  }
}

FunctionCode Decoder::run() {
  const ptx::Function& source = *context_.function;
  result_.name = source.name;
  result_.defined = true;
  firstOp_ = static_cast<std::uint32_t>(code_.ops.size());
  result_.first = firstOp_;
  layOutLocals();
  for (std::uint32_t i = 0; i < source.instructions.size(); i++) {
    instructionStart_.push_back(static_cast<std::uint32_t>(code_.ops.size()));
    decodeInstruction(i);
  }
  instructionStart_.push_back(static_cast<std::uint32_t>(code_.ops.size()));
  // falling off the end returns
  Op end;
  end.kind = source.entry ? OpKind::exit : OpKind::ret;
  end.instructionClass = InstructionClass::control;
  code_.ops.push_back(end);
  code_.sources.push_back({static_cast<std::int32_t>(source.line), textIndex_});
  applyTargets();
  result_.end = static_cast<std::uint32_t>(code_.ops.size());
  result_.localBytes = (localBytes_ + frameAlignment - 1) / frameAlignment * frameAlignment;
  RegisterPacking(*this).run();
  return std::move(result_);
}

void Decoder::layOutLocals() {
  const ptx::Function& source = *context_.function;
  for (std::uint32_t i = 0; i < source.variables.size(); i++) {
    const ptx::Variable& variable = source.variables[i];
    const bool inBlock = source.entry && i < source.parameters.size();
    const bool inLocal = variable.space == Space::local || (variable.space == Space::param && !inBlock);
    if (inLocal && variable.size > largestLocal) {
      throw PtxError(variable.line, "'" + variable.name + "' is larger than local memory");
    }
    const std::uint32_t size = inLocal ? static_cast<std::uint32_t>(variable.size) : 0;
    localOffsets_.push_back(inLocal ? reserveLocal(size, variable.alignment) : 0);
  }
  if (!source.entry) {
    for (std::uint32_t i = 0; i < source.returns.size() + source.parameters.size(); i++) {
      (i < source.returns.size() ? result_.returns : result_.parameters).push_back(localRange(i));
    }
  }
}

std::uint32_t Decoder::localSize(std::uint32_t variable) const {
  return static_cast<std::uint32_t>(context_.function->variables.at(variable).size);
}

std::uint32_t Decoder::reserveLocal(std::uint32_t size, std::uint32_t alignment) {
  const std::uint32_t align = std::max(1u, std::min(alignment, frameAlignment));
  const std::uint32_t offset = (localBytes_ + align - 1) / align * align;
  if (std::uint64_t{offset} + size > largestLocal) {
    throw PtxError(context_.function->line, "function '" + context_.function->name + "' needs too much local memory");
  }
  localBytes_ = offset + size;
  return offset;
}

void Decoder::fail(const std::string& message) const {
  throw PtxError(instruction_->line, instruction_->text + ": " + message);
}

void Decoder::unsupported(const std::string& message) const {
  throw PtxError(instruction_->line, instruction_->text + ": " + message, true);
}

/** Fills modifiers_ from "ld.global.L1::no_allocate.v4.f32". */
void Decoder::split() {
  modifiers_.clear();
  const std::string_view text = instruction_->text;
  std::size_t start = text.find('.');
  while (start != std::string_view::npos) {
    const std::size_t end = text.find('.', start + 1);
    modifiers_.push_back(text.substr(start + 1, end == std::string_view::npos ? end : end - start - 1));
    start = end;
  }
  const auto [entry, isNew] =
      textIndices_.emplace(instruction_->text, static_cast<std::uint32_t>(code_.texts.size()));
  if (isNew) {
    code_.texts.push_back(instruction_->text);
  }
  textIndex_ = entry->second;
}

void Decoder::decodeInstruction(std::uint32_t index) {
  instruction_ = &context_.function->instructions[index];
  split();
  // "mma.sp::ordered_metadata" and the like carry their colons in a modifier, never in the opcode
  const Opcode* opcode = findOpcode(instruction_->opcode());
  if (opcode == nullptr) {
    throw PtxError(instruction_->line, "unknown instruction '" + instruction_->text + "'");
  }
  opcode->decode(*this);
  if (!modifiers_.empty()) {
    fail("unknown modifier ." + std::string(modifiers_.front()));
  }
}

bool Decoder::take(std::string_view modifier) {
  const auto found = std::find(modifiers_.begin(), modifiers_.end(), modifier);
  if (found == modifiers_.end()) {
    return false;
  }
  modifiers_.erase(found);
  return true;
}

std::optional<std::size_t> Decoder::takeAny(std::initializer_list<std::string_view> modifiers) {
  std::size_t index = 0;
  for (const std::string_view modifier : modifiers) {
    if (take(modifier)) {
      return index;
    }
    index++;
  }
  return std::nullopt;
}

std::optional<Type> Decoder::maybeType() {
  for (auto it = modifiers_.begin(); it != modifiers_.end(); ++it) {
    if (const auto type = ptx::typeNamed(*it)) {
      modifiers_.erase(it);
      return type;
    }
  }
  return std::nullopt;
}

Type Decoder::takeType() {
  const auto type = maybeType();
  if (!type) {
    fail("the instruction has no type");
  }
  return *type;
}

void Decoder::takePrefixed(std::string_view prefix) {
  std::erase_if(modifiers_, [&](std::string_view modifier) { return modifier.starts_with(prefix); });
}

void Decoder::expectOperands(std::size_t least, std::size_t most) {
  if (operandCount() < least || operandCount() > most) {
    fail("the instruction has " + std::to_string(operandCount()) + " operands");
  }
}

const Operand& Decoder::operand(std::size_t index) const {
  if (index >= operandCount()) {
    fail("operand " + std::to_string(index + 1) + " is missing");
  }
  return instruction_->operands[index];
}

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
    fail("special register '" + name + "' is not simulated");
  }
  const ValueId value = temporary(size);
  Op& op = emitUnguarded(readSpecialRegister, InstructionClass::move);
  op.imm = static_cast<std::uint64_t>(*special);
  op.n = static_cast<std::uint8_t>(size);
  op.d = value;
  return value;
}

ValueId Decoder::predicate(const Operand& operand) {
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

ValueId Decoder::destination(const Operand& operand, std::uint32_t size) {
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
    if (size == 4) {
      fail("an offset to dynamic shared memory needs a 64-bit register");
    }
    const ValueId wide = temporary(8);
    Op& op = emitUnguarded(widenAddress, InstructionClass::move);
    op.a = narrow;
    op.d = wide;
    op.imm = operand.value;
    return wide;
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

Op& Decoder::emit(Handler handler, InstructionClass instructionClass) {
  Op& op = emitUnguarded(handler, instructionClass);
  if (instruction_->guarded) {
    op.guard = instruction_->guard + 1;
    op.guardNegated = instruction_->guardNegated;
  }
  return op;
}

Op& Decoder::emitUnguarded(Handler handler, InstructionClass instructionClass) {
  Op op;
  op.run = handler;
  op.instructionClass = instructionClass;
  code_.ops.push_back(op);
  code_.sources.push_back({static_cast<std::int32_t>(instruction_->line), textIndex_});
  return code_.ops.back();
}

void Decoder::extend(Op& op, const std::vector<ValueId>& values, bool results) {
  const auto self = static_cast<std::uint32_t>(&op - code_.ops.data());
  if (op.ext == 0) {
    op.ext = static_cast<std::uint32_t>(code_.extended.size());
  }
  for (const ValueId value : values) {
    extendedRefs_.push_back({self, static_cast<std::uint32_t>(code_.extended.size()), results});
    code_.extended.push_back(value);
  }
}

void Decoder::branchTo(Op& op, const Operand& label) {
  if (label.kind != Operand::Kind::label) {
    fail("a label of this function is needed here");
  }
  fixes_.push_back({static_cast<std::uint32_t>(&op - code_.ops.data()), label.index, nullptr, 0});
}

void Decoder::tableEntry(std::vector<std::uint32_t>* table, std::size_t index, const Operand& label) {
  if (label.kind != Operand::Kind::label) {
    fail("'" + label.name + "' is not a label of this function");
  }
  fixes_.push_back({0, label.index, table, index});
}

void Decoder::applyTargets() {
  for (const TargetFix& fix : fixes_) {
    const std::uint32_t place = instructionStart_[fix.instruction];
    if (fix.table != nullptr) {
      (*fix.table)[fix.entry] = place;
    } else {
      code_.ops[fix.op].target = place;
    }
  }
}

} // namespace simgpu
