#include "exec/store_value.h"

#include "exec/block.h"
#include "exec/suspect_tensor.h"

#include <algorithm>

namespace simgpu {

std::optional<std::uint8_t> storedByte(const Warp& warp, const Op& op, int lane, std::uint32_t byte) {
  const Code& code = *warp.launch.code;
  if (!code.textOf(op).starts_with("st.")) {
    return std::nullopt;
  }
  const std::uint32_t element = op.target >> loadElementShift & loadElementMask;
  const std::uint32_t* slots = op.n == 1 ? &op.b : warp.extended(op);
  const std::uint32_t slot = slots[byte / element];
  const auto operands = code.operandsOf(op);
  const auto value = std::find_if(operands.begin(), operands.end(), [&](const OperandSlot& operand) {
    return !operand.result && operand.slot == slot && operand.size >= element;
  });
  if (value == operands.end()) {
    return std::nullopt;
  }
  const auto offset = static_cast<std::uint32_t>(lane) * value->size + byte % element;
  return std::to_integer<std::uint8_t>(warp.registers[slot + offset]);
}

} // namespace simgpu
