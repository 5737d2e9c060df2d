// A PTX text after parsing: names resolved, nothing interpreted yet.
#pragma once

#include "ptx/types.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace simgpu::ptx {

enum class Linkage : std::uint8_t { internal, visible, external, weak, common };

/** A pointer-sized (or, with a mask, narrower) value in an initialiser that is known only when addresses are. */
struct Relocation {
  std::uint64_t offset = 0; // in the variable
  std::uint32_t size = 8;
  std::string symbol;
  std::int64_t addend = 0;
  bool generic = false;
  std::uint32_t shift = 0; // byte of the address that a masked initialiser takes: 0xFF00(sym) has shift 8
  std::int64_t line = 0;
};

struct Variable {
  std::string name;
  Space space = Space::generic;
  Type type = Type::b8;
  std::uint32_t vectorLength = 1;
  std::uint32_t alignment = 1;
  std::uint64_t size = 0;  // bytes; 0 for an unsized array
  bool unsized = false;
  Linkage linkage = Linkage::internal;
  std::vector<std::uint8_t> initial; // leading bytes; the rest is zero
  std::vector<Relocation> relocations;
  bool initialised = false;
  bool inRegister = false; // a parameter declared ".reg": see lowering.h
  std::int64_t line = 0;
};

struct Register {
  std::string name;
  Type type = Type::b32;
};

struct Operand {
  enum class Kind : std::uint8_t {
    reg,        // index: into Function::registers
    integer,    // value
    single,     // value: bits of an f32
    floating,   // value: bits of an f64
    special,    // name: "%tid.x"
    variable,   // index: into Function::variables (local), or Module::variables (global); value: added offset
    function,   // index: into Module::functions
    label,      // index: of an instruction of this function
    table,      // index: into Function::tables (.branchtargets, .calltargets, .callprototype)
    address,    // [elements[0] + value]
    vector,     // {elements}
    pair,       // elements[0] | elements[1]
    list,       // (elements): arguments of a call
    sink,       // _
    name,       // not yet resolved; none is left after parsing
  };

  Kind kind = Kind::sink;
  bool negated = false;       // !p
  bool minus = false;         // -r: vmad alone
  std::string part;           // .b2 of r.b2: the video instructions alone
  bool moduleScope = false;   // for variables
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  std::uint32_t scope = 0; // where the name was used, while parsing
  std::string name;
  std::vector<Operand> elements;
};

struct Instruction {
  std::int64_t line = 0;
  std::string text; // opcode with modifiers as written
  std::string_view opcode() const { return std::string_view(text).substr(0, text.find('.')); }
  bool guarded = false;
  bool guardNegated = false;
  std::uint32_t guard = 0; // register
  std::vector<Operand> operands;
  std::uint32_t usedBytesMask = ~0u; // .pragma "used_bytes_mask": bytes of the next vector load that matter
  bool refused = false; // legal, but not simulated: without operands
};

/** A list of labels or functions, or the signature of an indirect call. */
struct Table {
  std::string name;
  std::vector<Operand> entries;
  std::vector<Variable> returns;
  std::vector<Variable> parameters;
  bool prototype = false;
};

/** A .loc: what follows it in the text, up to the next one, comes from there. */
struct SourcePlace {
  std::int64_t ptxLine = 0;
  std::uint32_t file = 0; // of a .file directive; 0: not said
  std::uint32_t line = 0;
  std::uint32_t callerFile = 0; // where it was inlined
  std::uint32_t callerLine = 0;
};

struct Function {
  std::string name;
  bool entry = false;
  bool defined = false;
  bool noReturn = false;
  Linkage linkage = Linkage::internal;
  std::int64_t line = 0;
  std::vector<Variable> returns;    // also the first of `variables`
  std::vector<Variable> parameters; // then these
  std::vector<Variable> variables;  // returns, parameters, then every .local, .shared, .param ... of the body
  std::vector<Register> registers;
  std::vector<Instruction> instructions;
  std::vector<Table> tables;
  std::vector<SourcePlace> places; // in the order of the text
  std::array<std::uint32_t, 3> maxThreads{0, 0, 0};
  std::array<std::uint32_t, 3> requiredThreads{0, 0, 0};
  std::uint32_t maxRegisters = 0;
  std::string aliasOf;
};

struct Module {
  std::uint32_t version = 0; // 71 for 7.1
  std::uint32_t target = 0;  // 80 for sm_80
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::map<std::uint32_t, std::string> files; // names by the number of their .file directive
};

/** Parses a text. Throws PtxError, whatever the text. */
Module parse(std::string_view source);

} // namespace simgpu::ptx
