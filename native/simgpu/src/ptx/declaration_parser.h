// Declarations of variables and parameters, with their initialisers.
#pragma once

#include "ptx/syntax.h"
#include "ptx/token_reader.h"

#include <vector>

namespace simgpu::ptx {

/** The state space a directive names (".shared"); nothing for other tokens. */
std::optional<Space> spaceDirective(const Token& token);

/** After the space directive: ".align 16 .b8 a[4] = {1, 2}, b[2];" up to and including the semicolon. */
std::vector<Variable> parseVariables(TokenReader& reader, Space space, Linkage linkage);

/** "(.param .b32 a, .param .align 8 .b8 b[16])", parentheses included. */
std::vector<Variable> parseParameters(TokenReader& reader);

} // namespace simgpu::ptx
