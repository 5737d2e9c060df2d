// mma and wmma.mma. The matrix arithmetic is in arith/mma.h.
#include "exec/lanes.h"
#include "exec/opcode_table.h"
#include "exec/suspect_tensor.h"
#include "exec/tensor_decode.h"
#include "exec/worker.h"

#include <memory>

namespace simgpu {

namespace {

using arith::Element;
using arith::Mma;
using arith::MmaInstruction;
using ptx::Operand;
using ptx::Type;

/** A decoded instruction with what the counters need. */
struct MmaOperation {
  Mma mma;
  TensorType type = TensorType::f16f32;
  std::uint64_t multiplyAdds = 0;
  bool regular = false; // see MmaRegisters
  bool halves = false;
  bool packed = false;
};

TensorType tensorType(const MmaInstruction& instruction) {
  switch (instruction.a) {
  case Element::f16:
    return instruction.d == Element::f16 ? TensorType::f16f16 : TensorType::f16f32;
  case Element::bf16:
    return TensorType::bf16;
  case Element::tf32:
  case Element::f32:
    return TensorType::tf32;
  case Element::f64:
    return TensorType::f64;
  case Element::s8:
  case Element::u8:
    return TensorType::s8;
  case Element::b1:
    return TensorType::b1;
  default:
    return TensorType::s4;
  }
}

[[noreturn]] void failMetadata(Warp& warp, const Op& op, const arith::IllegalMetadata& illegal) {
  const FindingKind kind = illegal.unordered ? FindingKind::unorderedMetadata : FindingKind::invalidMetadata;
  Finding finding = warp.launch.locate(kind, Status::illegalInstruction, warp, op, illegal.lane);
  finding.detail = "row " + std::to_string(illegal.row) + ", group " + std::to_string(illegal.chunk) + ", indices " +
                   std::to_string(illegal.first) + " and " + std::to_string(illegal.second);
  warp.launch.fail(std::move(finding));
}

/** The extended operands are the registers of d, a, b, c in this order; operand a is the metadata. */
void multiply(Warp& warp, const Op& op, std::uint32_t) {
  const auto& operation = *reinterpret_cast<const MmaOperation*>(op.imm);
  const Mma& mma = operation.mma;
  arith::MmaOperands operands{};
  const std::uint32_t* slots = warp.extended(op);
  for (int i = 0; i < mma.dRegisters(); i++) {
    operands.d[i] = warp.slot<void>(*slots++);
  }
  for (int i = 0; i < mma.aRegisters(); i++) {
    operands.a[i] = warp.slot<void>(*slots++);
  }
  for (int i = 0; i < mma.bRegisters(); i++) {
    operands.b[i] = warp.slot<void>(*slots++);
  }
  for (int i = 0; i < mma.cRegisters(); i++) {
    operands.c[i] = warp.slot<void>(*slots++);
  }
  operands.metadata = op.a != noSlot ? warp.slot<std::uint32_t>(op.a) : nullptr;
  const auto accumulation = warp.launch.settings.exactTensor ? arith::Accumulation::exact : arith::Accumulation::fast;
  if (const auto illegal = mma.execute(operands, accumulation)) {
    failMetadata(warp, op, *illegal);
  }
  Counters& counters = warp.worker.counters;
  counters.tensorIssues++;
  counters.sparseTensorIssues += op.a != noSlot ? 1 : 0;
  counters.tensorMultiplyAdds[static_cast<std::size_t>(operation.type)] += operation.multiplyAdds;
}

} // namespace

MmaRegisters mmaRegisters(const Op& op) {
  const auto& operation = *reinterpret_cast<const MmaOperation*>(op.imm);
  const Mma& mma = operation.mma;
  MmaRegisters count{static_cast<std::uint32_t>(mma.dRegisters()), static_cast<std::uint32_t>(mma.aRegisters()),
                     static_cast<std::uint32_t>(mma.bRegisters()), static_cast<std::uint32_t>(mma.cRegisters())};
  count.regular = operation.regular;
  count.halves = operation.halves;
  count.packed = operation.packed;
  return count;
}

arith::MmaShape takeShape(Decoder& d) {
  // every shape of sm_80; which go with which types is decided by arith::Mma
  struct Shape {
    std::string_view name;
    arith::MmaShape shape;
  };
  static constexpr Shape shapes[] = {
      {"m8n8k4", {8, 8, 4}},        {"m8n8k16", {8, 8, 16}},      {"m8n8k32", {8, 8, 32}},
      {"m8n8k128", {8, 8, 128}},    {"m16n8k4", {16, 8, 4}},      {"m16n8k8", {16, 8, 8}},
      {"m16n8k16", {16, 8, 16}},    {"m16n8k32", {16, 8, 32}},    {"m16n8k64", {16, 8, 64}},
      {"m16n8k128", {16, 8, 128}},  {"m16n8k256", {16, 8, 256}},  {"m16n16k16", {16, 16, 16}},
      {"m32n8k16", {32, 8, 16}},    {"m8n32k16", {8, 32, 16}},    {"m16n16k8", {16, 16, 8}},
  };
  for (const Shape& shape : shapes) {
    if (d.take(shape.name)) {
      return shape.shape;
    }
  }
  d.fail("the shape is missing or unknown");
}

Element elementOf(Decoder& d, Type type) {
  switch (type) {
  case Type::f16:
    return Element::f16;
  case Type::bf16:
    return Element::bf16;
  case Type::tf32:
    return Element::tf32;
  case Type::f32:
    return Element::f32;
  case Type::f64:
    return Element::f64;
  case Type::s32:
    return Element::s32;
  case Type::u8:
    return Element::u8;
  case Type::s8:
    return Element::s8;
  case Type::u4:
    return Element::u4;
  case Type::s4:
    return Element::s4;
  case Type::b1:
    return Element::b1;
  default:
    d.fail("matrices have no elements of type ." + std::string(ptx::typeName(type)));
  }
}

std::vector<ValueId> fragment(Decoder& d, std::size_t index, std::size_t registers, bool wide, bool result) {
  const Operand& operand = d.operand(index);
  std::vector<const Operand*> elements;
  if (operand.kind == Operand::Kind::vector) {
    for (const Operand& element : operand.elements) {
      elements.push_back(&element);
    }
  } else {
    elements.push_back(&operand);
  }
  if (elements.size() != registers) {
    d.fail("operand " + std::to_string(index + 1) + " has " + std::to_string(elements.size()) + " registers instead of " +
           std::to_string(registers));
  }
  std::vector<ValueId> values;
  for (const Operand* element : elements) {
    values.push_back(result ? d.destination(*element, wide ? 8 : 4)
                            : d.source(*element, wide ? Type::b64 : Type::b32));
  }
  return values;
}

void emitMma(Decoder& d, const MmaInstruction& instruction) {
  const auto mma = Mma::of(instruction);
  if (!mma) {
    d.fail("sm_80 has no such matrix instruction (shape, types, layout or selector)");
  }
  d.expectOperands(instruction.sparse ? 6 : 4, instruction.sparse ? 6 : 4);
  const bool wide = instruction.a == Element::f64;
  const auto a = fragment(d, 1, static_cast<std::size_t>(mma->aRegisters()), wide, false);
  const auto b = fragment(d, 2, static_cast<std::size_t>(mma->bRegisters()), wide, false);
  const auto c = fragment(d, 3, static_cast<std::size_t>(mma->cRegisters()), wide, false);
  const ValueId metadata = instruction.sparse ? d.source(4, Type::b32) : 0;
  const auto results = fragment(d, 0, static_cast<std::size_t>(mma->dRegisters()), wide, true);
  MmaOperation operation{*mma, tensorType(instruction), static_cast<std::uint64_t>(mma->multiplyAdds())};
  operation.multiplyAdds /= instruction.sparse ? 2 : 1;
  const bool isVolta = instruction.shape.m == 8 && instruction.a == Element::f16;
  operation.regular = !instruction.wmma && !isVolta;
  operation.halves = instruction.shape.m == 16;
  operation.packed = instruction.d == Element::f16;
  const std::uint64_t imm = d.keep(std::make_shared<const MmaOperation>(std::move(operation)));
  Op& op = d.emit(multiply, InstructionClass::tensor);
  op.kind = OpKind::aligned;
  op.a = metadata;
  op.imm = imm;
  d.extend(op, results, true);
  d.extend(op, a, false);
  d.extend(op, b, false);
  d.extend(op, c, false);
}

void decodeMma(Decoder& d) {
  MmaInstruction instruction{};
  instruction.ordered = d.take("sp::ordered_metadata");
  instruction.sparse = instruction.ordered || d.take("sp");
  if (!d.take("sync") || !d.take("aligned")) {
    d.fail(".sync.aligned is missing");
  }
  instruction.shape = takeShape(d);
  // layouts are positional: A first
  std::vector<std::string_view> layouts;
  for (const std::string_view modifier : d.modifiers()) {
    if (modifier == "row" || modifier == "col") {
      layouts.push_back(modifier);
    }
  }
  if (layouts.size() != 2) {
    d.fail("two layouts are needed");
  }
  instruction.aColumnMajor = layouts[0] == "col";
  instruction.bColumnMajor = layouts[1] == "col";
  while (d.takeAny({"row", "col"})) {
  }
  instruction.saturate = d.take("satfinite");
  if (const auto bits = d.takeAny({"xor", "and"})) {
    if (!d.take("popc")) {
      d.fail(".popc is missing");
    }
    instruction.bitOperation = *bits == 0 ? arith::BitOperation::xorPopc : arith::BitOperation::andPopc;
  }
  if (const auto rounding = d.takeAny({"rn", "rz", "rm", "rp"})) {
    instruction.rounding = static_cast<arith::Rounding>(*rounding);
  }
  instruction.d = elementOf(d, d.takeType());
  instruction.a = elementOf(d, d.takeType());
  instruction.b = elementOf(d, d.takeType());
  instruction.c = elementOf(d, d.takeType());
  if (instruction.sparse) {
    d.expectOperands(6, 6);
    const std::uint64_t selector = d.immediate(5);
    if (selector > 3) {
      d.fail("the sparsity selector is 0 to 3");
    }
    instruction.selector = static_cast<int>(selector);
  }
  emitMma(d, instruction);
}

} // namespace simgpu
