// Turns the instructions of one PTX function into operations. Each instruction family has a decode function (see
// opcode_table.h), which takes modifiers and operands from here; a modifier nobody took is an error, so an
// instruction is either understood entirely or refused.
#pragma once

#include "exec/program.h"
#include "ptx/lexer.h"
#include "ptx/syntax.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace simgpu {

/** A value an operation names before registers are assigned to frame slots: index into Decoder::values. 0 is none. */
using ValueId = std::uint32_t;

struct Value {
  std::uint32_t size = 4; // bytes a lane; 0 for predicates
  bool constant = false;
  std::uint64_t bits = 0; // of a constant
};

/** Bytes a lane of a register has: 8-bit registers are kept in 16. */
inline std::uint32_t slotSize(ptx::Type type) {
  return type == ptx::Type::pred ? 0 : std::max(2u, ptx::sizeOf(type));
}

/** How a memory operation forms its addresses: Op::flags. */
enum AddressFlags : std::uint8_t {
  addressNarrow = 1,   // operand a has 32 bits
  addressAbsolute = 2, // no register: Op::imm alone
  addressFrame = 4,    // relative to the frame's local memory
  addressFlagMask = 7,
};

/** A decoded memory operand: what goes into Op::a, Op::imm and Op::flags. */
struct AddressOperand {
  ValueId base = 0;
  std::uint64_t offset = 0;
  std::uint8_t flags = 0;

  void apply(Op& op) const {
    op.a = base;
    op.imm = offset;
    op.flags = static_cast<std::uint8_t>(op.flags | flags);
  }
};

/** What the module knows that a function's instructions need. */
struct LinkContext {
  const ptx::Module* module = nullptr;
  const ptx::Function* function = nullptr;
  std::uint32_t functionIndex = 0;
  std::vector<std::uint64_t> variableAddresses;                     // of module variables: device or shared address
  std::unordered_map<std::uint32_t, std::uint32_t> sharedAddresses; // of the function's own .shared variables
  std::vector<std::uint32_t> parameterOffsets;                      // entries: in the parameter block
  std::uint32_t parameterBytes = 0;
};

class Decoder {
public:
  Decoder(const LinkContext& context, Code& code);

  /** Decodes the whole function; appends its operations to the code. Throws ptx::PtxError. */
  FunctionCode run();

  // ---- the current instruction
  const ptx::Instruction& instruction() const { return *instruction_; }
  const ptx::Function& function() const { return *context_.function; }
  const LinkContext& context() const { return context_; }
  std::uint32_t parameterBytes() const { return context_.parameterBytes; }
  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void unsupported(const std::string& message) const;

  /** Takes a modifier if it is there. */
  bool take(std::string_view modifier);
  /** Takes the first of these that is there; its index, or nothing. */
  std::optional<std::size_t> takeAny(std::initializer_list<std::string_view> modifiers);
  /** Takes the first type among the modifiers. */
  std::optional<ptx::Type> maybeType();
  ptx::Type takeType();
  /** Takes every modifier with this prefix ("L2::"). */
  void takePrefixed(std::string_view prefix);
  const std::vector<std::string_view>& modifiers() const { return modifiers_; }

  // ---- operands. All of these may append operations, so an instruction takes its operands first and emits then.
  std::size_t operandCount() const { return instruction_->operands.size(); }
  void expectOperands(std::size_t least, std::size_t most);
  const ptx::Operand& operand(std::size_t index) const;

  /** A source of the given type: register, constant, special register or address of a variable. */
  ValueId source(std::size_t index, ptx::Type type);
  /** `wider`: the register may be wider than the type, as in st and cvt. */
  ValueId source(const ptx::Operand& operand, ptx::Type type, bool wider = false);
  ValueId predicate(const ptx::Operand& operand);
  ValueId predicate(std::size_t index) { return predicate(operand(index)); }
  /** A destination with exactly this many bytes a lane, 0 for a predicate; "_" gets a value nobody reads. */
  ValueId destination(std::size_t index, std::uint32_t size);
  ValueId destination(const ptx::Operand& operand, std::uint32_t size);
  /** The size of a register operand, or `otherwise` for constants. */
  std::uint32_t sizeOf(const ptx::Operand& operand, std::uint32_t otherwise) const;
  /** An integer known when decoding. */
  std::uint64_t immediate(std::size_t index) const;

  ValueId constant(std::uint64_t bits, std::uint32_t size);
  ValueId truth(bool value) { return constant(value ? ~std::uint64_t{0} : 0, 0); }
  ValueId temporary(std::uint32_t size);
  /** The condition code of add.cc and its relatives. */
  ValueId carry();

  /** A memory operand; `space` changes where the operand tells more than the instruction. */
  AddressOperand address(const ptx::Operand& operand, ptx::Space& space);

  // ---- output
  /** Appends an operation guarded like the instruction. The reference is good until the next emit. */
  Op& emit(Handler handler, InstructionClass instructionClass);
  /** Appends an operation without the guard, for values that are the same either way. */
  Op& emitUnguarded(Handler handler, InstructionClass instructionClass);
  /** Adds a list of operands to `op` (the last emitted); the first goes to Op::ext. */
  void extend(Op& op, const std::vector<ValueId>& values, bool results);
  Code& code() { return code_; }
  /** Keeps `object` for as long as the code lives; returns what goes into Op::imm. */
  template <class T> std::uint64_t keep(std::shared_ptr<const T> object) {
    code_.resources.push_back(object);
    return reinterpret_cast<std::uint64_t>(object.get());
  }
  /** Call-site and parameter variables: their place in the frame's local memory. */
  LocalRange localRange(std::uint32_t variable) const { return {localOffsets_.at(variable), localSize(variable)}; }
  /** Reserves local memory that has no name. */
  std::uint32_t reserveLocal(std::uint32_t size, std::uint32_t alignment);
  /** Makes `op` (a branch) go to a label; the operand may be an index or a label operand. */
  void branchTo(Op& op, const ptx::Operand& label);
  /** Fills entry `index` of a table of targets when the label's place is known. */
  void tableEntry(std::vector<std::uint32_t>* table, std::size_t index, const ptx::Operand& label);

private:
  friend class RegisterPacking;

  struct ExtendedRef {
    std::uint32_t op = 0;
    std::uint32_t index = 0; // in Code::extended
    bool result = false;
  };
  struct TargetFix {
    std::uint32_t op = 0;
    std::uint32_t instruction = 0;
    std::vector<std::uint32_t>* table = nullptr;
    std::size_t entry = 0;
  };

  void layOutLocals();
  void split();
  void checkTarget() const;
  void decodeInstruction(std::uint32_t index);
  void refuse(const ptx::PtxError& error);
  void applyTargets();
  void refusePart(const ptx::Operand& operand) const;
  ValueId addressOf(const ptx::Operand& operand, std::uint32_t size);
  ValueId special(const std::string& name, std::uint32_t size);
  std::uint64_t constantBits(const ptx::Operand& operand, ptx::Type type) const;
  std::uint32_t localSize(std::uint32_t variable) const;
  bool isParameterBlock(const ptx::Operand& operand) const;

  const LinkContext& context_;
  Code& code_;
  FunctionCode result_;
  const ptx::Instruction* instruction_ = nullptr;
  std::vector<std::string_view> modifiers_;
  std::uint32_t textIndex_ = 0;
  std::unordered_map<std::string, std::uint32_t> textIndices_;

  std::vector<Value> values_; // 0 unused, then the function's registers, then the rest
  std::unordered_map<std::uint64_t, ValueId> constants_[4]; // by size: 0, 2, 4, 8
  ValueId carry_ = 0;
  ValueId sinks_[4] = {0, 0, 0, 0};

  std::vector<std::uint32_t> localOffsets_; // per variable of the function
  std::uint32_t localBytes_ = 0;
  std::vector<std::uint32_t> instructionStart_; // operation of each instruction
  std::vector<TargetFix> fixes_;
  std::vector<ExtendedRef> extendedRefs_;
  std::uint32_t firstOp_ = 0;
};

} // namespace simgpu
