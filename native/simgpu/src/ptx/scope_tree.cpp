#include "ptx/scope_tree.h"

namespace simgpu::ptx {

namespace {

constexpr std::size_t mostScopes = 1 << 20;

} // namespace

bool ScopeTree::open() {
  if (scopes_.size() >= mostScopes) {
    return false;
  }
  scopes_.push_back({current_, {}, {}});
  current_ = static_cast<std::uint32_t>(scopes_.size() - 1);
  return true;
}

const Symbol* ScopeTree::lookup(const std::string& name, std::uint32_t scope) {
  for (std::uint32_t s = scope;; s = scopes_[s].parent) {
    const auto found = scopes_[s].symbols.find(name);
    if (found != scopes_[s].symbols.end()) {
      return &found->second;
    }
    if (const Symbol* made = lookupRange(name, scopes_[s])) {
      return made;
    }
    if (s == 0) {
      return nullptr;
    }
  }
}

const Symbol* ScopeTree::lookupRange(const std::string& name, Scope& scope) {
  std::size_t split = name.size();
  std::uint64_t index = 0;
  std::uint64_t place = 1;
  // the prefix itself may end in digits, so every way to split them off is tried
  while (split > 0 && name[split - 1] >= '0' && name[split - 1] <= '9' && name.size() - split < 9) {
    split--;
    index += static_cast<std::uint64_t>(name[split] - '0') * place;
    place *= 10;
    const bool leadingZero = name[split] == '0' && name.size() - split > 1;
    const auto range = leadingZero ? scope.ranges.end() : scope.ranges.find(name.substr(0, split));
    if (range != scope.ranges.end() && index < range->second.count) {
      const Symbol symbol = makeRegister(name, range->second.type);
      return &scope.symbols.emplace(name, symbol).first->second;
    }
  }
  return nullptr;
}

std::uint32_t ScopeTree::addRegister(const std::string& name, Type type) {
  function_.registers.push_back({name, type});
  return static_cast<std::uint32_t>(function_.registers.size() - 1);
}

Symbol ScopeTree::makeRegister(const std::string& name, Type type) {
  if (type != Type::b128) {
    return {Symbol::Kind::reg, addRegister(name, type)};
  }
  const std::uint32_t low = addRegister(name + ".low", Type::b64);
  addRegister(name + ".high", Type::b64);
  return {Symbol::Kind::vectorRegister, low, 2};
}

} // namespace simgpu::ptx
