// Compiled code: what a PTX function becomes before it runs.
#pragma once

#include "count/counters.h"
#include "ptx/syntax.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace simgpu {

class Warp;
struct Op;

inline constexpr int lanesPerWarp = 32;
inline constexpr std::uint32_t allLanes = ~0u;

using LaneAddresses = std::array<std::uint64_t, lanesPerWarp>;

/** Executes an operation for the lanes of `mask`, which is never empty. */
using Handler = void (*)(Warp& warp, const Op& op, std::uint32_t mask);

/** How the interpreter's loop treats an operation. */
enum class OpKind : std::uint8_t {
  plain,         // call `run`, go on
  branch,        // to `target`
  branchIndexed, // brx.idx
  call,
  callIndirect,
  ret,
  exit,
  barrier,      // bar, barrier: see exec/barrier.cpp
  collective,   // needs the lanes of its membermask (operand e) together, then calls `run`
  aligned,      // needs every lane of the warp that has not exited, then calls `run`
  warpBarrier,  // bar.warp.sync
  yield,        // nanosleep: let others run
  trap,
  refused, // legal, but not simulated
};

/** No operand. Frame offset 0 is never a register. */
inline constexpr std::uint32_t noSlot = 0;

/**
 * One operation. Operands d, d2 (results) and a, b, c, e (sources) are byte offsets into the register frame of the
 * executing warp, where a value has 32 lanes side by side: 2, 4 or 8 bytes each, or one 32-bit mask for a predicate.
 * Longer operand lists are in Code::extended from `ext` on.
 */
struct Op {
  Handler run = nullptr;
  std::uint64_t imm = 0; // constant the handler needs: an address offset, a truth table, an index into a table
  std::uint32_t guard = noSlot;
  std::uint32_t d = noSlot;
  std::uint32_t d2 = noSlot;
  std::uint32_t a = noSlot;
  std::uint32_t b = noSlot;
  std::uint32_t c = noSlot;
  std::uint32_t e = noSlot;
  std::uint32_t ext = 0;
  std::uint32_t target = 0; // of a branch: index of an operation; of a call: of its CallSite
  OpKind kind = OpKind::plain;
  InstructionClass instructionClass = InstructionClass::other;
  bool guardNegated = false;
  std::uint8_t n = 0;     // number of elements
  std::uint8_t flags = 0; // handler's own
};

/** Op::flags of barriers. */
enum BarrierFlags : std::uint8_t {
  barrierAligned = 1, // all lanes of the warp together
  barrierArrive = 2,  // do not wait
  barrierReduce = 4,  // Op::n: 0 popc, 1 and, 2 or; predicate c (8: negated), result d
};

/** Where an operation comes from. */
struct OpSource {
  std::int32_t line = 0;
  std::uint32_t text = 0; // into Code::texts
};

/** A register that an operation names; sources first, in the order of Op and Code::extended. */
struct OperandSlot {
  std::uint32_t slot = 0;
  std::uint8_t size = 0; // bytes a lane, 0 for a predicate
  bool result = false;
};

/** A constant operand's place in the frame: `size` bytes a lane (0: a predicate mask). */
struct FrameConstant {
  std::uint32_t slot = 0;
  std::uint32_t size = 0;
  std::uint64_t value = 0;
};

/** Of a frame's local memory: no variable needs more, and it keeps \"or\" arithmetic on addresses right. */
inline constexpr std::uint32_t frameAlignment = 128;

/** A parameter's or result's place in the local memory of a frame. */
struct LocalRange {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

struct FunctionCode {
  std::string name;
  bool defined = false;
  std::uint32_t first = 0; // operation
  std::uint32_t end = 0;
  std::uint32_t frameBytes = 64;
  std::uint32_t localBytes = 0; // parameters, results, call-site parameters and the depot
  std::uint32_t registers = 0;  // estimate
  std::vector<FrameConstant> constants;
  std::vector<LocalRange> parameters;
  std::string refusal; // the first legal instruction that is not simulated, and why; empty when all are
  bool variadic = false; // the last parameter has room for the largest array that any call hands over
  std::vector<LocalRange> returns;
};

/** A call's operands: ranges of the caller's local memory, in the order of the callee's parameters. */
struct CallSite {
  std::uint32_t function = 0; // direct calls
  std::vector<LocalRange> arguments;
  std::vector<LocalRange> returns;
};

/** The code of a module. */
struct Code {
  std::vector<ptx::SourcePlace> places; // by line of the text
  std::map<std::uint32_t, std::string> files;
  /** "kernel.cu:14", and where it was inlined, for a line of the text; empty if the text does not say. */
  std::string sourceAt(std::int64_t line) const { return sourceIn(places, line); }
  /** The same with the places of one function, sorted. */
  std::string sourceIn(const std::vector<ptx::SourcePlace>& sorted, std::int64_t line) const;

  std::vector<Op> ops;
  std::vector<OpSource> sources;
  std::vector<std::string> texts;
  std::vector<std::uint32_t> extended;
  std::vector<OperandSlot> operands; // of all operations, one after the other
  std::vector<std::uint32_t> operandStart; // by operation
  std::vector<FunctionCode> functions; // same indices as ptx::Module::functions
  std::vector<CallSite> calls;
  std::vector<std::shared_ptr<const void>> resources; // objects that operations point to by Op::imm

  std::span<const OperandSlot> operandsOf(const Op& op) const {
    const auto index = static_cast<std::size_t>(&op - ops.data());
    const std::size_t end = index + 1 < operandStart.size() ? operandStart[index + 1] : operands.size();
    return {operands.data() + operandStart[index], end - operandStart[index]};
  }

  const OpSource& sourceOf(const Op& op) const { return sources[static_cast<std::size_t>(&op - ops.data())]; }
  /** The opcode as written: "ld.global.v4.u32". */
  std::string_view textOf(const Op& op) const { return texts[sourceOf(op).text]; }
  /** Its first word: "ld". */
  std::string_view opcodeOf(const Op& op) const {
    const std::string_view text = textOf(op);
    return text.substr(0, text.find('.'));
  }
  /** "line 12 (ld.global.v4.u32)". */
  std::string describe(const Op& op) const {
    return "line " + std::to_string(sourceOf(op).line) + " (" + texts[sourceOf(op).text] + ")";
  }
};

} // namespace simgpu
