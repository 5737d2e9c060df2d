#include "exec/suspect.h"

#include "exec/access.h"
#include "exec/address_space.h"
#include "exec/block.h"
#include "exec/decoder.h"
#include "exec/lanes.h"
#include "exec/suspect_bits.h"
#include "exec/suspect_tensor.h"
#include "exec/warp.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace simgpu {

namespace {

bool isMemory(const Op& op) {
  switch (op.instructionClass) {
  case InstructionClass::globalLoad:
  case InstructionClass::globalStore:
  case InstructionClass::globalAtomic:
  case InstructionClass::sharedLoad:
  case InstructionClass::sharedStore:
  case InstructionClass::sharedAtomic:
  case InstructionClass::matrixLoad:
  case InstructionClass::asyncCopy:
  case InstructionClass::localMemory:
  case InstructionClass::parameter:
    return true;
  default:
    return false;
  }
}

std::uint32_t sizeOfSlot(std::span<const OperandSlot> operands, std::uint32_t slot) {
  const auto here = [slot](const OperandSlot& each) { return each.slot == slot; };
  return std::find_if(operands.begin(), operands.end(), here)->size;
}

/** Both halves of a packed type are values of their own. */
bool isPacked(const Code& code, const Op& op) {
  return code.textOf(op).find("16x2") != std::string_view::npos;
}

/** Whether an operation only computes registers. */
bool isPure(const Op& op) {
  switch (op.instructionClass) {
  case InstructionClass::globalStore:
  case InstructionClass::globalAtomic:
  case InstructionClass::sharedStore:
  case InstructionClass::sharedAtomic:
  case InstructionClass::localMemory:
  case InstructionClass::asyncCopy:
  case InstructionClass::barrier:
  case InstructionClass::fence:
  case InstructionClass::control:
    return false;
  default:
    return op.kind == OpKind::plain;
  }
}

/**
 * The operations that a forward branch decides about, if they only compute registers: then the branch chooses values,
 * as `x == 0 ? 1 : 1 / x` does, and nothing else depends on it. Empty otherwise.
 */
std::span<const Op> choiceOf(const Code& code, const Op& branch) {
  const auto first = static_cast<std::uint32_t>(&branch - code.ops.data()) + 1;
  std::uint32_t end = branch.target;
  for (std::uint32_t i = first; i < end; i++) {
    const Op& op = code.ops[i];
    const bool isForward = op.kind == OpKind::branch && op.target > i;
    if (isForward && op.guard == noSlot && i + 1 == end) {
      end = op.target; // the other side of an if-else follows
    } else if (!isPure(op) && !(isForward && op.target <= end)) {
      return {};
    }
  }
  return first < end ? std::span<const Op>(code.ops).subspan(first, end - first) : std::span<const Op>();
}

} // namespace

std::uint32_t Suspects::Taint::any() const {
  std::uint32_t lanes = 0;
  for (const std::uint32_t byte : bytes) {
    lanes |= byte;
  }
  return lanes;
}

void Suspects::Taint::add(const Taint& other, std::uint32_t lanes) {
  for (std::size_t i = 0; i < bytes.size(); i++) {
    const std::uint32_t whole = (bytes[i] & ~masked[i]) | (other.bytes[i] & ~other.masked[i] & lanes);
    masked[i] = (masked[i] | (other.masked[i] & lanes)) & ~whole;
    bytes[i] |= other.bytes[i] & lanes;
  }
  origin = (other.any() & lanes) != 0 ? other.origin : origin;
}

void Suspects::Taint::spread(std::uint32_t lanes) {
  bytes.fill(lanes);
  masked = {};
}

bool Suspects::known(const Op& op, FindingKind kind) const {
  return std::any_of(origins_.begin(), origins_.end(),
                     [&](const Origin& origin) { return origin.op == &op && origin.finding.kind == kind; });
}

std::uint32_t Suspects::originOf(const Op& op, const Finding& finding) {
  for (std::size_t i = 0; i < origins_.size(); i++) {
    if (origins_[i].op == &op && origins_[i].finding.kind == finding.kind) {
      return static_cast<std::uint32_t>(i);
    }
  }
  origins_.push_back({&op, finding});
  return static_cast<std::uint32_t>(origins_.size() - 1);
}

Suspects::Taint Suspects::taintOf(const std::byte* slot) const {
  for (const Entry& entry : entries_) {
    if (entry.slot == slot) {
      return {entry.bytes, entry.origin, entry.masked};
    }
  }
  return {};
}

void Suspects::add(std::vector<Entry>& entries, std::byte* slot, const Taint& taint) {
  for (Entry& entry : entries) {
    if (entry.slot == slot) {
      for (std::size_t i = 0; i < taint.bytes.size(); i++) {
        entry.bytes[i] |= taint.bytes[i];
        entry.masked[i] = (entry.masked[i] & ~taint.bytes[i]) | taint.masked[i];
      }
      entry.origin = taint.origin;
      return;
    }
  }
  entries.push_back({slot, taint.bytes, taint.origin, taint.masked});
}

/** In these lanes the register has this taint, whatever it had before. */
void Suspects::set(std::byte* slot, const Taint& taint, std::uint32_t lanes) {
  for (std::size_t i = 0; i < entries_.size(); i++) {
    if (entries_[i].slot == slot) {
      for (std::uint32_t& byte : entries_[i].bytes) {
        byte &= ~lanes;
      }
      for (std::uint32_t& byte : entries_[i].masked) {
        byte &= ~lanes;
      }
      if ((Taint{entries_[i].bytes, 0, {}}.any()) == 0) {
        entries_[i] = entries_.back();
        entries_.pop_back();
      }
      break;
    }
  }
  Taint part = taint;
  for (std::size_t i = 0; i < part.bytes.size(); i++) {
    part.bytes[i] &= lanes;
    part.masked[i] &= part.bytes[i];
  }
  if (part.any() != 0) {
    add(entries_, slot, part);
  }
}

void Suspects::settle() {
  for (const Entry& entry : fresh_) {
    add(entries_, entry.slot, {entry.bytes, entry.origin, {}});
  }
  fresh_.clear();
}

/**
 * Lanes that have come to the end of a choice. Not before: until it is written, a result's slot may hold another value
 * that is still needed, because registers share slots.
 */
void Suspects::settleChoices(const Op& op, std::uint32_t running) {
  for (Choice& choice : choices_) {
    const std::uint32_t lanes = choice.end == &op ? choice.lanes & running : 0;
    if (lanes == 0) {
      continue;
    }
    choice.lanes &= ~lanes;
    Taint value;
    value.origin = choice.origin;
    for (const auto& [slot, size] : choice.results) {
      value.spread(lanes);
      if (size == 0) {
        value.bytes = {lanes};
      }
      add(entries_, slot, value);
    }
  }
  std::erase_if(choices_, [](const Choice& choice) { return choice.lanes == 0; });
}

void Suspects::report(Warp& warp, const Op& op, const Taint& taint, std::uint32_t lanes) {
  lanes &= taint.any();
  if (lanes == 0) {
    return;
  }
  Finding finding = origins_[taint.origin].finding;
  finding.detail += "; " + warp.launch.code->describe(op) + " uses its value";
  warp.launch.report(std::move(finding));
}

/**
 * A loop of compare-and-swap may begin with a plain read of its word, as CUDA's own atomicAdd of bf16 and everybody's
 * atomicMax of floats do. What another warp wrote meanwhile is no defect there: the word is replaced only if it still is
 * what was read, and of the swap only the word's present value comes back. Afterwards the two tell what happened.
 */
std::uint32_t Suspects::verifiedLanes(Warp& warp, const Op& op) const {
  if (warp.launch.code->textOf(op).find(".cas") == std::string_view::npos) {
    return 0;
  }
  const Taint comparand = taintOf(warp.registers + op.b);
  if (comparand.any() == 0 || origins_[comparand.origin].finding.kind != FindingKind::sharedRace) {
    return 0;
  }
  LaneAddresses addresses;
  laneAddresses(warp, op, addresses);
  const bool shared = static_cast<ptx::Space>(op.target) == ptx::Space::shared;
  std::uint32_t lanes = 0;
  forEachLane(comparand.any(), [&](int lane) {
    lanes |= shared || inWindow(addresses[static_cast<std::size_t>(lane)], sharedWindow) ? 1u << lane : 0;
  });
  return lanes;
}

/** What these lanes hold of an origin, in registers and local memory, is suspect no more. */
void Suspects::forgetOrigin(Warp& warp, std::uint32_t origin, std::uint32_t lanes) {
  for (Entry& entry : entries_) {
    if (entry.origin == origin) {
      for (std::uint32_t& byte : entry.bytes) {
        byte &= ~lanes;
      }
    }
  }
  std::erase_if(entries_, [](const Entry& entry) { return Taint{entry.bytes, 0, {}}.any() == 0; });
  const std::uint32_t mark = origin + firstLocalOrigin;
  forEachLane(lanes, [&](int lane) {
    for (std::uint8_t& known : warp.localKnown(lane)) {
      known = known == mark ? localByteWritten : known;
    }
  });
}

void Suspects::follow(Warp& warp, const Op& op, std::uint32_t running, std::uint32_t active) {
  settle();
  settleChoices(op, running);
  const Code& code = *warp.launch.code;
  const std::span<const OperandSlot> operands = code.operandsOf(op);
  const bool memory = isMemory(op);
  Taint taint;
  if (op.guard != noSlot) {
    const Taint guard = taintOf(warp.registers + op.guard);
    // a guarded result is a choice between two values; a guarded effect happens or not
    const bool effect = op.kind != OpKind::plain || op.instructionClass == InstructionClass::globalStore ||
                        op.instructionClass == InstructionClass::globalAtomic;
    const std::uint32_t lanes = guard.any() & running;
    const auto choice = op.kind == OpKind::branch && lanes != 0 ? choiceOf(code, op) : std::span<const Op>();
    if (!choice.empty()) {
      Choice& made = choices_.emplace_back();
      made.end = choice.data() + choice.size();
      made.lanes = lanes;
      made.origin = guard.origin;
      for (const Op& chosen : choice) {
        for (const OperandSlot& operand : code.operandsOf(chosen)) {
          if (operand.result) {
            made.results.emplace_back(warp.registers + operand.slot, operand.size);
          }
        }
      }
    }
    if (effect && choice.empty()) {
      report(warp, op, guard, running);
    }
    taint.add(guard, running);
    active |= guard.any() & running;
  }
  if (op.instructionClass == InstructionClass::tensor) {
    followMma(warp, op, active);
    return;
  }
  const std::string_view opcode = code.opcodeOf(op);
  if (opcode == "shfl" && op.instructionClass == InstructionClass::warpCollective) {
    followShuffle(warp, op, active);
    return;
  }
  if (opcode == "selp") {
    followSelection(warp, op, active);
    return;
  }
  const std::vector<std::uint32_t> moving = movingSlots(warp, op);
  const auto isGood = [&](std::uint32_t slot) { return taintOf(warp.registers + slot).any() == 0; };
  if (taint.any() == 0 && std::all_of(moving.begin(), moving.end(), isGood)) {
    const Taint first = op.a != noSlot ? taintOf(warp.registers + op.a) : Taint{};
    const Taint second = op.b != noSlot ? taintOf(warp.registers + op.b) : Taint{};
    if (std::optional<ByteLanes> moved = movedBytes(warp, op, first.bytes, second.bytes)) {
      std::fill(moved->begin() + sizeOfSlot(operands, op.d), moved->end(), 0u);
      set(warp.registers + op.d, {*moved, first.any() != 0 ? first.origin : second.origin, {}}, active);
      return;
    }
  }
  const bool bytewise = opcode == "mov" || opcode == "and" || opcode == "or" || opcode == "xor" || opcode == "not" ||
                        opcode == "lop3";
  const bool packs = opcode == "mov" && op.ext != 0;
  std::uint32_t place = 0; // byte of the whole that an element of a pack or unpack begins at
  Taint address;
  for (const OperandSlot& operand : operands) {
    if (operand.result || operand.slot == op.guard) {
      continue;
    }
    const Taint source = taintOf(warp.registers + operand.slot);
    if (memory && (op.flags & (addressAbsolute | addressFrame)) == 0 && operand.slot == op.a) {
      address = source;
    } else if (packs && op.d != noSlot) {
      for (std::size_t i = 0; i < operand.size && place + i < taint.bytes.size(); i++) {
        taint.bytes[place + i] |= source.bytes[i];
      }
      taint.origin = source.any() != 0 ? source.origin : taint.origin;
      place += operand.size;
    } else {
      taint.add(source, allLanes);
    }
  }
  const bool conjunction = opcode == "and";
  if (conjunction || opcode == "or") {
    for (const OperandSlot& operand : operands) { // a byte that one source decides is good if that source is
      if (operand.result || operand.slot == op.guard) {
        continue;
      }
      const ByteLanes decided = decidedBy(warp, operand, conjunction);
      const Taint source = taintOf(warp.registers + operand.slot);
      for (std::size_t byte = 0; byte < taint.bytes.size(); byte++) {
        taint.bytes[byte] &= ~(decided[byte] & ~source.bytes[byte]);
      }
      const ByteLanes cleared = conjunction && operand.size != 0 ? clearedBy(warp, operand) : ByteLanes{};
      for (std::size_t byte = 0; byte < taint.bytes.size(); byte++) {
        taint.masked[byte] |= cleared[byte] & ~source.bytes[byte] & taint.bytes[byte];
      }
    }
  }
  const bool shifts = (opcode == "shl" || opcode == "shr") && taintOf(warp.registers + op.b).any() == 0;
  if (shifts) {
    const bool arithmetic = code.textOf(op).starts_with("shr.s");
    taint.bytes = shiftedBytes(warp, op, sizeOfSlot(operands, op.a), taint.bytes, opcode == "shl", arithmetic);
  }
  report(warp, op, address, active);
  const bool isAtomic = opcode == "atom" || opcode == "red"; // what a store writes is looked at where it goes
  if (op.kind == OpKind::callIndirect || op.kind == OpKind::branchIndexed || isAtomic) {
    const std::uint32_t verified = isAtomic ? verifiedLanes(warp, op) & active : 0;
    report(warp, op, taint, active & ~verified);
    if (verified != 0) {
      forgetOrigin(warp, taintOf(warp.registers + op.b).origin, verified);
    }
  }
  if (memory) {
    taint = {};
  } else if (!bytewise && !shifts && taint.any() != 0) {
    if (isPacked(code, op)) {
      for (std::size_t half = 0; half < taint.bytes.size(); half += 2) {
        taint.bytes[half] = taint.bytes[half + 1] = taint.bytes[half] | taint.bytes[half + 1];
      }
    } else {
      // votes and matches tell every lane about every other
      const bool collective = op.kind == OpKind::collective || op.instructionClass == InstructionClass::warpCollective;
      taint.spread(collective && (taint.any() & active) != 0 ? active : taint.any());
    }
  }
  place = 0;
  for (const OperandSlot& operand : operands) {
    if (!operand.result) {
      continue;
    }
    Taint part = taint;
    if (opcode != "and" && opcode != "or" && (opcode != "mov" || packs)) {
      part.masked = {};
    }
    if (packs && op.d == noSlot) {
      part.bytes = {};
      for (std::size_t i = 0; i < operand.size && place + i < taint.bytes.size(); i++) {
        part.bytes[i] = taint.bytes[place + i];
      }
      place += operand.size;
    }
    if (operand.size == 0 && part.any() != 0) {
      part.bytes = {part.any()};
    }
    set(warp.registers + operand.slot, part, active);
  }
}


void Suspects::forget(const std::byte* registers, std::uint32_t bytes) {
  const auto inside = [&](const Entry& entry) { return entry.slot >= registers && entry.slot < registers + bytes; };
  std::erase_if(entries_, inside);
  std::erase_if(fresh_, inside);
}

void Suspects::drop(std::uint32_t lanes) {
  for (Entry& entry : entries_) {
    for (std::uint32_t& byte : entry.bytes) {
      byte &= ~lanes;
    }
  }
  for (Choice& choice : choices_) {
    choice.lanes &= ~lanes;
  }
  std::erase_if(choices_, [](const Choice& choice) { return choice.lanes == 0; });
  std::erase_if(entries_, [](const Entry& entry) { return Taint{entry.bytes, 0, {}}.any() == 0; });
}

} // namespace simgpu
