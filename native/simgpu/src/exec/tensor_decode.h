// Modifiers and operands that mma and wmma have in common.
#pragma once

#include "arith/mma.h"
#include "count/counters.h"
#include "exec/decoder.h"

#include <vector>

namespace simgpu {

/** Takes "m16n8k16". */
arith::MmaShape takeShape(Decoder& d);
arith::Element elementOf(Decoder& d, ptx::Type type);
/** The registers of a fragment operand, braces or not; 32 bits each, 64 for f64. */
std::vector<ValueId> fragment(Decoder& d, std::size_t operand, std::size_t registers, bool wide, bool result);
/** Emits D = A*B + C with operands 0..3 and, for mma.sp, the metadata in operand 4. */
void emitMma(Decoder& d, const arith::MmaInstruction& instruction);

} // namespace simgpu
