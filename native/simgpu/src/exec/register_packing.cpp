#include "exec/register_packing.h"

#include <algorithm>
#include <array>
#include <queue>

namespace simgpu {

namespace {

constexpr std::uint32_t frameHead = 64; // offset 0 means "no operand", and 64 keeps slots on cache lines

std::uint32_t slotBytes(std::uint32_t size) { return size == 0 ? 4 : size * 32; }

bool endsBlock(const Op& op) {
  return op.kind == OpKind::branch || op.kind == OpKind::branchIndexed || op.kind == OpKind::ret ||
         op.kind == OpKind::exit;
}

} // namespace

/** Calls action(value reference, isResult) for each operand of an operation, sources first. */
template <class Action> void RegisterPacking::forOperands(std::uint32_t index, Action action) {
  Op& op = code_.ops[decoder_.firstOp_ + index];
  for (std::uint32_t* source : {&op.guard, &op.a, &op.b, &op.c, &op.e}) {
    if (*source != 0) {
      action(*source, false);
    }
  }
  for (const bool results : {false, true}) {
    for (const std::uint32_t ref : extended_[index]) {
      const Decoder::ExtendedRef& entry = decoder_.extendedRefs_[ref];
      if (entry.result == results && code_.extended[entry.index] != 0) {
        action(code_.extended[entry.index], results);
      }
    }
  }
  for (std::uint32_t* result : {&op.d, &op.d2}) {
    if (*result != 0) {
      action(*result, true);
    }
  }
}

void RegisterPacking::run() {
  const std::uint32_t count = decoder_.result_.end - decoder_.result_.first;
  extended_.resize(count);
  for (std::uint32_t i = 0; i < decoder_.extendedRefs_.size(); i++) {
    extended_[decoder_.extendedRefs_[i].op - decoder_.firstOp_].push_back(i);
  }
  findBlocks();
  findCrossing();
  solve();
  findRanges();
  assign();
  rewrite();
}

void RegisterPacking::findBlocks() {
  const std::uint32_t first = decoder_.result_.first;
  const std::uint32_t count = decoder_.result_.end - first;
  std::vector<bool> starts(count + 1, false);
  starts[0] = true;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges; // operation to target
  for (const Decoder::TargetFix& fix : decoder_.fixes_) {
    const std::uint32_t target = decoder_.instructionStart_[fix.instruction] - first;
    starts[target] = true;
    if (fix.table == nullptr) {
      edges.emplace_back(fix.op - first, target);
    }
  }
  for (std::uint32_t i = 0; i < count; i++) {
    if (endsBlock(code_.ops[first + i])) {
      starts[i + 1] = true;
    }
  }
  blockOf_.resize(count);
  for (std::uint32_t i = 0; i < count; i++) {
    if (starts[i]) {
      blocks_.push_back({});
      blocks_.back().first = i;
    }
    blockOf_[i] = static_cast<std::uint32_t>(blocks_.size() - 1);
    blocks_.back().end = i + 1;
  }
  for (const auto& [from, to] : edges) {
    blocks_[blockOf_[from]].next.push_back(blockOf_[to]);
  }
  for (std::uint32_t b = 0; b < blocks_.size(); b++) {
    const Op& last = code_.ops[first + blocks_[b].end - 1];
    const bool leaves = (endsBlock(last) && last.kind != OpKind::branchIndexed) && last.guard == 0;
    if (last.kind == OpKind::branchIndexed) {
      // any entry of any table of this function: a superset of the targets, and rare
      for (const Decoder::TargetFix& fix : decoder_.fixes_) {
        if (fix.table != nullptr) {
          blocks_[b].next.push_back(blockOf_[decoder_.instructionStart_[fix.instruction] - first]);
        }
      }
    }
    if (!leaves && b + 1 < blocks_.size()) {
      blocks_[b].next.push_back(b + 1);
    }
  }
}

/** Values named in more than one block, or read before they are written in their only one. */
void RegisterPacking::findCrossing() {
  const std::uint32_t count = decoder_.result_.end - decoder_.result_.first;
  constexpr std::uint32_t nowhere = ~0u;
  std::vector<std::uint32_t> home(decoder_.values_.size(), nowhere);
  std::vector<bool> crosses(decoder_.values_.size(), false);
  for (std::uint32_t i = 0; i < count; i++) {
    const bool guarded = code_.ops[decoder_.firstOp_ + i].guard != 0;
    forOperands(i, [&](std::uint32_t value, bool result) {
      if (decoder_.values_[value].constant) {
        return;
      }
      if (home[value] == nowhere) {
        home[value] = blockOf_[i];
        crosses[value] = crosses[value] || !result || guarded;
      } else if (home[value] != blockOf_[i]) {
        crosses[value] = true;
      }
    });
  }
  crossing_.assign(decoder_.values_.size(), ~0u);
  for (ValueId value = 0; value < crosses.size(); value++) {
    if (crosses[value]) {
      crossing_[value] = static_cast<std::uint32_t>(crossingValues_.size());
      crossingValues_.push_back(value);
    }
  }
}

void RegisterPacking::solve() {
  const std::size_t words = (crossingValues_.size() + 63) / 64;
  for (BasicBlock& block : blocks_) {
    block.liveIn.assign(words, 0);
    block.liveOut.assign(words, 0);
    block.upward.assign(words, 0);
    block.killed.assign(words, 0);
    for (std::uint32_t i = block.first; i < block.end; i++) {
      const bool guarded = code_.ops[decoder_.firstOp_ + i].guard != 0;
      forOperands(i, [&](std::uint32_t value, bool result) {
        const std::uint32_t bit = crossing_[value];
        if (bit == ~0u) {
          return;
        }
        const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
        // a guarded write leaves the old value in some lanes: it reads as well
        if ((!result || guarded) && (block.killed[bit / 64] & mask) == 0) {
          block.upward[bit / 64] |= mask;
        }
        if (result && !guarded) {
          block.killed[bit / 64] |= mask;
        }
      });
    }
    block.liveIn = block.upward;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t b = blocks_.size(); b-- > 0;) {
      BasicBlock& block = blocks_[b];
      for (std::size_t w = 0; w < words; w++) {
        std::uint64_t out = block.liveOut[w];
        for (const std::uint32_t next : block.next) {
          out |= blocks_[next].liveIn[w];
        }
        const std::uint64_t in = block.upward[w] | (out & ~block.killed[w]);
        changed |= in != block.liveIn[w];
        block.liveOut[w] = out;
        block.liveIn[w] = in;
      }
    }
  }
}

void RegisterPacking::findRanges() {
  ranges_.assign(decoder_.values_.size(), {});
  const auto cover = [&](ValueId value, std::uint32_t position) {
    ranges_[value].first = std::min(ranges_[value].first, position);
    ranges_[value].last = std::max(ranges_[value].last, position);
  };
  for (const BasicBlock& block : blocks_) {
    for (std::size_t bit = 0; bit < crossingValues_.size(); bit++) {
      const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
      if ((block.liveIn[bit / 64] & mask) != 0) {
        cover(crossingValues_[bit], block.first);
      }
      if ((block.liveOut[bit / 64] & mask) != 0) {
        cover(crossingValues_[bit], block.end - 1);
      }
    }
    for (std::uint32_t i = block.first; i < block.end; i++) {
      forOperands(i, [&](std::uint32_t value, bool) { cover(value, i); });
    }
  }
}

void RegisterPacking::assign() {
  slots_.assign(decoder_.values_.size(), 0);
  frameBytes_ = frameHead;
  const auto place = [&](std::uint32_t size) {
    // 64 lanes' worth of alignment would waste space; vectors want 32 bytes, predicates want 4
    const std::uint32_t alignment = size == 0 ? 4 : 64;
    frameBytes_ = (frameBytes_ + alignment - 1) / alignment * alignment;
    const std::uint32_t slot = frameBytes_;
    frameBytes_ += slotBytes(size);
    return slot;
  };
  std::vector<ValueId> order;
  for (ValueId value = 1; value < decoder_.values_.size(); value++) {
    if (ranges_[value].first == ~0u) {
      continue; // never named
    }
    const Value& data = decoder_.values_[value];
    if (data.constant) {
      slots_[value] = place(data.size);
      decoder_.result_.constants.push_back({slots_[value], data.size, data.bits});
    } else {
      order.push_back(value);
    }
  }
  std::sort(order.begin(), order.end(), [&](ValueId a, ValueId b) {
    return ranges_[a].first != ranges_[b].first ? ranges_[a].first < ranges_[b].first : a < b;
  });
  const auto later = [&](ValueId a, ValueId b) { return ranges_[a].last > ranges_[b].last; };
  std::priority_queue<ValueId, std::vector<ValueId>, decltype(later)> active(later);
  std::array<std::vector<std::uint32_t>, 9> freeSlots;
  std::uint32_t live = 0; // in 32-bit registers
  std::uint32_t most = 0;
  for (const ValueId value : order) {
    // A slot is free once its last reader is past: an operation never has a result share a slot with a source of
    // another lane position, so cross-lane operations need no copies.
    while (!active.empty() && ranges_[active.top()].last < ranges_[value].first) {
      const std::uint32_t size = decoder_.values_[active.top()].size;
      freeSlots[size].push_back(slots_[active.top()]);
      live -= size / 4;
      active.pop();
    }
    const std::uint32_t size = decoder_.values_[value].size;
    if (freeSlots[size].empty()) {
      slots_[value] = place(size);
    } else {
      slots_[value] = freeSlots[size].back();
      freeSlots[size].pop_back();
    }
    active.push(value);
    live += size / 4;
    most = std::max(most, live);
  }
  frameBytes_ = (frameBytes_ + 63) / 64 * 64;
  // addresses and loop counters that the assembler keeps apart from the values it sees here
  constexpr std::uint32_t overhead = 8;
  constexpr std::uint32_t architectural = 255;
  decoder_.result_.registers = std::min(architectural, most + overhead);
}

void RegisterPacking::rewrite() {
  for (std::uint32_t i = 0; i < decoder_.result_.end - decoder_.result_.first; i++) {
    code_.operandStart.push_back(static_cast<std::uint32_t>(code_.operands.size()));
    forOperands(i, [&](std::uint32_t& value, bool result) {
      const auto size = static_cast<std::uint8_t>(decoder_.values_[value].size);
      value = slots_[value];
      code_.operands.push_back({value, size, result});
    });
  }
  decoder_.result_.frameBytes = frameBytes_;
}

} // namespace simgpu
