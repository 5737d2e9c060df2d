#include "exec/suspect_bits.h"

#include "exec/warp.h"

#include <algorithm>

namespace simgpu {

namespace {

/** The lanes and bytes of a register whose value `holds` says yes to. */
template <class Predicate> ByteLanes bytesThat(const Warp& warp, const OperandSlot& operand, Predicate holds) {
  ByteLanes lanes{};
  for (std::uint32_t lane = 0; lane < lanesPerWarp; lane++) {
    for (std::uint32_t i = 0; i < operand.size; i++) {
      const auto byte = std::to_integer<std::uint8_t>(warp.registers[operand.slot + lane * operand.size + i]);
      lanes[i] |= std::uint32_t{holds(byte)} << lane;
    }
  }
  return lanes;
}

} // namespace

ByteLanes decidedBy(const Warp& warp, const OperandSlot& other, bool conjunction) {
  if (other.size == 0) {
    const std::uint32_t value = warp.predicate(other.slot);
    return {conjunction ? ~value : value};
  }
  const std::uint8_t decisive = conjunction ? 0 : 0xff;
  return bytesThat(warp, other, [decisive](std::uint8_t byte) { return byte == decisive; });
}

ByteLanes clearedBy(const Warp& warp, const OperandSlot& other) {
  return bytesThat(warp, other, [](std::uint8_t byte) { return byte != 0xff; });
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
