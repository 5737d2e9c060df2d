// mbarrier objects: 64 bits of shared memory that count arrivals in phases.
#include "exec/async_copy.h"
#include "exec/lanes.h"
#include "exec/memory_order.h"
#include "exec/opcode_table.h"

#include <cstring>

namespace simgpu {

namespace {

using ptx::Space;
using ptx::Type;

/**
 * The object, whose layout the ISA leaves open:
 *
 *   | phase | unused | expected | pending |
 *    63      62    40 39      20 19       0
 */
struct Mbarrier {
  static constexpr std::uint64_t countMask = (1 << 20) - 1;

  std::uint64_t bits = 0;

  std::uint64_t pending() const { return bits & countMask; }
  std::uint64_t expected() const { return bits >> 20 & countMask; }
  bool phase() const { return bits >> 63 != 0; }

  static Mbarrier of(std::uint64_t expected, std::uint64_t pending, bool phase) {
    return {std::uint64_t{phase} << 63 | (expected & countMask) << 20 | (pending & countMask)};
  }
};

[[noreturn]] void failBarrier(Warp& warp, const Op& op, int lane, std::uint64_t address, const std::string& detail) {
  Finding finding = warp.launch.locate(FindingKind::invalidBarrier, Status::illegalInstruction, warp, op, lane);
  finding.address = address;
  finding.detail = detail;
  warp.launch.fail(std::move(finding));
}

/** Applies `change(lane, object)` to the object each lane addresses, lane after lane. */
template <class Change> void forObjects(Warp& warp, const Op& op, std::uint32_t mask, bool mustBeValid, Change change) {
  LaneAddresses addresses;
  laneAddresses(warp, op, addresses);
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = addresses[static_cast<std::size_t>(lane)] & 0xffffffff;
    std::byte* place = resolveShared(warp, op, lane, address, {Intent::atomic, true, 8, 8, ~0u});
    Mbarrier object;
    std::memcpy(&object.bits, place, sizeof object.bits);
    const bool valid = object.expected() != 0 && object.pending() != 0 && object.pending() <= Mbarrier::countMask &&
                       (object.bits >> 40 & 0x7fffff) == 0;
    if (mustBeValid && !valid) {
      failBarrier(warp, op, lane, address, "the mbarrier is not initialised");
    }
    const std::uint64_t before = object.bits;
    change(lane, object);
    if (object.bits != before) {
      std::memcpy(place, &object.bits, sizeof object.bits);
    }
    warp.block.shadow.markStrong(warp, static_cast<std::uint32_t>(address), 8);
  });
}

void initialise(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* counts = warp.slot<std::uint32_t>(op.b);
  forObjects(warp, op, mask, false, [&](int lane, Mbarrier& object) {
    const std::uint64_t count = counts[lane];
    if (count == 0 || count > Mbarrier::countMask) {
      failBarrier(warp, op, lane, 0, "an mbarrier counts 1 to 2^20-1 arrivals, not " + std::to_string(count));
    }
    object = Mbarrier::of(count, count, false);
  });
}

void invalidate(Warp& warp, const Op& op, std::uint32_t mask) {
  forObjects(warp, op, mask, true, [](int, Mbarrier& object) { object.bits = 0; });
}

void arriveAt(Warp& warp, const Op& op, int lane, Mbarrier& object, std::uint64_t count, bool drop) {
  if (count == 0 || count > object.pending()) {
    failBarrier(warp, op, lane, 0,
                std::to_string(count) + " arrivals at an mbarrier with " + std::to_string(object.pending()) + " pending");
  }
  const std::uint64_t expected = object.expected() - (drop ? count : 0);
  const std::uint64_t pending = object.pending() - count;
  object = pending == 0 ? Mbarrier::of(expected, expected, !object.phase())
                        : Mbarrier::of(expected, pending, object.phase());
}

/** d = the state before; b: the count, if any; flags 128: drop. */
constexpr std::uint8_t dropFlag = 128;

void arrive(Warp& warp, const Op& op, std::uint32_t mask) {
  noteRelease(warp);
  forObjects(warp, op, mask, true, [&](int lane, Mbarrier& object) {
    if (op.d != noSlot) {
      warp.slot<std::uint64_t>(op.d)[lane] = object.bits;
    }
    const std::uint64_t count = op.b != noSlot ? warp.slot<std::uint32_t>(op.b)[lane] : 1;
    arriveAt(warp, op, lane, object, count, (op.flags & dropFlag) != 0);
  });
}

/** n: 0 by state (b has 64 bits), 1 by parity (b has 32). */
void testWait(Warp& warp, const Op& op, std::uint32_t mask) {
  warp.polled = true;
  std::uint32_t complete = 0;
  forObjects(warp, op, mask, true, [&](int lane, Mbarrier& object) {
    const bool asked = op.n == 0 ? Mbarrier{warp.slot<std::uint64_t>(op.b)[lane]}.phase()
                                 : (warp.slot<std::uint32_t>(op.b)[lane] & 1) != 0;
    complete |= object.phase() != asked ? 1u << lane : 0;
  });
  if (complete != 0) {
    noteAcquire(warp);
  }
  warp.setPredicate(op.d, mask, complete);
}

void pendingCount(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto* states = warp.slot<std::uint64_t>(op.a);
  storeLanes(warp.slot<std::uint32_t>(op.d), mask,
             [=](int lane) { return static_cast<std::uint32_t>(Mbarrier{states[lane]}.pending()); });
}

/**
 * cp.async.mbarrier.arrive: the copies of the lane so far count as complete now. Without .noinc the pending count is
 * first raised by the arrival that follows, so nothing remains to be done.
 */
void copyArrive(Warp& warp, const Op& op, std::uint32_t mask) {
  finishCopies(warp, mask);
  noteRelease(warp);
  const bool counts = op.n != 0;
  forObjects(warp, op, mask, true, [&](int lane, Mbarrier& object) {
    if (counts) {
      arriveAt(warp, op, lane, object, 1, false);
    }
  });
}

/** Without a space the address is generic, and must point into shared memory all the same. */
void takeShared(Decoder& d) { d.takeAny({"shared", "shared::cta"}); }

} // namespace

void decodeMbarrier(Decoder& d) {
  const auto operation = d.takeAny({"init", "inval", "arrive", "arrive_drop", "test_wait", "try_wait", "pending_count"});
  if (!operation) {
    d.fail("the operation is missing");
  }
  takeOrder(d);
  takeShared(d);
  d.take("noComplete");
  const bool parity = d.take("parity");
  if (d.take("expect_tx")) {
    d.unsupported("transaction counts need sm_90");
  }
  if (d.takeType() != Type::b64) {
    d.fail("the type must be .b64");
  }
  Space space = Space::shared;
  const InstructionClass barrierClass = InstructionClass::barrier;
  switch (*operation) {
  case 0: {
    const ValueId count = d.source(1, Type::u32);
    const AddressOperand address = d.address(d.operand(0), space);
    Op& op = d.emit(initialise, barrierClass);
    address.apply(op);
    op.b = count;
    break;
  }
  case 1: {
    const AddressOperand address = d.address(d.operand(0), space);
    address.apply(d.emit(invalidate, barrierClass));
    break;
  }
  case 2:
  case 3: {
    const std::size_t first = d.operand(0).kind == ptx::Operand::Kind::address ? 0 : 1;
    d.expectOperands(first + 1, first + 2);
    const ValueId count = d.operandCount() == first + 2 ? d.source(first + 1, Type::u32) : 0;
    const AddressOperand address = d.address(d.operand(first), space);
    const ValueId state = first == 1 ? d.destination(0, 8) : 0;
    Op& op = d.emit(arrive, barrierClass);
    address.apply(op);
    op.b = count;
    op.d = state;
    op.flags |= *operation == 3 ? dropFlag : std::uint8_t{0};
    break;
  }
  case 4:
  case 5: {
    d.expectOperands(3, 4); // try_wait may name a time limit
    const ValueId phase = d.source(2, parity ? Type::u32 : Type::b64);
    const AddressOperand address = d.address(d.operand(1), space);
    const ValueId p = d.destination(0, 0);
    Op& op = d.emit(testWait, barrierClass);
    address.apply(op);
    op.b = phase;
    op.d = p;
    op.n = parity ? 1 : 0;
    break;
  }
  default: {
    const ValueId state = d.source(1, Type::b64);
    const ValueId to = d.destination(0, 4);
    Op& op = d.emit(pendingCount, barrierClass);
    op.a = state;
    op.d = to;
  }
  }
}

void decodeCopyArrive(Decoder& d) {
  if (!d.take("arrive")) {
    d.fail(".arrive is missing");
  }
  const bool counts = d.take("noinc");
  takeShared(d);
  if (d.takeType() != Type::b64) {
    d.fail("the type must be .b64");
  }
  Space space = Space::shared;
  const AddressOperand address = d.address(d.operand(0), space);
  Op& op = d.emit(copyArrive, InstructionClass::asyncCopy);
  address.apply(op);
  op.n = counts ? 1 : 0;
}

} // namespace simgpu
