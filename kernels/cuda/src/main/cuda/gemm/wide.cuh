// Which operands of a linear layer are f32 in place of the activations' type: what a network adds up over many layers.
#pragma once

namespace filigree {

/** Bits of the parameter `wide`. */
enum WideOperand : int { wideResult = 1, wideResidual = 2 };

} // namespace filigree
