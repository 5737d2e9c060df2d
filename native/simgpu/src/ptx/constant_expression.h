// Constant expressions of integers, as macros in inline assembly leave them: (1 << 4) | 3, 16 * 4, n > 8 ? 1 : 2.
#pragma once

#include "ptx/token_reader.h"

#include <cstdint>

namespace simgpu::ptx {

/** How far an expression reaches: to its end, or only over what binds more tightly than + and -. */
enum class Reach : std::uint8_t { whole, product };

/** Whether a constant expression can begin with the token: an integer, "(", "~" or "!". */
bool beginsConstant(const Token& token);

/** The value modulo 2^64; `negated` when a minus sign before the first operand was read already. */
std::uint64_t constantExpression(TokenReader& reader, Reach reach = Reach::whole, bool negated = false);

} // namespace simgpu::ptx
