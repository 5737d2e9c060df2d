// bar, barrier, fences.
#include "exec/lanes.h"
#include "exec/memory_order.h"
#include "exec/opcode_table.h"

namespace simgpu {

namespace {

using ptx::Type;

void fence(Warp& warp, const Op&, std::uint32_t) {
  noteRelease(warp);
  noteAcquire(warp);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void decodeWarpBarrier(Decoder& d) {
  if (!d.take("sync")) {
    d.fail(".sync is missing");
  }
  d.expectOperands(1, 1);
  const ValueId members = d.source(0, Type::b32);
  Op& op = d.emit(nullptr, InstructionClass::warpCollective);
  op.kind = OpKind::warpBarrier;
  op.e = members;
}

Op& emitBarrier(Decoder& d, std::size_t idOperand, std::size_t countOperand, unsigned flags) {
  const ValueId id = d.source(idOperand, Type::b32);
  const ValueId count = countOperand != 0 ? d.source(countOperand, Type::b32) : 0;
  Op& op = d.emit(nullptr, InstructionClass::barrier);
  op.kind = OpKind::barrier;
  op.a = id;
  op.b = count;
  op.flags = static_cast<std::uint8_t>(flags);
  return op;
}

void decodeReduction(Decoder& d, unsigned flags) {
  const auto operation = d.takeAny({"popc", "and", "or"});
  const Type type = d.takeType();
  if (!operation || type != (*operation == 0 ? Type::u32 : Type::pred)) {
    d.fail("the form is bar.red.popc.u32 or bar.red.{and,or}.pred");
  }
  d.expectOperands(3, 4);
  const std::size_t last = d.operandCount() - 1;
  const ValueId value = d.predicate(last);
  const ValueId to = d.destination(0, *operation == 0 ? 4 : 0);
  Op& op = emitBarrier(d, 1, last == 3 ? 2 : 0, flags | barrierReduce);
  op.c = value;
  op.d = to;
  op.n = static_cast<std::uint8_t>(*operation);
}

} // namespace

void decodeBarrier(Decoder& d) {
  if (d.take("warp")) {
    decodeWarpBarrier(d);
    return;
  }
  if (d.take("cluster")) {
    d.unsupported("clusters need sm_90");
  }
  d.take("cta");
  // bar is barrier.aligned
  const bool isAligned = d.take("aligned") || d.instruction().opcode() == "bar";
  const unsigned flags = isAligned ? barrierAligned : 0;
  const auto operation = d.takeAny({"sync", "arrive", "red"});
  if (!operation) {
    d.fail(".sync, .arrive or .red is missing");
  }
  if (*operation == 2) {
    decodeReduction(d, flags);
  } else if (*operation == 1) {
    d.expectOperands(2, 2);
    emitBarrier(d, 0, 1, flags | barrierArrive);
  } else {
    d.expectOperands(1, 2);
    emitBarrier(d, 0, d.operandCount() == 2 ? 1 : 0, flags);
  }
}

void decodeFence(Decoder& d) {
  if (d.instruction().opcode() == "membar") {
    if (!d.takeAny({"cta", "gl", "sys"})) {
      d.fail("the level is missing");
    }
  } else {
    if (d.take("proxy")) {
      d.takeAny({"alias", "async", "async::generic", "async.global", "async.shared::cta"});
      d.takeAny({"global", "shared::cta"});
    }
    takeOrder(d);
    d.take("mbarrier_init");
  }
  d.emit(fence, InstructionClass::fence);
}

} // namespace simgpu
