#include "exec/architecture.h"

#include <algorithm>
#include <array>

namespace simgpu {

namespace {

/** An opcode together with these modifiers; an empty opcode is any. From the "Target ISA Notes" of the PTX ISA. */
struct Requirement {
  std::string_view opcode;
  std::array<std::string_view, 2> modifiers;
  std::uint32_t target;
};

// clang-format off
constexpr Requirement requirements[] = {
    {"tanh", {}, 75}, {"ldmatrix", {}, 75}, {"movmatrix", {}, 75}, {"ex2", {"f16"}, 75}, {"ex2", {"f16x2"}, 75},
    {"redux", {}, 80}, {"mbarrier", {}, 80}, {"cp", {"async"}, 80}, {"createpolicy", {}, 80}, {"applypriority", {}, 80},
    {"discard", {}, 80}, {"mma", {"sp"}, 80}, {"mma", {"sp::ordered_metadata"}, 80},
    {"mma", {"m16n8k16"}, 80}, {"mma", {"m16n8k32"}, 80}, {"mma", {"m16n8k64"}, 80}, {"mma", {"bf16"}, 80},
    {"mma", {"m16n8k128"}, 80}, {"mma", {"m16n8k256"}, 80}, {"mma", {"tf32"}, 80}, {"mma", {"f64"}, 80},
    {"wmma", {"bf16"}, 80}, {"wmma", {"tf32"}, 80}, {"wmma", {"f64"}, 80},
    {"fma", {"bf16"}, 80}, {"fma", {"bf16x2"}, 80}, {"fma", {"relu"}, 80},
    {"min", {"f16"}, 80}, {"max", {"f16"}, 80}, {"min", {"f16x2"}, 80}, {"max", {"f16x2"}, 80},
    {"min", {"bf16"}, 80}, {"max", {"bf16"}, 80}, {"min", {"bf16x2"}, 80}, {"max", {"bf16x2"}, 80},
    {"min", {"NaN"}, 80}, {"max", {"NaN"}, 80}, {"cvt", {"bf16"}, 80}, {"cvt", {"bf16x2"}, 80}, {"cvt", {"tf32"}, 80},
    {"cvt", {"f16x2"}, 80}, {"cvt", {"relu"}, 80},
    {"", {"L2::cache_hint"}, 80},
    {"min", {"xorsign"}, 86}, {"max", {"xorsign"}, 86},
    {"cvt", {"e4m3x2"}, 89}, {"cvt", {"e5m2x2"}, 89}, {"mma", {"e4m3"}, 89}, {"mma", {"e5m2"}, 89},
    {"cvt", {"bf16", "f16"}, 90}, {"cvt", {"bf16", "f64"}, 90}, {"cvt", {"bf16", "s8"}, 90},
    {"cvt", {"bf16", "u8"}, 90},
    {"cvt", {"bf16", "s16"}, 90}, {"cvt", {"bf16", "u16"}, 90}, {"cvt", {"bf16", "s32"}, 90},
    {"cvt", {"bf16", "u32"}, 90}, {"cvt", {"bf16", "s64"}, 90}, {"cvt", {"bf16", "u64"}, 90},
    {"cvt", {"bf16", "rni"}, 90}, {"cvt", {"bf16", "rzi"}, 90}, {"cvt", {"bf16", "rmi"}, 90},
    {"cvt", {"bf16", "rpi"}, 90},
    {"cvt", {"tf32", "rn"}, 90}, {"cvt", {"tf32", "rz"}, 90},
    {"add", {"bf16"}, 90}, {"add", {"bf16x2"}, 90}, {"sub", {"bf16"}, 90}, {"sub", {"bf16x2"}, 90},
    {"mul", {"bf16"}, 90}, {"mul", {"bf16x2"}, 90}, {"set", {"bf16"}, 90}, {"set", {"bf16x2"}, 90},
    {"setp", {"bf16"}, 90}, {"setp", {"bf16x2"}, 90}, {"ex2", {"bf16"}, 90}, {"ex2", {"bf16x2"}, 90},
    {"tanh", {"bf16"}, 90}, {"tanh", {"bf16x2"}, 90},
    {"min", {"s16x2"}, 90}, {"max", {"s16x2"}, 90}, {"min", {"u16x2"}, 90}, {"max", {"u16x2"}, 90},
    {"add", {"s16x2"}, 90}, {"add", {"u16x2"}, 90}, {"min", {"relu", "s32"}, 90}, {"max", {"relu", "s32"}, 90},
    {"atom", {"bf16"}, 90}, {"atom", {"bf16x2"}, 90}, {"red", {"bf16"}, 90}, {"red", {"bf16x2"}, 90},
    {"atom", {"b128"}, 90}, {"atom", {"v2"}, 90}, {"atom", {"v4"}, 90}, {"atom", {"v8"}, 90},
    {"red", {"v2"}, 90}, {"red", {"v4"}, 90}, {"red", {"v8"}, 90}, {"red", {"async"}, 90}, {"st", {"async"}, 90},
    {"mma", {"f64", "m16n8k4"}, 90}, {"mma", {"f64", "m16n8k8"}, 90}, {"mma", {"f64", "m16n8k16"}, 90},
    {"mbarrier", {"try_wait"}, 90}, {"mbarrier", {"expect_tx"}, 90}, {"mbarrier", {"complete_tx"}, 90},
    {"fence", {"proxy", "async"}, 90}, {"fence", {"mbarrier_init"}, 90}, {"fence", {"proxy", "tensormap::generic"}, 90},
    {"cp", {"async", "bulk"}, 90}, {"cp", {"reduce"}, 90}, {"elect", {}, 90}, {"mapa", {}, 90}, {"getctarank", {}, 90},
    {"stmatrix", {}, 90}, {"griddepcontrol", {}, 90}, {"setmaxnreg", {}, 90}, {"wgmma", {}, 90}, {"multimem", {}, 90},
    {"tensormap", {}, 90}, {"", {"cluster"}, 90}, {"", {"shared::cluster"}, 90},
    {"redux", {"f32"}, 100}, {"clusterlaunchcontrol", {}, 100}, {"tcgen05", {}, 100}, {"", {"f32x2"}, 100},
    {"st", {"bulk"}, 100}, {"cvt", {"rs"}, 100}, {"cvt", {"e2m1x2"}, 100}, {"cvt", {"e2m3x2"}, 100},
    {"cvt", {"e3m2x2"}, 100}, {"cvt", {"ue8m0x2"}, 100}, {"ldmatrix", {"b8"}, 100},
    {"ld", {"v8"}, 100}, {"st", {"v8"}, 100}, {"ld", {"v4", "b64"}, 100}, {"ld", {"v4", "u64"}, 100},
    {"ld", {"v4", "s64"}, 100}, {"ld", {"v4", "f64"}, 100}, {"st", {"v4", "b64"}, 100}, {"st", {"v4", "u64"}, 100},
    {"st", {"v4", "s64"}, 100}, {"st", {"v4", "f64"}, 100},
};
// clang-format on

} // namespace

std::uint32_t leastTarget(std::string_view opcode, std::span<const std::string_view> modifiers) {
  std::uint32_t least = 0;
  for (const Requirement& requirement : requirements) {
    const bool meant = requirement.opcode.empty() || requirement.opcode == opcode.substr(0, opcode.find("::"));
    const bool applies = meant && std::all_of(requirement.modifiers.begin(), requirement.modifiers.end(),
                                              [&](std::string_view modifier) {
                                                return modifier.empty() ||
                                                       std::find(modifiers.begin(), modifiers.end(), modifier) !=
                                                           modifiers.end();
                                              });
    least = applies ? std::max(least, requirement.target) : least;
  }
  return least;
}

} // namespace simgpu
