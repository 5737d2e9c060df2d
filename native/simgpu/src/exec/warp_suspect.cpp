// What a warp does about suspect values: see suspect.h.
#include "exec/block.h"
#include "exec/store_value.h"
#include "exec/warp.h"

#include <algorithm>
#include <bit>

namespace simgpu {

void Warp::suspect(const Op& op, int lane, std::uint32_t byte, FindingKind kind,
                   const std::function<Finding()>& describe) {
  Finding finding;
  const bool known = suspects_.known(op, kind);
  if (!known) {
    finding = describe();
  }
  if (suspects_.note(*this, op, lane, byte, kind, known ? nullptr : &finding)) {
    nextMerge_ = 0;
  } else {
    launch.report(known ? describe() : std::move(finding));
  }
}

void Warp::suspectReloaded(const Op& op, int lane, std::uint32_t byte, std::uint8_t mark) {
  if (suspects_.noteReloaded(*this, op, lane, byte, mark)) {
    nextMerge_ = 0;
  } else {
    launch.report(suspects_.findingOf(mark));
  }
}

/** Before the operation at pc_, while there are suspect values. */
void Warp::followSuspects() {
  const Op& op = ops_[pc_];
  std::uint32_t active = mask_;
  if (op.guard != noSlot) {
    const std::uint32_t guard = predicate(op.guard);
    active &= op.guardNegated ? ~guard : guard;
  }
  suspects_.follow(*this, op, mask_, active);
  if (suspects_.empty()) {
    refreshMerge();
  }
}

void Warp::noteSharedRead(const Op& op, std::uint32_t mask, const std::array<std::uint64_t, lanesPerWarp>& addresses,
                          std::uint32_t bytes) {
  SharedRead& read = sharedReads_[nextSharedRead_++ % sharedReadsKept];
  read.op = &op;
  read.registers = registers;
  read.mask = mask;
  // lanes that all read together are in lock step with whoever writes later
  read.ordered = mask == live_ ? allLanes : mask;
  readsApart_ = readsApart_ || mask != live_;
  read.bytes = bytes;
  read.time = block.time;
  for (std::size_t lane = 0; lane < lanesPerWarp; lane++) {
    read.at[lane] = static_cast<std::uint32_t>(addresses[lane]);
  }
}

namespace {

constexpr std::uint32_t exited = ~0u; // in place of an operation's index

const FunctionCode& functionOf(const Code& code, std::uint32_t op) {
  return *std::find_if(code.functions.begin(), code.functions.end(), [op](const FunctionCode& function) {
    return function.defined && op >= function.first && op < function.end;
  });
}

} // namespace

/**
 * What has become of the results of `read` when its lanes are at operation `pc`. Which way they came is not known: the
 * value counts as used if every way from the read to there uses it, or any way to the end if they have exited.
 */
Warp::Use Warp::useBefore(const Op& read, std::uint32_t pc, const FunctionCode& function) const {
  const Code& code = *launch.code;
  const std::span<const OperandSlot> values = code.operandsOf(read);
  bool used = false;
  bool replaced = false;
  const auto holds = [&](const OperandSlot& operand) {
    return std::any_of(values.begin(), values.end(),
                       [&](const OperandSlot& value) { return value.result && value.slot == operand.slot; });
  };
  /** Whether the value is there and unused after the operation. */
  const auto survives = [&](const Op& op) {
    for (const OperandSlot& operand : code.operandsOf(op)) {
      if (holds(operand)) {
        used = used || !operand.result;
        replaced = replaced || (operand.result && op.guard == noSlot);
        if (!operand.result || op.guard == noSlot) {
          return false;
        }
      }
    }
    return true;
  };
  std::vector<bool> seen(function.end - function.first, false);
  std::vector<std::uint32_t> open{static_cast<std::uint32_t>(&read - code.ops.data()) + 1};
  while (!open.empty()) {
    const std::uint32_t at = open.back();
    open.pop_back();
    if (at == pc) {
      return Use::none;
    }
    if (at >= function.end || seen[at - function.first]) {
      continue;
    }
    seen[at - function.first] = true;
    const Op& op = code.ops[at];
    if (!survives(op)) {
      continue;
    }
    const bool leaves = op.kind == OpKind::branch || op.kind == OpKind::ret || op.kind == OpKind::exit;
    if (op.kind == OpKind::branch) {
      open.push_back(op.target);
    }
    if (op.kind == OpKind::branchIndexed) {
      const auto& table = *reinterpret_cast<const std::vector<std::uint32_t>*>(op.imm);
      open.insert(open.end(), table.begin(), table.end());
    } else if (!leaves || op.guard != noSlot) {
      open.push_back(at + 1);
    }
  }
  return used || (!replaced && pc != exited) ? Use::used : Use::replaced;
}

/** What the lanes have done with the value since. */
Warp::Use Warp::useSince(const SharedRead& read, std::uint32_t lanes) const {
  const FunctionCode& function = functionOf(*launch.code, static_cast<std::uint32_t>(read.op - ops_));
  Use use = Use::none;
  std::uint32_t left = lanes;
  const auto look = [&](std::uint32_t pc, std::uint32_t mask, const Frame* frame) {
    if ((mask & lanes) != 0 && use != Use::used) {
      // lanes in a function called since, or back from one, are not followed
      use = frame == nullptr || frame->registers != read.registers ? Use::used : useBefore(*read.op, pc, function);
    }
    left &= ~mask;
  };
  look(pc_, mask_, frame_);
  for (const LaneGroup& group : groups_) {
    look(group.pc, group.mask, group.frame);
  }
  if (left != 0 && use != Use::used) {
    const Use atEnd = useBefore(*read.op, exited, function);
    use = left == lanes || atEnd == Use::used ? atEnd : use;
  }
  return use;
}

bool Warp::overwrites(std::uint32_t offset, std::uint32_t since, const std::function<Finding()>& describe) {
  bool found = false;
  for (const SharedRead& read : sharedReads_) {
    std::uint32_t lanes = 0;
    forEachLane(read.op != nullptr && read.time >= since ? read.mask : 0, [&](int lane) {
      const std::uint32_t start = read.at[static_cast<std::size_t>(lane)];
      lanes |= offset - start < read.bytes ? 1u << lane : 0;
    });
    if (lanes == 0) {
      continue;
    }
    found = true;
    // ldmatrix spreads what a lane reads over the warp
    if (!distrust(read, read.op->instructionClass == InstructionClass::matrixLoad ? live_ : lanes, describe)) {
      return false;
    }
  }
  return found;
}

bool Warp::distrust(const SharedRead& read, std::uint32_t lanes, const std::function<Finding()>& describe) {
  const Use use = useSince(read, lanes);
  if (use == Use::none) {
    suspects_.noteResults(*this, *read.op, read.registers, lanes, describe());
    nextMerge_ = 0;
  }
  return use != Use::used;
}

void Warp::meet(std::uint32_t mask) {
  laneRaces.met(mask);
  if (!readsApart_) {
    return;
  }
  readsApart_ = false;
  for (SharedRead& read : sharedReads_) {
    read.ordered |= (read.ordered & mask) != 0 ? mask : 0;
    readsApart_ = readsApart_ || (read.op != nullptr && (read.ordered | ~live_) != allLanes);
  }
}

void Warp::overwriteReads(const Op& op, std::uint32_t mask, const std::array<std::uint64_t, lanesPerWarp>& addresses,
                          std::uint32_t bytes) {
  if (!readsApart_) {
    return;
  }
  const auto overwritten = [&](const SharedRead& read, int writer, std::uint32_t at) {
    const auto first = static_cast<std::uint32_t>(addresses[static_cast<std::size_t>(writer)]);
    // most lanes write elsewhere, and what they write costs more to tell
    for (std::uint32_t i = at > first ? at - first : 0; i < bytes && first + i - at < read.bytes; i++) {
      const std::optional<std::uint8_t> value = storedByte(*this, op, writer, i);
      if (value && *value != std::to_integer<std::uint8_t>(block.shared()[first + i])) {
        return true;
      }
    }
    return false;
  };
  for (const SharedRead& read : sharedReads_) {
    // if a reader is among the writers they are in lock step
    const std::uint32_t writers = read.op == nullptr || (read.mask & mask) != 0 ? 0 : mask & ~read.ordered;
    forEachLane(writers, [&](int writer) {
      std::uint32_t readers = 0;
      forEachLane(read.mask, [&](int reader) {
        readers |= overwritten(read, writer, read.at[static_cast<std::size_t>(reader)]) ? 1u << reader : 0;
      });
      if (readers == 0) {
        return;
      }
      const auto race = [&] {
        const int reader = std::countr_zero(readers);
        return describeShared(*this, op, writer, read.at[static_cast<std::size_t>(reader)], FindingKind::sharedRace,
                              "lane " + std::to_string(reader) + " of this warp read the byte in line " +
                                  std::to_string(launch.code->sources[static_cast<std::size_t>(read.op - ops_)].line) +
                                  " and no __syncwarp came between");
      };
      if (!distrust(read, readers, race)) {
        launch.report(race());
      }
    });
  }
}

} // namespace simgpu
