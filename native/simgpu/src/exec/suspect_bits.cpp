#include "exec/suspect_bits.h"

#include "arith/bit_field.h"
#include "exec/block.h"
#include "exec/warp.h"
#include "ptx/types.h"

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

/** The suspect bytes of a lane as a number: 0xff where a byte is. */
std::uint64_t maskOf(const ByteLanes& bytes, int lane) {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < bytes.size(); i++) {
    mask |= (bytes[i] >> lane & 1) != 0 ? std::uint64_t{0xff} << 8 * i : 0;
  }
  return mask;
}

/** An instruction that only moves bits moves marks as it moves bits: `move` is applied to the masks of every lane. */
template <class Move> ByteLanes moveMasks(const ByteLanes& a, const ByteLanes& b, Move move) {
  ByteLanes result{};
  for (int lane = 0; lane < lanesPerWarp; lane++) {
    const std::uint64_t moved = move(lane, maskOf(a, lane), maskOf(b, lane));
    for (std::size_t i = 0; i < result.size(); i++) {
      result[i] |= static_cast<std::uint32_t>((moved >> 8 * i & 0xff) != 0) << lane;
    }
  }
  return result;
}

/** The low bytes of a number, extended as a type does. */
std::uint64_t asType(std::uint64_t value, ptx::Type type) {
  const std::uint32_t unused = 64 - 8 * ptx::sizeOf(type);
  const std::uint64_t high = value << unused;
  return ptx::isSigned(type) ? static_cast<std::uint64_t>(static_cast<std::int64_t>(high) >> unused) : high >> unused;
}

/** "s16" of "cvt.u32.s16", counted from the end. */
std::optional<ptx::Type> typeAtEnd(std::string_view text, int place) {
  for (; place > 0; place--) {
    text = text.substr(0, text.rfind('.'));
  }
  return ptx::typeNamed(text.substr(text.rfind('.') + 1));
}

bool isWhole(const std::optional<ptx::Type>& type) {
  return type && *type != ptx::Type::pred && !ptx::isFloat(*type) && ptx::sizeOf(*type) <= sizeof(std::uint64_t);
}

} // namespace

std::vector<std::uint32_t> movingSlots(const Warp& warp, const Op& op) {
  const std::string_view opcode = warp.launch.code->opcodeOf(op);
  if (opcode == "bfe") {
    return {op.b, op.c};
  }
  if (opcode == "bfi") {
    return {op.c, op.e};
  }
  return opcode == "prmt" ? std::vector{op.c} : std::vector<std::uint32_t>{};
}

std::optional<ByteLanes> movedBytes(const Warp& warp, const Op& op, const ByteLanes& a, const ByteLanes& b) {
  const Code& code = *warp.launch.code;
  const std::string_view opcode = code.opcodeOf(op);
  const std::string_view text = code.textOf(op);
  const std::optional<ptx::Type> last = typeAtEnd(text, 0);
  if (opcode == "cvt") {
    const std::optional<ptx::Type> result = typeAtEnd(text, 1);
    if (!isWhole(last) || !isWhole(result) || text.find(".sat") != std::string_view::npos) {
      return std::nullopt;
    }
    return moveMasks(a, {}, [&](int, std::uint64_t mask, std::uint64_t) {
      return asType(asType(mask, *last), *result);
    });
  }
  if (opcode == "bfe") {
    const auto* position = warp.slot<std::uint32_t>(op.b);
    const auto* length = warp.slot<std::uint32_t>(op.c);
    return moveMasks(a, {}, [&](int lane, std::uint64_t mask, std::uint64_t) {
      // 64 bits do for types of 32: what a field needs beyond their top is their sign
      const std::uint64_t wide = asType(mask, *last);
      return ptx::isSigned(*last) ? static_cast<std::uint64_t>(arith::bitFieldExtract(
                                        static_cast<std::int64_t>(wide), position[lane], length[lane]))
                                  : arith::bitFieldExtract(wide, position[lane], length[lane]);
    });
  }
  if (opcode == "bfi") {
    const auto* position = warp.slot<std::uint32_t>(op.c);
    const auto* length = warp.slot<std::uint32_t>(op.e);
    const bool wide = ptx::sizeOf(*last) == sizeof(std::uint64_t);
    return moveMasks(a, b, [&](int lane, std::uint64_t field, std::uint64_t into) {
      return wide ? arith::bitFieldInsert(field, into, position[lane], length[lane])
                  : arith::bitFieldInsert(static_cast<std::uint32_t>(field), static_cast<std::uint32_t>(into),
                                          position[lane], length[lane]);
    });
  }
  if (opcode == "prmt") {
    const auto* control = warp.slot<std::uint32_t>(op.c);
    const auto mode = static_cast<arith::PermuteMode>(op.n);
    return moveMasks(a, b, [&](int lane, std::uint64_t low, std::uint64_t high) {
      return std::uint64_t{arith::permute(static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(high),
                                          control[lane], mode)};
    });
  }
  return std::nullopt;
}

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
