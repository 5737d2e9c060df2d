// Operands of instructions.
#pragma once

#include "ptx/scope_tree.h"
#include "ptx/syntax.h"
#include "ptx/token_reader.h"

namespace simgpu::ptx {

class OperandParser {
public:
  OperandParser(TokenReader& reader, ScopeTree& scopes) : reader_(reader), scopes_(scopes) {}

  /** The next operand; `depth` counts the brackets around it. */
  Operand operand(std::uint32_t depth = 0);
  /** Whether "(" begins a list, as in calls, or an expression. */
  void expectLists(bool lists) { lists_ = lists; }
  /** A register by name. */
  Operand reg(const std::string& name);
  /** Gives names that were not declared when they were read their meaning, once the function is known. */
  void resolve(Operand& operand);

private:
  Operand single(std::uint32_t depth);
  Operand elements(Operand::Kind kind, std::string_view close, std::uint32_t depth);
  Operand address(std::uint32_t depth);
  std::uint64_t offset();
  Operand value();
  Operand named();
  bool partOfRegister(Operand& operand);
  void apply(const Symbol& symbol, Operand& operand);

  TokenReader& reader_;
  ScopeTree& scopes_;
  bool lists_ = false;
};

} // namespace simgpu::ptx
