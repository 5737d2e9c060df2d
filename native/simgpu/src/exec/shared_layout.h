// Where .shared variables lie. A kernel only pays for what it can reach; variables that .func bodies name must be at
// the same place in every kernel, because the function's code is shared, and come first.
#pragma once

#include "ptx/syntax.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace simgpu {

class SharedLayout {
public:
  explicit SharedLayout(const ptx::Module& module);

  struct Placement {
    std::unordered_map<std::uint32_t, std::uint32_t> moduleVariables; // index to offset
    std::unordered_map<std::uint32_t, std::uint32_t> ownVariables;    // of the function
    std::uint32_t bytes = 0;
  };

  /** The variables a function sees, and for a kernel the static size. */
  const Placement& of(std::uint32_t function) const { return placements_[function]; }

private:
  struct Uses {
    std::vector<std::uint32_t> functions;
    std::vector<std::uint32_t> variables; // of the module, .shared ones
    bool indirect = false;
  };

  void collect(const ptx::Operand& operand, Uses& uses) const;
  bool reachesCommon(std::uint32_t entry) const;

  const ptx::Module& module_;
  std::vector<Uses> uses_;
  std::vector<Placement> placements_;
};

} // namespace simgpu
