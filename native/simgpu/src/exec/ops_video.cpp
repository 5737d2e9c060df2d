// The video instructions: SIMD (vadd2, vset4 ...) and scalar (vadd, vmad, vset ...).
#include "arith/video.h"
#include "exec/lanes.h"
#include "exec/opcode_table.h"

#include <memory>
#include <optional>

namespace simgpu {

namespace {

using arith::RegisterPart;
using arith::SecondOperation;
using arith::VideoOperation;
using ptx::Operand;
using ptx::Type;

template <class Instruction, auto Apply> void video(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto& instruction = *reinterpret_cast<const Instruction*>(op.imm);
  const auto* a = warp.slot<std::uint32_t>(op.a);
  const auto* b = warp.slot<std::uint32_t>(op.b);
  const auto* c = warp.slot<std::uint32_t>(op.c);
  auto* d = warp.slot<std::uint32_t>(op.d);
  forEachLane(mask, [&](int lane) { d[lane] = Apply(instruction, a[lane], b[lane], c[lane]); });
}

/** An operand without its part and sign, which only these instructions take. */
Operand bare(Operand operand) {
  operand.part.clear();
  operand.minus = false;
  return operand;
}

VideoOperation operationOf(Decoder& d, std::string_view name) {
  if (name == "set") {
    const auto comparison = d.takeAny({"eq", "ne", "lt", "le", "gt", "ge"}); // in the order of VideoOperation
    if (!comparison) {
      d.fail("the comparison is missing");
    }
    return static_cast<VideoOperation>(static_cast<std::size_t>(VideoOperation::eq) + *comparison);
  }
  return name == "add"       ? VideoOperation::add
         : name == "sub"     ? VideoOperation::sub
         : name == "avrg"    ? VideoOperation::average
         : name == "absdiff" ? VideoOperation::absoluteDifference
         : name == "min"     ? VideoOperation::min
         : name == "max"     ? VideoOperation::max
         : name == "shl"     ? VideoOperation::shiftLeft
         : name == "shr"     ? VideoOperation::shiftRight
                             : VideoOperation::multiplyAdd;
}

/** The signedness of result, a and b; vset names no result, which is unsigned. */
struct Signs {
  bool result = false;
  bool a = false;
  bool b = false;
};

Signs takeSigns(Decoder& d, bool hasResult) {
  std::vector<Type> types;
  while (const auto type = d.maybeType()) {
    types.push_back(*type);
    if (ptx::sizeOf(*type) != 4 || (*type != Type::u32 && *type != Type::s32)) {
      d.fail("the types are .u32 and .s32");
    }
  }
  const std::size_t expected = hasResult ? 3 : 2;
  if (types.size() != expected) {
    d.fail("the instruction needs " + std::to_string(expected) + " types");
  }
  return {hasResult && ptx::isSigned(types[0]), ptx::isSigned(types[expected - 2]), ptx::isSigned(types.back())};
}

/** Emits the operation; a missing third operand is zero. */
template <class Instruction>
void emitVideo(Decoder& d, Handler handler, const Instruction& instruction, std::size_t least) {
  d.expectOperands(least, 4);
  const ValueId a = d.source(bare(d.operand(1)), Type::b32);
  const ValueId b = d.source(bare(d.operand(2)), Type::b32);
  const ValueId c = d.operandCount() == 4 ? d.source(bare(d.operand(3)), Type::b32) : d.constant(0, 4);
  const ValueId to = d.destination(bare(d.operand(0)), 4);
  Op& op = d.emit(handler, InstructionClass::integer);
  op.d = to;
  op.a = a;
  op.b = b;
  op.c = c;
  op.imm = d.keep(std::make_shared<const Instruction>(instruction));
}

/** `.b2`, `.h1`, or nothing for the whole register. */
RegisterPart scalarPart(Decoder& d, const Operand& operand) {
  const std::string& part = operand.part;
  if (part.empty()) {
    return {};
  }
  const char kind = part.front();
  const int index = part.size() == 2 ? part[1] - '0' : -1;
  if ((kind != 'b' && kind != 'h') || index < 0 || index > (kind == 'b' ? 3 : 1)) {
    d.fail("'." + part + "' is not a byte (.b0 to .b3) or half-word (.h0, .h1) of a register");
  }
  const int width = kind == 'b' ? 8 : 16;
  return {static_cast<std::uint8_t>(index * width), static_cast<std::uint8_t>(width)};
}

/** The digits of a SIMD selector or mask, the highest element first as written, each below `limit`. */
std::string elementDigits(Decoder& d, const std::string& part, int elements, int limit) {
  const bool named = !part.empty() && part.front() == (elements == 4 ? 'b' : 'h');
  const std::string digits = named ? part.substr(1) : std::string{};
  const bool legal = std::all_of(digits.begin(), digits.end(), [&](char c) { return c >= '0' && c < '0' + limit; });
  if (digits.empty() || digits.size() > static_cast<std::size_t>(elements) || !legal) {
    d.fail("'." + part + "' does not select elements of a register");
  }
  return digits;
}

void select(Decoder& d, const Operand& operand, int elements, std::uint8_t* selector) {
  if (operand.part.empty()) {
    return;
  }
  const std::string digits = elementDigits(d, operand.part, elements, 2 * elements);
  if (digits.size() != static_cast<std::size_t>(elements)) {
    d.fail("'." + operand.part + "' must name " + std::to_string(elements) + " elements");
  }
  for (int i = 0; i < elements; i++) {
    selector[i] = static_cast<std::uint8_t>(digits[elements - 1 - i] - '0');
  }
}

std::uint8_t maskOf(Decoder& d, const Operand& operand, int elements) {
  if (operand.part.empty()) {
    return 0xf;
  }
  std::uint8_t mask = 0;
  for (const char digit : elementDigits(d, operand.part, elements, elements)) {
    mask = static_cast<std::uint8_t>(mask | 1 << (digit - '0'));
  }
  return mask;
}

/** vmad: negations are of the product or of the addend, never together with .po. */
void takeMultiplyAdd(Decoder& d, arith::ScalarVideo& instruction) {
  d.expectOperands(4, 4);
  instruction.plusOne = d.take("po");
  const auto scale = d.takeAny({"shr7", "shr15"});
  instruction.scale = !scale ? 0 : *scale == 0 ? 7 : 15;
  instruction.negateProduct = d.operand(1).minus != d.operand(2).minus;
  instruction.negateAddend = d.operand(3).minus;
  const bool negates = d.operand(1).minus || d.operand(2).minus || instruction.negateAddend;
  if ((instruction.plusOne && negates) || (instruction.negateProduct && instruction.negateAddend)) {
    d.fail("vmad negates the product or the addend, and neither with .po");
  }
}

} // namespace

void decodeVideo(Decoder& d) {
  const std::string_view opcode = d.instruction().opcode();
  const int elements = opcode.back() == '4' ? 4 : 2;
  const std::string_view name = opcode.substr(1, opcode.size() - 2);
  arith::VideoInstruction instruction = arith::videoInstruction(operationOf(d, name), elements);
  const Signs signs = takeSigns(d, name != "set");
  instruction.resultSigned = signs.result;
  instruction.aSigned = signs.a;
  instruction.bSigned = signs.b;
  instruction.saturate = d.take("sat");
  instruction.accumulate = d.take("add");
  d.expectOperands(4, 4);
  select(d, d.operand(1), elements, instruction.aSelect);
  select(d, d.operand(2), elements, instruction.bSelect);
  instruction.mask = maskOf(d, d.operand(0), elements);
  emitVideo(d, video<arith::VideoInstruction, arith::videoSimd>, instruction, 4);
}

void decodeScalarVideo(Decoder& d) {
  const std::string_view name = d.instruction().opcode().substr(1);
  arith::ScalarVideo instruction;
  instruction.operation = operationOf(d, name);
  const Signs signs = takeSigns(d, name != "set");
  instruction.resultSigned = signs.result;
  instruction.aSigned = signs.a;
  instruction.bSigned = signs.b;
  instruction.saturate = name != "set" && d.take("sat");
  instruction.a = scalarPart(d, d.operand(1));
  instruction.b = scalarPart(d, d.operand(2));
  instruction.result = scalarPart(d, d.operand(0));
  const bool merges = instruction.result.width != 32;
  if (instruction.operation == VideoOperation::multiplyAdd) {
    takeMultiplyAdd(d, instruction);
    if (merges) {
      d.fail("vmad writes a whole register");
    }
  } else {
    if (name == "shl" || name == "shr") {
      const auto mode = d.takeAny({"clamp", "wrap"});
      if (!mode || signs.b) {
        d.fail("a shift needs .clamp or .wrap and an amount of type .u32");
      }
      instruction.wrap = *mode == 1;
    }
    if (const auto second = d.takeAny({"add", "min", "max"})) {
      instruction.second = static_cast<SecondOperation>(1 + *second);
    }
    const bool combines = instruction.second != SecondOperation::none;
    if (merges && combines) {
      d.fail("a part of the result and a second operation exclude each other");
    }
    const std::size_t operands = merges || combines ? 4 : 3;
    d.expectOperands(operands, operands);
  }
  emitVideo(d, video<arith::ScalarVideo, arith::videoScalar>, instruction, 3);
}

} // namespace simgpu
