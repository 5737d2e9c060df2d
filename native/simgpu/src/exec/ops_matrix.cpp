// ldmatrix and movmatrix.
#include "arith/fragment.h"
#include "exec/lanes.h"
#include "exec/memory_order.h"
#include "exec/opcode_table.h"
#include "exec/suspect_tensor.h"

#include <cstring>

namespace simgpu {

namespace {

using ptx::Operand;
using ptx::Space;
using ptx::Type;

constexpr std::uint32_t rowBytes = 16;
constexpr int rowsPerMatrix = 8;

/** Lanes 8i..8i+7 hold the row addresses of matrix i. */
void loadMatrices(Warp& warp, const Op& op, std::uint32_t) {
  LaneAddresses addresses;
  LanePointers rows{};
  laneAddresses(warp, op, addresses);
  const std::uint32_t addressing = op.n == 4 ? allLanes : (1u << (op.n * rowsPerMatrix)) - 1;
  resolve(warp, op, addressing, Space::shared, addresses, {Intent::read, false, rowBytes, rowBytes, ~0u}, rows);
  const std::uint32_t* results = warp.extended(op);
  // every row is read before a register is written: a result may be the address register
  std::uint32_t values[4][lanesPerWarp];
  for (std::uint32_t i = 0; i < op.n; i++) {
    const std::uint8_t* matrix[rowsPerMatrix];
    for (std::size_t row = 0; row < rowsPerMatrix; row++) {
      matrix[row] = reinterpret_cast<const std::uint8_t*>(rows[i * rowsPerMatrix + row]);
    }
    arith::loadMatrix(values[i], matrix, op.flags >= loadTransposed);
  }
  for (std::uint32_t i = 0; i < op.n; i++) {
    std::memcpy(warp.slot<std::uint32_t>(results[i]), values[i], sizeof values[i]);
  }
}

void moveMatrix(Warp& warp, const Op& op, std::uint32_t) {
  std::uint32_t result[lanesPerWarp];
  arith::transposeMatrix(result, warp.slot<std::uint32_t>(op.a));
  std::memcpy(warp.slot<std::uint32_t>(op.d), result, sizeof result);
}

} // namespace

void decodeLoadMatrix(Decoder& d) {
  if (!d.take("sync") || !d.take("aligned") || !d.take("m8n8")) {
    d.fail("the form is ldmatrix.sync.aligned.m8n8");
  }
  const auto count = d.takeAny({"x1", "x2", "x4"});
  const bool transposed = d.take("trans");
  const Space named = takeSpace(d);
  if (!count || (named != Space::shared && named != Space::generic) || d.takeType() != Type::b16) {
    d.fail("the form is ldmatrix.sync.aligned.m8n8.{x1,x2,x4}{.trans}{.shared}.b16");
  }
  d.expectOperands(2, 2);
  const Operand& vector = d.operand(0);
  const std::size_t matrices = std::size_t{1} << *count;
  std::vector<ValueId> results;
  if (vector.kind == Operand::Kind::vector) {
    for (const Operand& element : vector.elements) {
      results.push_back(d.destination(element, 4));
    }
  } else {
    results.push_back(d.destination(vector, 4));
  }
  if (results.size() != matrices) {
    d.fail("the vector operand has the wrong length");
  }
  Space space = Space::shared;
  const AddressOperand address = d.address(d.operand(1), space);
  Op& op = d.emit(loadMatrices, InstructionClass::matrixLoad);
  address.apply(op);
  op.kind = OpKind::aligned;
  op.n = static_cast<std::uint8_t>(matrices);
  op.flags |= transposed ? loadTransposed : 0;
  d.extend(op, results, true);
}

void decodeMoveMatrix(Decoder& d) {
  if (!d.take("sync") || !d.take("aligned") || !d.take("m8n8") || !d.take("trans")) {
    d.fail("the form is movmatrix.sync.aligned.m8n8.trans.b16");
  }
  if (d.takeType() != Type::b16) {
    d.fail("the type must be .b16");
  }
  Op& op = emitUnary(d, moveMatrix, InstructionClass::warpCollective, Type::b32, Type::b32);
  op.kind = OpKind::aligned;
}

} // namespace simgpu
