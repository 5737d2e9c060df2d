// Which bytes of a result depend on which bytes of its sources, for the instructions that mask and move bits.
#pragma once

#include "exec/suspect.h"

#include <optional>
#include <vector>

namespace simgpu {

/** Where `other` alone decides an and (`conjunction`) or an or: whatever the second source is does not matter there. */
ByteLanes decidedBy(const Warp& warp, const OperandSlot& other, bool conjunction);

/** Where an and with `other` clears some bits of a byte, or all. */
ByteLanes clearedBy(const Warp& warp, const OperandSlot& other);

/** Bytes of the result of shl or shr that hold bits of the bytes of its first source, which has `size` bytes. */
ByteLanes shiftedBytes(const Warp& warp, const Op& op, std::uint32_t size, const ByteLanes& source, bool left,
                       bool arithmetic);

/**
 * Bytes of the result of an instruction that only moves bits: bfe, bfi, prmt, and cvt between integers. `a` and `b` are
 * the suspect bytes of its first two sources; nothing for other instructions. What says which bits move must be good.
 */
std::optional<ByteLanes> movedBytes(const Warp& warp, const Op& op, const ByteLanes& a, const ByteLanes& b);

/** The sources of such an instruction that say which bits move. */
std::vector<std::uint32_t> movingSlots(const Warp& warp, const Op& op);

} // namespace simgpu
