// Suspect values where they are read: see suspect.h.
#include "exec/block.h"
#include "exec/decoder.h"
#include "exec/suspect.h"
#include "exec/suspect_tensor.h"
#include "exec/warp.h"

#include <algorithm>

namespace simgpu {

bool Suspects::note(const Warp& warp, const Op& op, int lane, std::uint32_t byte, FindingKind kind,
                    const Finding* finding) {
  std::uint32_t origin = 0;
  if (finding != nullptr) {
    origin = originOf(op, *finding);
  } else {
    while (origins_[origin].op != &op || origins_[origin].finding.kind != kind) {
      origin++;
    }
  }
  return hold(warp, op, lane, byte, origin);
}

bool Suspects::noteReloaded(const Warp& warp, const Op& op, int lane, std::uint32_t byte, std::uint8_t mark) {
  return hold(warp, op, lane, byte, mark - firstLocalOrigin);
}

/** The register that byte `byte` of a read goes to is suspect, if there is one. */
bool Suspects::hold(const Warp& warp, const Op& op, int lane, std::uint32_t byte, std::uint32_t origin) {
  const std::string_view opcode = warp.launch.code->opcodeOf(op);
  Taint taint;
  taint.origin = origin;
  if (opcode == "ld" || opcode == "ldu" || opcode == "tex") {
    const std::uint32_t* slots = op.n == 1 ? &op.d : warp.extended(op);
    // the element's size in memory is the vector's over n; a wider register holds its extension
    const std::uint32_t element = op.target >> loadElementShift & loadElementMask;
    const std::uint32_t index = byte / element;
    for (std::size_t i = byte % element; i < taint.bytes.size(); i += i + 1 < element ? element : 1) {
      taint.bytes[i] = 1u << lane;
    }
    add(fresh_, warp.registers + slots[std::min<std::uint32_t>(index, op.n - 1u)], taint);
    return true;
  }
  if (opcode == "shfl") {
    taint.spread(1u << lane);
    add(fresh_, warp.registers + op.d, taint);
    return true;
  }
  if (opcode == "ldmatrix") {
    const auto matrix = static_cast<std::uint32_t>(lane) / 8;
    const auto row = static_cast<std::uint32_t>(lane) % 8;
    const bool transposed = op.flags >= loadTransposed;
    // row r, bytes 4c..4c+3 go to lane 4r + c; transposed, column c of row r to half r % 2 of lane 4c + r / 2
    const std::uint32_t to = transposed ? byte / 2 * 4 + row / 2 : row * 4 + byte / 4;
    taint.bytes[transposed ? row % 2 * 2 + byte % 2 : byte % 4] = 1u << to;
    add(fresh_, warp.registers + warp.extended(op)[matrix], taint);
    return true;
  }
  return false;
}

void Suspects::noteResults(const Warp& warp, const Op& op, std::byte* registers, std::uint32_t lanes,
                           const Finding& finding) {
  Taint taint;
  taint.origin = originOf(op, finding);
  taint.spread(lanes);
  for (const OperandSlot& operand : warp.launch.code->operandsOf(op)) {
    if (operand.result) {
      add(entries_, registers + operand.slot, taint);
    }
  }
}

} // namespace simgpu
