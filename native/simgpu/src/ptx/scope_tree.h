// The nested scopes of a function body. Inline assembly opens a scope each and declares the same names again and again.
#pragma once

#include "ptx/syntax.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace simgpu::ptx {

/** What a name means in a scope. */
struct Symbol {
  enum class Kind : std::uint8_t { reg, vectorRegister, variable, globalVariable, label, table };
  Kind kind = Kind::reg;
  std::uint32_t index = 0;
  std::uint32_t count = 1;
};

class ScopeTree {
public:
  /** Registers are added to `function` as they are named. */
  explicit ScopeTree(Function& function) : function_(function), scopes_(1) {}

  std::uint32_t current() const { return current_; }
  /** False when there are too many. */
  bool open();
  void close() { current_ = scopes_[current_].parent; }

  /** False when the current scope has the name already. */
  bool declare(const std::string& name, Symbol symbol) {
    return scopes_[current_].symbols.emplace(name, symbol).second;
  }
  bool declareRange(const std::string& name, std::uint64_t count, Type type) {
    return scopes_[current_].ranges.emplace(name, RegisterRange{count, type}).second;
  }
  std::uint32_t addRegister(const std::string& name, Type type);
  /** A new register; one of 128 bits is two of 64, the low half first. */
  Symbol makeRegister(const std::string& name, Type type);

  /** The meaning of a name seen from `scope`, or null. Registers of a range are created here. */
  const Symbol* lookup(const std::string& name, std::uint32_t scope);

private:
  /** ".reg .b32 %r<100>": registers come into being when they are first named. */
  struct RegisterRange {
    std::uint64_t count = 0;
    Type type = Type::b32;
  };

  struct Scope {
    std::uint32_t parent = 0;
    std::unordered_map<std::string, Symbol> symbols;
    std::unordered_map<std::string, RegisterRange> ranges;
  };

  const Symbol* lookupRange(const std::string& name, Scope& scope);

  Function& function_;
  std::vector<Scope> scopes_;
  std::uint32_t current_ = 0;
};

} // namespace simgpu::ptx
