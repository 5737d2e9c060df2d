// Fundamental types and state spaces of PTX.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace simgpu::ptx {

enum class Type : std::uint8_t {
  pred, b8, b16, b32, b64, b128, u8, u16, u32, u64, s8, s16, s32, s64,
  f16, f16x2, bf16, bf16x2, tf32, f32, f64,
  b1, u4, s4, // elements of matrix fragments only
};

enum class Space : std::uint8_t { generic, param, local, shared, global, constant };

/** The type a modifier names ("s32" for .s32). */
std::optional<Type> typeNamed(std::string_view name);
std::string_view typeName(Type type);

/** Bytes of a value in memory; 0 for predicates and sub-byte elements. */
std::uint32_t sizeOf(Type type);
bool isFloat(Type type);
bool isSigned(Type type);
bool isBits(Type type);

std::string_view spaceName(Space space);

} // namespace simgpu::ptx
