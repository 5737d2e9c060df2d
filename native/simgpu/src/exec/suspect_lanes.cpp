// Suspect values through instructions whose lanes do not keep to themselves, or choose: see suspect.h.
#include "exec/suspect.h"

#include "exec/shuffle.h"
#include "exec/suspect_tensor.h"
#include "exec/warp.h"

#include <array>
#include <cstring>
#include <utility>

namespace simgpu {

/** d = c ? a : b takes the chosen value's taint. */
void Suspects::followSelection(Warp& warp, const Op& op, std::uint32_t active) {
  const std::uint32_t chosen = warp.predicate(op.c);
  const Taint condition = taintOf(warp.registers + op.c);
  Taint taint;
  taint.add(taintOf(warp.registers + op.a), chosen);
  taint.add(taintOf(warp.registers + op.b), ~chosen);
  if (condition.any() != 0) {
    taint.origin = condition.origin;
    for (std::uint32_t& byte : taint.bytes) {
      byte |= condition.any();
    }
  }
  set(warp.registers + op.d, taint, active);
}

/** Every lane takes the taint of the lane that its value comes from. */
void Suspects::followShuffle(Warp& warp, const Op& op, std::uint32_t active) {
  const ShuffleSources sources = shuffleSources(warp, op);
  const Taint source = taintOf(warp.registers + op.a);
  Taint moved;
  moved.origin = source.origin;
  forEachLane(active, [&](int lane) {
    for (std::size_t i = 0; i < moved.bytes.size(); i++) {
      moved.bytes[i] |= (source.bytes[i] >> sources.lane[static_cast<std::size_t>(lane)] & 1) << lane;
    }
  });
  set(warp.registers + op.d, moved, active);
  if (op.d2 != noSlot) {
    set(warp.registers + op.d2, {}, active);
  }
}

/**
 * D = A*B + C: a suspect row of A makes that row of D suspect, a suspect column of B that column. In all m16n8 and m8n8
 * fragments lane L holds row L/4 (and, in odd registers of A, row L/4 + 8) of A, column L/4 of B, and columns 2(L%4)
 * and 2(L%4)+1 of rows L/4 and L/4 + 8 of D.
 */
void Suspects::followMma(Warp& warp, const Op& op, std::uint32_t active) {
  const MmaRegisters count = mmaRegisters(op);
  const std::uint32_t* slots = warp.extended(op);
  const std::uint32_t* a = slots + count.d;
  const std::uint32_t* b = a + count.a;
  const std::uint32_t* c = b + count.b;
  if (op.a != noSlot) {
    report(warp, op, taintOf(warp.registers + op.a), active);
  }
  std::uint32_t rows = 0; // of D, in lanes' worth: rows 0-7 below, 8-15 above
  std::uint32_t columns = 0;
  std::uint32_t origin = 0;
  const auto quads = [](std::uint32_t lanes) {
    std::uint32_t bits = 0;
    forEachLane(lanes, [&](int lane) { bits |= 1u << (lane / 4); });
    return bits;
  };
  for (std::uint32_t i = 0; count.regular && i < count.a; i++) {
    const Taint taint = taintOf(warp.registers + a[i]);
    rows |= quads(taint.any()) << (count.halves ? i % 2 * 8 : 0);
    origin = taint.any() != 0 ? taint.origin : origin;
  }
  for (std::uint32_t i = 0; count.regular && i < count.b; i++) {
    const Taint taint = taintOf(warp.registers + b[i]);
    columns |= quads(taint.any());
    origin = taint.any() != 0 ? taint.origin : origin;
  }
  for (std::uint32_t i = 0; i < count.d; i++) {
    Taint result;
    result.origin = origin;
    const std::uint32_t half = count.halves && i >= count.d / 2 ? 8 : 0;
    for (int lane = 0; lane < lanesPerWarp; lane++) {
      const auto column = static_cast<std::uint32_t>(lane) % 4 * 2;
      const bool row = (rows >> (static_cast<std::uint32_t>(lane) / 4 + half) & 1) != 0;
      for (std::size_t byte = 0; byte < result.bytes.size(); byte++) {
        const std::uint32_t which = count.packed ? static_cast<std::uint32_t>(byte / 2) % 2 : i % 2;
        result.bytes[byte] |= static_cast<std::uint32_t>(row || (columns >> (column + which) & 1) != 0) << lane;
      }
    }
    result.add(taintOf(warp.registers + c[i]), allLanes);
    set(warp.registers + slots[i], result, active);
  }
}

} // namespace simgpu
