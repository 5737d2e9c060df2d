// The names of special registers.
#include "ptx/body_parser.h"

#include <algorithm>
#include <array>

namespace simgpu::ptx {

bool isSpecialRegister(std::string_view name) {
  static constexpr std::array<std::string_view, 22> simple{
      "%laneid",       "%warpid",       "%nwarpid",      "%smid",          "%nsmid",           "%gridid",
      "%lanemask_eq",  "%lanemask_le",  "%lanemask_lt",  "%lanemask_ge",   "%lanemask_gt",     "%clock",
      "%clock_hi",     "%clock64",      "%globaltimer",  "%globaltimer_lo", "%globaltimer_hi", "%total_smem_size",
      "%dynamic_smem_size", "%aggr_smem_size", "WARP_SZ", "%current_graph_exec"};
  if (std::find(simple.begin(), simple.end(), name) != simple.end()) {
    return true;
  }
  for (const std::string_view vector : {"%tid", "%ntid", "%ctaid", "%nctaid"}) {
    if (name.size() == vector.size() + 2 && name.starts_with(vector) && name[vector.size()] == '.') {
      const char component = name.back();
      return component == 'x' || component == 'y' || component == 'z' || component == 'w';
    }
  }
  const auto numbered = [&](std::string_view prefix) {
    return name.starts_with(prefix) && name.size() > prefix.size() && name.size() <= prefix.size() + 2 &&
           name.find_first_not_of("0123456789", prefix.size()) == std::string_view::npos;
  };
  if (name.starts_with("%cluster") || name.starts_with("%ncluster") || name == "%is_explicit_cluster") {
    return true; // known, though not simulated
  }
  if (name.starts_with("%pm") && name.ends_with("_64")) {
    return isSpecialRegister(name.substr(0, name.size() - 3));
  }
  return numbered("%envreg") || numbered("%pm") || numbered("%reserved_smem_offset_") ||
         name == "%reserved_smem_offset_begin" || name == "%reserved_smem_offset_end" ||
         name == "%reserved_smem_offset_cap";
}

} // namespace simgpu::ptx
