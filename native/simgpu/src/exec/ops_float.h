// Floating-point decoding shared with the instructions that integers have too.
#pragma once

#include "ptx/types.h"

#include <cstdint>

namespace simgpu {

class Decoder;

enum class FloatOperation : std::uint8_t { add, sub, mul, fma, div, min, max, neg, abs };

/** f32 and f64. */
void decodeFloat(Decoder& decoder, FloatOperation operation, ptx::Type type);
/** f16, f16x2, bf16, bf16x2. */
void decodeHalf(Decoder& decoder, FloatOperation operation, ptx::Type type);
/** ex2 and tanh of these types. */
void decodeHalfFunction(Decoder& decoder, ptx::Type type);

} // namespace simgpu
