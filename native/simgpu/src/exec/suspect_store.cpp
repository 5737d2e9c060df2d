// Suspect values that are stored: see suspect.h.
#include "exec/block.h"
#include "exec/suspect.h"
#include "exec/suspect_tensor.h"
#include "exec/warp.h"

#include <algorithm>
#include <bit>

namespace simgpu {

namespace {

std::uint32_t elementBytes(const Op& op) { return op.target >> loadElementShift & loadElementMask; }

} // namespace

/** Notes, the first time, that values of this origin go to global memory. */
std::uint8_t Suspects::codeOf(Warp& warp, const Op& store, std::uint32_t origin) {
  Origin& read = origins_[origin];
  if (read.code == 0) {
    Finding finding = read.finding;
    finding.detail += "; " + warp.launch.code->describe(store) + " stores its value";
    read.code = warp.launch.memory.unwrittenValues().note(finding);
    finding.kind = FindingKind::unwrittenStored;
    finding.status = Status::success;
    warp.launch.report(std::move(finding));
  }
  return read.code;
}

void Suspects::keepStored(Warp& warp, const Op& op, std::uint32_t lanes, const LaneAddresses& addresses,
                          std::uint32_t bytes) {
  DeviceMemory& memory = warp.launch.memory;
  for (std::uint32_t byte = 0; byte < bytes; byte++) {
    const std::uint32_t suspect = stored(warp, op, byte) & lanes;
    if (suspect == 0) {
      continue;
    }
    const Taint taint = storedTaint(warp, op, byte);
    const auto allocation = memory.find(addresses[static_cast<std::size_t>(std::countr_zero(suspect))]);
    if (origins_[taint.origin].finding.kind != FindingKind::uninitialisedRead || (allocation && allocation->hostSees)) {
      report(warp, op, taint, lanes);
      return;
    }
    const std::uint8_t code = codeOf(warp, op, taint.origin);
    forEachLane(suspect, [&](int lane) {
      *memory.initialisedShadow(addresses[static_cast<std::size_t>(lane)] + byte) = code;
    });
  }
}

std::uint32_t Suspects::stored(const Warp& warp, const Op& op, std::uint32_t byte) const {
  const Taint taint = storedTaint(warp, op, byte);
  return taint.any() == 0 ? 0 : taint.bytes[byte % elementBytes(op)];
}

std::uint8_t Suspects::localMark(const Warp& warp, const Op& op, int lane, std::uint32_t byte) const {
  const Taint taint = storedTaint(warp, op, byte);
  const std::uint32_t index = byte % elementBytes(op);
  // a bit field that is written before its neighbours in the byte are: bits are not told apart
  if (taint.any() == 0 || ((taint.bytes[index] & ~taint.masked[index]) >> lane & 1) == 0) {
    return localByteWritten;
  }
  // a mark has a byte: reads beyond those it can tell apart are called unwritten where they are reloaded
  constexpr std::uint32_t told = 256 - firstLocalOrigin;
  return taint.origin < told ? static_cast<std::uint8_t>(taint.origin + firstLocalOrigin) : 0;
}

/** Of the register that byte `byte` of what the store `op` writes comes from. */
Suspects::Taint Suspects::storedTaint(const Warp& warp, const Op& op, std::uint32_t byte) const {
  if (entries_.empty() || !warp.launch.code->textOf(op).starts_with("st.")) {
    return {};
  }
  const std::uint32_t* slots = op.n == 1 ? &op.b : warp.extended(op);
  return taintOf(warp.registers + slots[std::min<std::uint32_t>(byte / elementBytes(op), op.n - 1u)]);
}

} // namespace simgpu
