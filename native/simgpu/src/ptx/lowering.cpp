#include "ptx/lowering.h"

#include "ptx/lexer.h"

#include <algorithm>
#include <utility>

namespace simgpu::ptx {

namespace {

constexpr std::string_view wide = ".b128";

/** The type to move a variable with: floats keep theirs, so that constants are read as such. */
std::string moveType(const Variable& variable) {
  switch (variable.size) {
  case 16:
    return ".v2.b64";
  case 8:
    return variable.type == Type::f64 ? ".f64" : ".b64";
  case 4:
    return variable.type == Type::f32 ? ".f32" : ".b32";
  case 2:
    return ".b16";
  default:
    return ".b8";
  }
}

Operand variableOperand(std::uint32_t index) {
  Operand operand;
  operand.kind = Operand::Kind::variable;
  operand.index = index;
  return operand;
}

} // namespace

void Lowering::parameter(std::uint32_t variable, const Symbol& symbol) {
  RegisterParameter parameter;
  parameter.variable = variable;
  parameter.result = variable < function_.returns.size();
  parameter.reg.kind = symbol.count > 1 ? Operand::Kind::vector : Operand::Kind::reg;
  parameter.reg.index = symbol.index;
  for (std::uint32_t i = 0; symbol.count > 1 && i < symbol.count; i++) {
    Operand half;
    half.kind = Operand::Kind::reg;
    half.index = symbol.index + i;
    parameter.reg.elements.push_back(half);
  }
  parameters_.push_back(std::move(parameter));
}

void Lowering::move(bool load, std::uint32_t variable, const Operand& reg, const Instruction& like) {
  Instruction instruction;
  instruction.line = like.line;
  instruction.guarded = like.guarded;
  instruction.guardNegated = like.guardNegated;
  instruction.guard = like.guard;
  instruction.text = (load ? "ld.param" : "st.param") + moveType(function_.variables[variable]);
  Operand address;
  address.kind = Operand::Kind::address;
  address.elements.push_back(variableOperand(variable));
  instruction.operands = load ? std::vector{reg, std::move(address)} : std::vector{std::move(address), reg};
  function_.instructions.push_back(std::move(instruction));
}

void Lowering::enter() {
  Instruction entry;
  entry.line = function_.line;
  for (const RegisterParameter& parameter : parameters_) {
    if (!parameter.result) {
      move(true, parameter.variable, parameter.reg, entry);
    }
  }
}

void Lowering::storeResults(const Instruction& like) {
  for (const RegisterParameter& parameter : parameters_) {
    if (parameter.result) {
      move(false, parameter.variable, parameter.reg, like);
    }
  }
}

void Lowering::leave() {
  Instruction end;
  end.line = function_.instructions.empty() ? function_.line : function_.instructions.back().line;
  storeResults(end);
}

void Lowering::add(Instruction&& instruction) {
  const std::string_view opcode = instruction.opcode();
  const std::size_t place = instruction.text.find(wide);
  if (opcode == "call") {
    call(std::move(instruction));
    return;
  }
  if (opcode == "ret") {
    storeResults(instruction);
  } else if (opcode == "mov" && place != std::string::npos) {
    moveWide(std::move(instruction));
    return;
  } else if (place != std::string::npos && (opcode == "ld" || opcode == "ldu" || opcode == "st")) {
    instruction.text.replace(place, wide.size(), ".v2.b64");
  }
  function_.instructions.push_back(std::move(instruction));
}

/** mov.b128 between a 128-bit register and another or a pair of 64-bit ones: half by half. */
void Lowering::moveWide(Instruction&& instruction) {
  if (instruction.operands.size() != 2 || instruction.operands[0].elements.size() != 2 ||
      instruction.operands[1].elements.size() != 2) {
    throw PtxError(instruction.line, "'" + instruction.text + "' moves 128-bit registers and pairs of 64-bit ones");
  }
  for (std::size_t half = 0; half < 2; half++) {
    Instruction part = instruction;
    part.text.replace(part.text.find(wide), wide.size(), ".b64");
    for (Operand& operand : part.operands) {
      operand = Operand(operand.elements[half]);
    }
    function_.instructions.push_back(std::move(part));
  }
}

bool Lowering::isParameter(const Operand& operand) const {
  return operand.kind == Operand::Kind::variable && !operand.moduleScope &&
         function_.variables[operand.index].space == Space::param;
}

/** What the callee declares; null where nothing is known of it. */
const std::vector<Variable>* Lowering::formals(const Instruction& call, bool results) const {
  for (const Operand& operand : call.operands) {
    // functions and prototypes are names still: a later label may turn out to be meant
    if (operand.kind != Operand::Kind::name) {
      continue;
    }
    const Function* callee = operand.name == function_.name ? &function_ : signatures_(operand.name);
    if (callee != nullptr) {
      return results ? &callee->returns : &callee->parameters;
    }
    const auto table = std::find_if(function_.tables.rbegin(), function_.tables.rend(),
                                    [&](const Table& each) { return each.prototype && each.name == operand.name; });
    if (table != function_.tables.rend()) {
      return results ? &table->returns : &table->parameters;
    }
  }
  return nullptr;
}

void Lowering::call(Instruction&& instruction) {
  std::vector<std::pair<std::uint32_t, Operand>> loads;
  bool results = instruction.operands.size() > 1 && instruction.operands.front().kind == Operand::Kind::list;
  for (Operand& list : instruction.operands) {
    if (list.kind != Operand::Kind::list) {
      results = false; // the target: what follows are arguments
      continue;
    }
    for (std::size_t i = 0; i < list.elements.size(); i++) {
      Operand& element = list.elements[i];
      if (isParameter(element)) {
        continue;
      }
      const std::vector<Variable>* declared = formals(instruction, results);
      if (declared == nullptr || i >= declared->size()) {
        throw PtxError(instruction.line, "the call has operands that are no .param variables, and no declaration of "
                                         "the function is known that says what they are");
      }
      Variable variable = (*declared)[i];
      variable.name.clear();
      variable.inRegister = false;
      variable.line = instruction.line;
      const auto index = static_cast<std::uint32_t>(function_.variables.size());
      function_.variables.push_back(std::move(variable));
      const Operand actual = std::exchange(element, variableOperand(index));
      if (results) {
        loads.emplace_back(index, actual);
      } else {
        move(false, index, actual, instruction);
      }
    }
  }
  const Instruction like = instruction;
  function_.instructions.push_back(std::move(instruction));
  for (const auto& [variable, reg] : loads) {
    move(true, variable, reg, like);
  }
}

} // namespace simgpu::ptx
