#include "exec/suspect_bits.h"

#include "exec/warp.h"

#include <algorithm>

namespace simgpu {

ByteLanes decidedBy(const Warp& warp, const OperandSlot& other, bool conjunction) {
  ByteLanes lanes{};
  if (other.size == 0) {
    const std::uint32_t value = warp.predicate(other.slot);
    lanes[0] = conjunction ? ~value : value;
    return lanes;
  }
  const std::uint8_t decisive = conjunction ? 0 : 0xff;
  for (std::uint32_t lane = 0; lane < lanesPerWarp; lane++) {
    for (std::uint32_t i = 0; i < other.size; i++) {
      const auto byte = std::to_integer<std::uint8_t>(warp.registers[other.slot + lane * other.size + i]);
      lanes[i] |= std::uint32_t{byte == decisive} << lane;
    }
  }
  return lanes;
}

ByteLanes shiftedBytes(const Warp& warp, const Op& op, std::uint32_t size, const ByteLanes& source, bool left,
                       bool arithmetic) {
  const auto* amounts = warp.slot<std::uint32_t>(op.b);
  const auto bits = static_cast<int>(8 * size);
  ByteLanes result{};
  for (int lane = 0; lane < lanesPerWarp; lane++) {
    const auto amount = static_cast<int>(std::min(amounts[lane], 8 * size));
    for (int bit = 0; bit < bits; bit++) {
      int from = left ? bit - amount : bit + amount;
      from = from >= bits && arithmetic ? bits - 1 : from;
      if (from >= 0 && from < bits) {
        result[static_cast<std::size_t>(bit / 8)] |= source[static_cast<std::size_t>(from / 8)] & 1u << lane;
      }
    }
  }
  return result;
}

} // namespace simgpu
