// What a warp does about suspect values: see suspect.h.
#include "exec/block.h"
#include "exec/warp.h"

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
  read.bytes = bytes;
  read.time = block.time;
  for (std::size_t lane = 0; lane < lanesPerWarp; lane++) {
    read.at[lane] = static_cast<std::uint32_t>(addresses[lane]);
  }
}

/** What the operations [from, to) do with the results of `read`, taken as if they followed one another. */
Warp::Use Warp::useBetween(const Op& read, std::uint32_t from, std::uint32_t to) const {
  const Code& code = *launch.code;
  bool replaced = false;
  for (std::uint32_t i = from; i < to; i++) {
    const Op& op = code.ops[i];
    for (const OperandSlot& operand : code.operandsOf(op)) {
      for (const OperandSlot& value : code.operandsOf(read)) {
        if (!value.result || operand.slot != value.slot) {
          continue;
        }
        if (!operand.result) {
          return Use::used;
        }
        replaced = replaced || op.guard == noSlot;
      }
    }
    if (replaced) {
      return Use::replaced;
    }
  }
  return Use::none;
}

/** What the lanes have done with the value since: judged by where they are, as far as that tells. */
Warp::Use Warp::useSince(const SharedRead& read, std::uint32_t lanes) const {
  const auto place = static_cast<std::uint32_t>(read.op - launch.code->ops.data());
  Use use = Use::none;
  const auto look = [&](std::uint32_t pc, std::uint32_t mask, const Frame* frame) {
    if ((mask & lanes) == 0 || use == Use::used) {
      return;
    }
    if (frame == nullptr || frame->registers != read.registers) {
      use = Use::used; // in a function called since, or back from one: not followed
      return;
    }
    if (pc > place) {
      use = useBetween(*read.op, place + 1, pc);
      return;
    }
    // around a loop: to the branch that leads back, and from its target on
    for (std::uint32_t i = place + 1; i < frame->function->end; i++) {
      const Op& op = ops_[i];
      if (op.kind == OpKind::branch && op.target <= pc) {
        use = useBetween(*read.op, place + 1, i + 1);
        use = use == Use::none ? useBetween(*read.op, op.target, pc) : use;
        return;
      }
    }
    use = Use::used;
  };
  look(pc_, mask_, frame_);
  for (const LaneGroup& group : groups_) {
    look(group.pc, group.mask, group.frame);
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
    lanes = read.op->instructionClass == InstructionClass::matrixLoad ? live_ : lanes;
    const Use use = useSince(read, lanes);
    if (use == Use::used) {
      return false;
    }
    if (use == Use::none) {
      suspects_.noteResults(*this, *read.op, read.registers, lanes, describe());
      nextMerge_ = 0;
    }
  }
  return found;
}

} // namespace simgpu
