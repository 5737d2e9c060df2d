#include "exec/decoder.h"

#include "exec/architecture.h"
#include "exec/opcode_table.h"
#include "exec/register_packing.h"

#include <algorithm>

namespace simgpu {

using ptx::Operand;
using ptx::PtxError;
using ptx::Space;
using ptx::Type;

namespace {

constexpr std::uint64_t largestLocal = 512 * 1024;
constexpr std::uint32_t newestArchitecture = 86; // all of whose instructions are simulated

} // namespace

Decoder::Decoder(const LinkContext& context, Code& code) : context_(context), code_(code) {
  values_.resize(1);
  for (const ptx::Register& reg : context.function->registers) {
    values_.push_back({slotSize(reg.type), false, 0});
  }
}

FunctionCode Decoder::run() {
  const ptx::Function& source = *context_.function;
  result_.name = source.name;
  result_.defined = true;
  firstOp_ = static_cast<std::uint32_t>(code_.ops.size());
  result_.first = firstOp_;
  code_.places.push_back({source.line, 0, 0, 0, 0}); // what is said of the function before ends here
  code_.places.insert(code_.places.end(), source.places.begin(), source.places.end());
  layOutLocals();
  for (std::uint32_t i = 0; i < source.instructions.size(); i++) {
    instructionStart_.push_back(static_cast<std::uint32_t>(code_.ops.size()));
    try {
      decodeInstruction(i);
    } catch (const PtxError& error) {
      if (!error.unsupported) {
        throw;
      }
      refuse(error);
    }
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
    result_.variadic = !source.parameters.empty() && source.parameters.back().unsized;
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

/** Legal, but not simulated: no kernel that has the instruction can be launched, and the others can. */
void Decoder::refuse(const PtxError& error) {
  if (result_.refusal.empty()) {
    const std::string source = code_.sourceIn(context_.function->places, error.line);
    result_.refusal = "line " + std::to_string(error.line) + (source.empty() ? "" : " (" + source + ")") + ": " +
                      error.what();
  }
  const std::uint32_t start = instructionStart_.back();
  code_.ops.resize(start);
  code_.sources.resize(start);
  std::erase_if(fixes_, [&](const TargetFix& fix) { return fix.table == nullptr && fix.op >= start; });
  std::erase_if(extendedRefs_, [&](const ExtendedRef& reference) { return reference.op >= start; });
  emit(nullptr, InstructionClass::control).kind = OpKind::refused; // reached through a pointer to a function
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
  checkTarget();
  // "mma.sp::ordered_metadata" and the like carry their colons in a modifier, never in the opcode
  const Opcode* opcode = findOpcode(instruction_->opcode());
  if (opcode == nullptr || instruction_->refused) {
    const bool exists = instruction_->refused || leastTarget(instruction_->opcode(), modifiers_) != 0;
    throw PtxError(instruction_->line,
                   exists ? "instruction '" + instruction_->text + "' is not simulated"
                          : "unknown instruction '" + instruction_->text + "'",
                   exists);
  }
  const std::uint32_t least = leastTarget(instruction_->opcode(), modifiers_);
  try {
    opcode->decode(*this);
    if (!modifiers_.empty()) {
      fail("unknown modifier ." + std::string(modifiers_.front()));
    }
  } catch (const PtxError& error) {
    if (error.unsupported || least <= newestArchitecture) {
      throw;
    }
    throw PtxError(
        error.line,
        std::string(error.what()) + " (of what sm_" + std::to_string(least) + " brought not all is simulated)", true);
  }
}

/** A device's compiler refuses what the text's own target lacks, whatever the device has. */
void Decoder::checkTarget() const {
  const std::uint32_t least = leastTarget(instruction_->opcode(), modifiers_);
  const std::uint32_t target = context_.module->target;
  if (target < least) {
    fail("needs .target sm_" + std::to_string(least) + " or later; the text is for sm_" + std::to_string(target));
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
