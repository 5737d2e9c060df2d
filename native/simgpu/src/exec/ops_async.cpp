// cp.async: see async_copy.h.
#include "exec/async_copy.h"
#include "exec/lanes.h"
#include "exec/memory_order.h"
#include "exec/opcode_table.h"

#include <bit>
#include <cstring>
#include <utility>

namespace simgpu {

namespace {

using ptx::Space;
using ptx::Type;

/** The batch that collects copies until the next commit. */
CopyBatch& openBatch(Warp& warp) {
  if (warp.copies.empty() || warp.copies.back().committed) {
    warp.copies.emplace_back();
  }
  return warp.copies.back();
}

/** Op: a, imm, flags: shared address; b: global address; c: source bytes or predicate "ignore"; n: bytes. */
void copyAsync(Warp& warp, const Op& op, std::uint32_t mask) {
  LaneAddresses addresses;
  laneAddresses(warp, op, addresses);
  const auto* sources = warp.slot<std::uint64_t>(op.b);
  const std::uint32_t bytes = op.n;
  PendingCopy copy;
  copy.mask = mask;
  copy.bytes = bytes;
  copy.op = &op;
  LaneAddresses from{};
  std::uint32_t reading = 0;
  const auto* sizes = op.c != noSlot ? warp.slot<std::uint32_t>(op.c) : nullptr;
  forEachLane(mask, [&](int lane) {
    const auto index = static_cast<std::size_t>(lane);
    const std::uint32_t wanted = sizes != nullptr ? std::min(sizes[lane], bytes) : bytes;
    copy.sourceBytes[index] = static_cast<std::uint8_t>(wanted);
    copy.to[index] = static_cast<std::uint32_t>(addresses[index]);
    // the offset is signed
    from[index] = sources[lane] + static_cast<std::uint64_t>(static_cast<std::int32_t>(op.target));
    reading |= wanted != 0 ? 1u << lane : 0;
  });
  if (op.e != noSlot) {
    const std::uint32_t ignored = warp.predicate(op.e) & mask;
    forEachLane(ignored, [&](int lane) { copy.sourceBytes[static_cast<std::size_t>(lane)] = 0; });
    reading &= ~ignored;
  }
  // with a source size of zero nothing is read, and the address may be anything
  LanePointers pointers{};
  for (std::uint32_t left = reading; left != 0;) {
    const std::uint8_t wanted = copy.sourceBytes[static_cast<std::size_t>(std::countr_zero(left))];
    std::uint32_t same = 0;
    forEachLane(left, [&](int lane) {
      same |= copy.sourceBytes[static_cast<std::size_t>(lane)] == wanted ? 1u << lane : 0;
    });
    LanePointers part{};
    resolve(warp, op, same, Space::generic, from, {Intent::read, false, wanted, wanted == bytes ? bytes : 1, ~0u}, part);
    forEachLane(same, [&](int lane) { pointers[static_cast<std::size_t>(lane)] = part[static_cast<std::size_t>(lane)]; });
    left &= ~same;
  }
  forEachLane(mask, [&](int lane) {
    const auto index = static_cast<std::size_t>(lane);
    copy.from[index] = pointers[index];
    resolveShared(warp, op, lane, copy.to[index], {Intent::write, false, bytes, bytes, ~0u});
    warp.block.shadow.markPending(warp, op, lane, copy.to[index], bytes);
  });
  if (warp.launch.settings.countTraffic) {
    countShared(warp, mask, addresses, bytes);
  }
  CopyBatch& batch = openBatch(warp);
  batch.mask |= mask;
  batch.copies.push_back(copy);
}

void perform(Warp& warp, const PendingCopy& copy, std::uint32_t lanes) {
  forEachLane(copy.mask & lanes, [&](int lane) {
    const auto index = static_cast<std::size_t>(lane);
    std::byte* to = warp.block.shared() + copy.to[index];
    if (copy.sourceBytes[index] == 16) {
      std::memcpy(to, copy.from[index], 16); // the usual size, as one instruction
    } else {
      if (copy.sourceBytes[index] != 0) { // else the address may be null
        std::memcpy(to, copy.from[index], copy.sourceBytes[index]);
      }
      std::memset(to + copy.sourceBytes[index], 0, copy.bytes - copy.sourceBytes[index]);
    }
    warp.block.shadow.completePending(warp, *copy.op, lane, copy.to[index], copy.bytes);
  });
}

/** Performs what a batch holds for these lanes; lanes without copies have nothing outstanding. */
void finishBatch(Warp& warp, CopyBatch& batch, std::uint32_t lanes) {
  for (PendingCopy& copy : batch.copies) {
    perform(warp, copy, lanes);
    copy.mask &= ~lanes;
  }
  batch.mask &= ~lanes;
}

void dropEmpty(Warp& warp) {
  std::erase_if(warp.copies, [](const CopyBatch& batch) { return batch.committed && batch.mask == 0; });
}

/** cp.async.commit_group: groups belong to threads, so lanes that do not take part keep theirs open. */
void commit(Warp& warp, const Op&, std::uint32_t mask) {
  CopyBatch& open = openBatch(warp);
  CopyBatch rest;
  for (const PendingCopy& copy : open.copies) {
    if ((copy.mask & ~mask) != 0) {
      rest.copies.push_back(copy);
      rest.copies.back().mask &= ~mask;
      rest.mask |= copy.mask & ~mask;
    }
  }
  for (PendingCopy& copy : open.copies) {
    copy.mask &= mask;
  }
  // an empty group counts as well
  open.mask = mask;
  open.committed = true;
  if (!rest.copies.empty()) {
    warp.copies.push_back(std::move(rest));
  }
}

/** cp.async.wait_group N: all but the newest N groups of each lane. */
void waitGroups(Warp& warp, const Op& op, std::uint32_t mask) {
  std::array<std::uint64_t, lanesPerWarp> newer{};
  for (std::size_t i = warp.copies.size(); i-- > 0;) {
    CopyBatch& batch = warp.copies[i];
    if (!batch.committed) {
      continue;
    }
    std::uint32_t due = 0;
    forEachLane(batch.mask & mask, [&](int lane) {
      due |= newer[static_cast<std::size_t>(lane)]++ >= op.imm ? 1u << lane : 0;
    });
    batch.due = due;
  }
  // oldest first: a later copy to the same bytes wins
  for (CopyBatch& batch : warp.copies) {
    if (batch.committed && batch.due != 0) {
      finishBatch(warp, batch, std::exchange(batch.due, 0));
    }
  }
  dropEmpty(warp);
}

void waitAll(Warp& warp, const Op&, std::uint32_t mask) { finishCopies(warp, mask); }

} // namespace

void finishCopies(Warp& warp, std::uint32_t lanes) {
  for (CopyBatch& batch : warp.copies) {
    finishBatch(warp, batch, lanes);
  }
  dropEmpty(warp);
}

void decodeCopyAsync(Decoder& d) {
  if (!d.take("async")) {
    d.unsupported("only cp.async is simulated");
  }
  if (d.take("commit_group")) {
    d.emit(commit, InstructionClass::asyncCopy);
    return;
  }
  if (d.take("wait_all")) {
    d.emit(waitAll, InstructionClass::asyncCopy);
    return;
  }
  if (d.take("wait_group")) {
    const std::uint64_t groups = d.immediate(0);
    d.emit(waitGroups, InstructionClass::asyncCopy).imm = groups;
    return;
  }
  if (d.take("mbarrier")) {
    decodeCopyArrive(d);
    return;
  }
  if (d.take("bulk")) {
    d.unsupported("cp.async.bulk needs sm_90");
  }
  const auto cache = d.takeAny({"ca", "cg"});
  const std::size_t policy = d.take("L2::cache_hint") ? 1 : 0;
  takeCacheHints(d);
  if (!cache || !(d.take("shared") || d.take("shared::cta")) || !d.take("global")) {
    d.fail("the form is cp.async.{ca,cg}.shared.global");
  }
  d.expectOperands(3 + policy, 4 + policy);
  const std::uint64_t bytes = d.immediate(2);
  if ((bytes != 16 && *cache == 1) || (bytes != 4 && bytes != 8 && bytes != 16)) {
    d.fail("the size must be 4, 8 or 16 bytes (.cg: 16)");
  }
  ValueId sourceBytes = 0;
  ValueId ignored = 0;
  if (d.operandCount() == 4 + policy) {
    const ptx::Operand& last = d.operand(3);
    if (last.kind == ptx::Operand::Kind::reg && d.sizeOf(last, 4) == 0) {
      ignored = d.predicate(last);
    } else {
      sourceBytes = d.source(last, Type::u32);
    }
  }
  Space shared = Space::shared;
  Space global = Space::global;
  const AddressOperand to = d.address(d.operand(0), shared);
  const AddressOperand from = d.address(d.operand(1), global);
  ValueId source = from.base;
  if (source == 0) {
    source = d.constant(from.offset, 8);
  } else if ((from.flags & addressNarrow) != 0) {
    d.fail("a global address has 64 bits");
  }
  Op& op = d.emit(copyAsync, InstructionClass::asyncCopy);
  to.apply(op);
  op.b = source;
  op.c = sourceBytes;
  op.e = ignored;
  op.n = static_cast<std::uint8_t>(bytes);
  op.target = from.base == 0 ? 0 : static_cast<std::uint32_t>(from.offset);
}

} // namespace simgpu
