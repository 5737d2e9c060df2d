// Bodies of functions: scopes, registers, labels, instructions.
#pragma once

#include "ptx/lowering.h"
#include "ptx/syntax.h"
#include "ptx/token_reader.h"

namespace simgpu::ptx {

/**
 * Parses "{ ... }" into `function`, whose returns and parameters are already there. Names that the function does not
 * declare stay Operand::Kind::name for the caller to resolve. `globals` receives variables that the body declares
 * in module-wide spaces; `signatures` knows the functions declared before.
 */
void parseBody(TokenReader& reader, Function& function, std::vector<Variable>& globals, const Signatures& signatures);

/** Whether a name is a special register ("%tid.x", "WARP_SZ"). */
bool isSpecialRegister(std::string_view name);

} // namespace simgpu::ptx
