// Which bytes of a result depend on which bytes of its sources, for the instructions that mask and move bits.
#pragma once

#include "exec/suspect.h"

namespace simgpu {

/** Where `other` alone decides an and (`conjunction`) or an or: whatever the second source is does not matter there. */
ByteLanes decidedBy(const Warp& warp, const OperandSlot& other, bool conjunction);

/** Where an and with `other` clears some bits of a byte, or all. */
ByteLanes clearedBy(const Warp& warp, const OperandSlot& other);

/** Bytes of the result of shl or shr that hold bits of the bytes of its first source, which has `size` bytes. */
ByteLanes shiftedBytes(const Warp& warp, const Op& op, std::uint32_t size, const ByteLanes& source, bool left,
                       bool arithmetic);

} // namespace simgpu
