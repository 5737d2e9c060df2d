#include "exec/shared_layout.h"

#include <algorithm>

namespace simgpu {

namespace {

using ptx::Operand;
using ptx::Space;
using ptx::Variable;

bool isStaticShared(const Variable& variable) { return variable.space == Space::shared && !variable.unsized; }

constexpr std::uint64_t mostShared = 1 << 30; // larger than any device: refused when launched

std::uint32_t place(std::uint32_t& end, const Variable& variable) {
  const std::uint32_t alignment = std::max(1u, variable.alignment);
  const std::uint32_t offset = (end + alignment - 1) / alignment * alignment;
  end = static_cast<std::uint32_t>(std::min(mostShared, offset + std::min(mostShared, variable.size)));
  return offset;
}

} // namespace

void SharedLayout::collect(const Operand& operand, Uses& uses) const {
  if (operand.kind == Operand::Kind::function) {
    uses.functions.push_back(operand.index);
  } else if (operand.kind == Operand::Kind::variable && operand.moduleScope &&
             isStaticShared(module_.variables[operand.index])) {
    uses.variables.push_back(operand.index);
  }
  for (const Operand& element : operand.elements) {
    collect(element, uses);
  }
}

SharedLayout::SharedLayout(const ptx::Module& module) : module_(module) {
  for (const ptx::Function& function : module.functions) {
    Uses uses;
    for (const ptx::Instruction& instruction : function.instructions) {
      for (const Operand& operand : instruction.operands) {
        collect(operand, uses);
      }
      uses.indirect |= instruction.opcode() == "call" && std::none_of(instruction.operands.begin(), instruction.operands.end(), [](const Operand& operand) {
                         return operand.kind == Operand::Kind::function;
                       });
    }
    std::sort(uses.variables.begin(), uses.variables.end());
    uses.variables.erase(std::unique(uses.variables.begin(), uses.variables.end()), uses.variables.end());
    uses_.push_back(std::move(uses));
  }
  placements_.resize(module.functions.size());
  Placement common;
  for (std::size_t f = 0; f < module.functions.size(); f++) {
    const ptx::Function& function = module.functions[f];
    if (function.entry) {
      continue;
    }
    for (const std::uint32_t variable : uses_[f].variables) {
      if (!common.moduleVariables.contains(variable)) {
        common.moduleVariables[variable] = place(common.bytes, module.variables[variable]);
      }
    }
    for (std::uint32_t v = 0; v < function.variables.size(); v++) {
      if (isStaticShared(function.variables[v])) {
        placements_[f].ownVariables[v] = place(common.bytes, function.variables[v]);
      }
    }
  }
  for (std::uint32_t f = 0; f < module.functions.size(); f++) {
    const ptx::Function& function = module.functions[f];
    Placement& placement = placements_[f];
    placement.moduleVariables = common.moduleVariables;
    if (!function.entry) {
      continue;
    }
    const bool namesCommon = std::any_of(uses_[f].variables.begin(), uses_[f].variables.end(), [&](std::uint32_t v) {
      return common.moduleVariables.contains(v);
    });
    placement.bytes = common.bytes != 0 && (namesCommon || reachesCommon(f)) ? common.bytes : 0;
    for (const std::uint32_t variable : uses_[f].variables) {
      if (!placement.moduleVariables.contains(variable)) {
        placement.moduleVariables[variable] = place(placement.bytes, module.variables[variable]);
      }
    }
    for (std::uint32_t v = 0; v < function.variables.size(); v++) {
      if (isStaticShared(function.variables[v])) {
        placement.ownVariables[v] = place(placement.bytes, function.variables[v]);
      }
    }
  }
}

/** Whether a kernel can call a function that names shared variables; indirect calls could reach any. */
bool SharedLayout::reachesCommon(std::uint32_t entry) const {
  std::vector<bool> seen(module_.functions.size(), false);
  std::vector<std::uint32_t> open{entry};
  seen[entry] = true;
  while (!open.empty()) {
    const std::uint32_t function = open.back();
    open.pop_back();
    if (uses_[function].indirect) {
      return true;
    }
    if (function != entry && (!uses_[function].variables.empty() || !placements_[function].ownVariables.empty())) {
      return true;
    }
    for (const std::uint32_t callee : uses_[function].functions) {
      if (!seen[callee]) {
        seen[callee] = true;
        open.push_back(callee);
      }
    }
  }
  return false;
}

} // namespace simgpu
