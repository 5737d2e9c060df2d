// wmma.load, wmma.store, wmma.mma.
#include "exec/lanes.h"
#include "exec/memory_order.h"
#include "exec/opcode_table.h"
#include "exec/tensor_decode.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace simgpu {

namespace {

using arith::Element;
using arith::Fragment;
using arith::MatrixUse;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

struct Transfer {
  Fragment fragment;
  bool columnMajor = false;
  Space space = Space::generic;
  std::uint64_t lineAlignment = 1; // bytes
};

/** Of a matrix's rows or columns: what CUDA asks for, or the whole of a shorter line. */
constexpr std::uint64_t mostLineAlignment = 16;

/** Bit offset of a lane's element from the base address, with the stride (in elements) between rows or columns. */
std::uint64_t bitOffset(const Transfer& transfer, int lane, int index, std::uint64_t stride) {
  const arith::Position at = transfer.fragment.at(lane, index);
  const std::uint64_t major = transfer.columnMajor ? at.column : at.row;
  const std::uint64_t minor = transfer.columnMajor ? at.row : at.column;
  return (major * stride + minor) * static_cast<std::uint64_t>(arith::elementBits(transfer.fragment.element()));
}

/** Lines that begin elsewhere fault on devices, or not, as the shape and the compiler's choice of loads have it. */
void checkLines(Warp& warp, const Op& op, std::uint32_t mask, const LaneAddresses& base, std::uint32_t bits,
                std::uint64_t alignment) {
  const auto* strides = warp.slot<std::uint32_t>(op.b);
  forEachLane(mask, [&](int lane) {
    const std::uint64_t address = base[static_cast<std::size_t>(lane)];
    const std::uint64_t stride = std::uint64_t{strides[lane]} * bits / 8;
    if (((address | stride) & (alignment - 1)) != 0) {
      Finding finding = warp.launch.locate(FindingKind::misaligned, Status::misalignedAddress, warp, op, lane);
      finding.address = address;
      finding.detail = "a matrix whose rows or columns, " + std::to_string(stride) +
                       " bytes apart, do not begin at multiples of " + std::to_string(alignment) + " bytes";
      warp.launch.fail(std::move(finding));
    }
  });
}

/** Op: address operand; b: stride; extended: the fragment's registers. */
template <bool Store> void transferFragment(Warp& warp, const Op& op, std::uint32_t mask) {
  const auto& transfer = *static_cast<const Transfer*>(warp.launch.code->resources[op.target].get());
  const Fragment& fragment = transfer.fragment;
  const auto bits = static_cast<std::uint32_t>(arith::elementBits(fragment.element()));
  const std::uint32_t bytes = std::max(1u, bits / 8);
  const auto perRegister = static_cast<std::uint32_t>(fragment.elementsPerRegister());
  const std::uint32_t registerBytes = bits == 64 ? 8 : 4;
  const auto* strides = warp.slot<std::uint32_t>(op.b);
  const std::uint32_t* slots = warp.extended(op);
  LaneAddresses base;
  laneAddresses(warp, op, base);
  checkLines(warp, op, mask, base, bits, transfer.lineAlignment);
  for (int index = 0; index < fragment.elementsPerLane(); index++) {
    LaneAddresses addresses;
    LanePointers pointers{};
    for (int lane = 0; lane < lanesPerWarp; lane++) {
      addresses[static_cast<std::size_t>(lane)] =
          base[static_cast<std::size_t>(lane)] + bitOffset(transfer, lane, index, strides[lane]) / 8;
    }
    resolve(warp, op, mask, transfer.space, addresses, {Store ? Intent::write : Intent::read, false, bytes, bytes, ~0u},
            pointers);
    const auto position = static_cast<std::uint32_t>(index);
    std::byte* registers = warp.slot<std::byte>(slots[position / perRegister]);
    forEachLane(mask, [&](int lane) {
      std::byte* memory = pointers[static_cast<std::size_t>(lane)];
      std::byte* cell = registers + static_cast<std::uint32_t>(lane) * registerBytes;
      if (bits >= 8) {
        std::byte* element = cell + position % perRegister * bytes;
        std::memcpy(Store ? memory : element, Store ? element : memory, bytes);
        return;
      }
      // elements below a byte are only ever loaded
      const auto shift = static_cast<std::uint32_t>(bitOffset(transfer, lane, index, strides[lane]) % 8);
      const std::uint32_t value = std::to_integer<std::uint32_t>(*memory) >> shift & ((1u << bits) - 1);
      const std::uint32_t place = position % perRegister * bits;
      auto& word = *reinterpret_cast<std::uint32_t*>(cell);
      word = (word & ~(((1u << bits) - 1) << place)) | value << place;
    });
  }
}

/** Whether sm_80 has the fragment (PTX ISA, table of wmma shapes). */
bool exists(arith::MmaShape shape, MatrixUse use, Element element) {
  const bool sum = use == MatrixUse::c;
  if (shape.k == 16) {
    return sum ? element == Element::f16 || element == Element::f32 || element == Element::s32
               : element == Element::f16 || element == Element::bf16 || element == Element::u8 || element == Element::s8;
  }
  if (shape == arith::MmaShape{16, 16, 8}) {
    return element == (sum ? Element::f32 : Element::tf32);
  }
  if (shape == arith::MmaShape{8, 8, 4}) {
    return element == Element::f64;
  }
  if (shape == arith::MmaShape{8, 8, 32}) {
    return sum ? element == Element::s32 : element == Element::s4 || element == Element::u4;
  }
  return shape == arith::MmaShape{8, 8, 128} && element == (sum ? Element::s32 : Element::b1);
}

/** Space and type follow the shape: wmma.load.a.sync.aligned.row.m16n16k16.global.f16. */
void decodeTransfer(Decoder& d, bool isStore) {
  const auto use = d.takeAny({"a", "b", "c", "d"});
  if (!use || (isStore != (*use == 3))) {
    d.fail("the matrix is missing");
  }
  const auto layout = d.takeAny({"row", "col"});
  const arith::MmaShape shape = takeShape(d);
  Space space = takeSpace(d);
  const Type type = d.takeType();
  if (!layout) {
    d.fail("the layout is missing");
  }
  const Element element = elementOf(d, type);
  const MatrixUse matrix = *use == 0 ? MatrixUse::a : *use == 1 ? MatrixUse::b : MatrixUse::c;
  if (!exists(shape, matrix, element)) {
    d.fail("sm_80 has no such matrix");
  }
  auto transfer = std::make_shared<Transfer>(Transfer{Fragment::wmma(shape, matrix, element), *layout == 1, space});
  const Fragment& fragmentMap = transfer->fragment;
  const std::size_t addressIndex = isStore ? 0 : 1;
  const std::size_t valueIndex = isStore ? 1 : 0;
  d.expectOperands(2, 3);
  const auto values =
      fragment(d, valueIndex, static_cast<std::size_t>(fragmentMap.registers()), element == Element::f64, !isStore);
  const auto leading = static_cast<std::uint64_t>(*layout == 0 ? fragmentMap.columns() : fragmentMap.rows());
  transfer->lineAlignment =
      std::min(mostLineAlignment, leading * static_cast<std::uint64_t>(arith::elementBits(element)) / 8);
  const ValueId stride = d.operandCount() == 3 ? d.source(2, Type::u32) : d.constant(leading, 4);
  const AddressOperand address = d.address(d.operand(addressIndex), space);
  transfer->space = space;
  const InstructionClass instructionClass =
      isStore ? (space == Space::shared ? InstructionClass::sharedStore : InstructionClass::globalStore)
              : (space == Space::shared ? InstructionClass::sharedLoad : InstructionClass::globalLoad);
  Op& op = d.emit(isStore ? transferFragment<true> : transferFragment<false>, instructionClass);
  address.apply(op);
  op.kind = OpKind::aligned;
  op.b = stride;
  op.target = static_cast<std::uint32_t>(d.code().resources.size());
  d.code().resources.push_back(std::move(transfer));
  d.extend(op, values, !isStore);
}

void decodeMultiply(Decoder& d) {
  arith::MmaInstruction instruction{};
  instruction.wmma = true;
  instruction.shape = takeShape(d);
  std::vector<bool> columns;
  for (const std::string_view modifier : d.modifiers()) {
    if (modifier == "row" || modifier == "col") {
      columns.push_back(modifier == "col");
    }
  }
  if (columns.size() != 2) {
    d.fail("two layouts are needed");
  }
  instruction.aColumnMajor = columns[0];
  instruction.bColumnMajor = columns[1];
  while (d.takeAny({"row", "col"})) {
  }
  instruction.saturate = d.take("satfinite");
  if (const auto bits = d.takeAny({"xor", "and"})) {
    d.take("popc");
    instruction.bitOperation = *bits == 0 ? arith::BitOperation::xorPopc : arith::BitOperation::andPopc;
  }
  if (const auto rounding = d.takeAny({"rn", "rz", "rm", "rp"})) {
    instruction.rounding = static_cast<arith::Rounding>(*rounding);
  }
  // f16 products name only the types of D and C
  std::vector<Element> types;
  while (const auto type = d.maybeType()) {
    types.push_back(elementOf(d, *type));
  }
  if (types.size() == 2) {
    instruction.d = types[0];
    instruction.a = instruction.b = Element::f16;
    instruction.c = types[1];
  } else if (types.size() == 4) {
    instruction.d = types[0];
    instruction.a = types[1];
    instruction.b = types[2];
    instruction.c = types[3];
  } else {
    d.fail("two or four types are needed");
  }
  emitMma(d, instruction);
}

} // namespace

void decodeWmma(Decoder& d) {
  const auto operation = d.takeAny({"load", "store", "mma"});
  if (!operation || !d.take("sync") || !d.take("aligned")) {
    d.fail("the form is wmma.{load,store,mma}.sync.aligned");
  }
  if (*operation == 2) {
    decodeMultiply(d);
  } else {
    decodeTransfer(d, *operation == 1);
  }
}

} // namespace simgpu
