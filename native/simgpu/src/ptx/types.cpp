#include "ptx/types.h"

#include <array>
#include <cstddef>

namespace simgpu::ptx {

namespace {

struct Row {
  std::string_view name;
  std::uint32_t size;
};

constexpr std::array rows{
    Row{"pred", 0},  Row{"b8", 1},     Row{"b16", 2},  Row{"b32", 4},    Row{"b64", 8},  Row{"b128", 16},
    Row{"u8", 1},    Row{"u16", 2},    Row{"u32", 4},  Row{"u64", 8},    Row{"s8", 1},   Row{"s16", 2},
    Row{"s32", 4},   Row{"s64", 8},    Row{"f16", 2},  Row{"f16x2", 4},  Row{"bf16", 2}, Row{"bf16x2", 4},
    Row{"tf32", 4},  Row{"f32", 4},    Row{"f64", 8},  Row{"b1", 0},     Row{"u4", 0},   Row{"s4", 0},
};

} // namespace

std::optional<Type> typeNamed(std::string_view name) {
  for (std::size_t i = 0; i < rows.size(); i++) {
    if (rows[i].name == name) {
      return static_cast<Type>(i);
    }
  }
  return std::nullopt;
}

std::string_view typeName(Type type) { return rows[static_cast<std::size_t>(type)].name; }

std::uint32_t sizeOf(Type type) { return rows[static_cast<std::size_t>(type)].size; }

bool isFloat(Type type) { return type >= Type::f16 && type <= Type::f64; }

bool isSigned(Type type) { return (type >= Type::s8 && type <= Type::s64) || type == Type::s4; }

bool isBits(Type type) { return type >= Type::b8 && type <= Type::b128; }

std::string_view spaceName(Space space) {
  constexpr std::array<std::string_view, 6> names{"generic", "param", "local", "shared", "global", "const"};
  return names[static_cast<std::size_t>(space)];
}

} // namespace simgpu::ptx
