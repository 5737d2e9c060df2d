#include "ptx/body_parser.h"

#include "ptx/declaration_parser.h"
#include "ptx/lowering.h"
#include "ptx/operand_parser.h"
#include "ptx/scope_tree.h"

#include <algorithm>
#include <utility>

namespace simgpu::ptx {

namespace {

constexpr std::uint64_t mostRegisters = 1 << 24; // in one ".reg %r<N>"

constexpr std::array<std::string_view, 4> unsupportedOpcodes{"tld4", "txq", "suq", "istypep"};
constexpr std::array<std::string_view, 4> unsupportedPrefixes{"suld", "sust", "sured", "tcgen05"};

class BodyParser {
public:
  BodyParser(TokenReader& reader, Function& function, std::vector<Variable>& globals, const Signatures& signatures)
      : reader_(reader), function_(function), globals_(globals), scopes_(function), operands_(reader, scopes_),
        lowering_(function, signatures) {
    for (std::uint32_t i = 0; i < function.variables.size(); i++) {
      const Variable& variable = function.variables[i];
      if (variable.inRegister) {
        const Symbol symbol = scopes_.makeRegister(variable.name, variable.type);
        declare(variable.name, symbol);
        lowering_.parameter(i, symbol);
      } else {
        declare(variable.name, {Symbol::Kind::variable, i});
      }
    }
    lowering_.enter();
  }

  void run() {
    reader_.expect("{");
    std::size_t depth = 1;
    while (depth > 0) {
      if (reader_.atEnd()) {
        reader_.fail("the body of " + function_.name + " is not closed");
      }
      if (reader_.accept("{")) {
        if (!scopes_.open()) {
          reader_.fail("too many scopes");
        }
        depth++;
      } else if (reader_.accept("}")) {
        scopes_.close();
        depth--;
      } else {
        statement();
      }
    }
    lowering_.leave();
    for (Instruction& instruction : function_.instructions) {
      for (Operand& operand : instruction.operands) {
        operands_.resolve(operand);
      }
    }
    for (Table& table : function_.tables) {
      for (Operand& entry : table.entries) {
        operands_.resolve(entry);
      }
    }
  }

private:
  void declare(const std::string& name, Symbol symbol) {
    if (!scopes_.declare(name, symbol)) {
      reader_.fail("'" + name + "' is declared twice");
    }
  }

  void statement() {
    const Token& token = reader_.peek();
    if (token.kind == Token::Kind::directive) {
      directive();
    } else if (token.kind == Token::Kind::word && reader_.peek(1).is(":")) {
      label();
    } else if (token.is("@") || token.kind == Token::Kind::word) {
      instruction();
    } else if (!reader_.accept(";")) {
      reader_.fail("expected a statement but found " + reader_.shown());
    }
  }

  void directive() {
    const Token token = reader_.take();
    if (const auto space = spaceDirective(token)) {
      variables(*space);
    } else if (token.is(".reg")) {
      registers();
    } else if (token.is(".pragma")) {
      pragma();
    } else if (token.is(".loc")) {
      place(token.line);
    } else if (token.is(".file")) {
      while (!reader_.atEnd() && reader_.line() == token.line) {
        reader_.take();
      }
    } else if (token.is(".section")) {
      reader_.take();
      reader_.skipBraces();
    } else {
      throw PtxError(token.line, "unexpected " + std::string(token.text) + " in a function");
    }
  }

  /** .loc 2 57 3, function_name $L__info_string0+25, inlined_at 1 14 7: files, lines, columns. */
  void place(std::int64_t ptxLine) {
    std::array<std::uint32_t, 2> own{};
    std::array<std::uint32_t, 2> caller{};
    std::array<std::uint32_t, 2>* numbers = &own;
    std::size_t count = 0;
    while (!reader_.atEnd() && reader_.line() == ptxLine) {
      const Token token = reader_.take();
      if (token.is("inlined_at")) {
        numbers = &caller;
        count = 0;
      } else if (token.is(",")) {
        count = numbers->size(); // what follows is no file or line, unless it says so
      } else if (token.kind == Token::Kind::integer && count < numbers->size()) {
        (*numbers)[count++] = static_cast<std::uint32_t>(token.value);
      }
    }
    function_.places.push_back({ptxLine, own[0], own[1], caller[0], caller[1]});
  }

  void variables(Space space) {
    for (Variable& variable : parseVariables(reader_, space, Linkage::internal)) {
      const std::string name = variable.name;
      if (space == Space::global || space == Space::constant) {
        variable.name = function_.name + "::" + name;
        globals_.push_back(std::move(variable));
        declare(name, {Symbol::Kind::globalVariable, static_cast<std::uint32_t>(globals_.size() - 1)});
      } else {
        function_.variables.push_back(std::move(variable));
        declare(name, {Symbol::Kind::variable, static_cast<std::uint32_t>(function_.variables.size() - 1)});
      }
    }
  }

  void registers() {
    std::uint32_t length = 1;
    if (reader_.peek().is(".v2") || reader_.peek().is(".v4")) {
      length = reader_.take().is(".v2") ? 2 : 4;
    }
    const Token typeToken = reader_.take();
    const auto type =
        typeToken.kind == Token::Kind::directive ? typeNamed(typeToken.text.substr(1)) : std::nullopt;
    if (!type || (*type == Type::b128 && length > 1) || *type == Type::b1 || *type == Type::u4 || *type == Type::s4) {
      throw PtxError(typeToken.line, "'" + std::string(typeToken.text) + "' is not a register type");
    }
    do {
      const std::string name = reader_.expectWord("a register name");
      if (reader_.accept("<")) {
        const std::uint64_t count = reader_.expectInteger(mostRegisters);
        reader_.expect(">");
        if (!scopes_.declareRange(name, count, *type)) {
          reader_.fail("registers '" + name + "<>' are declared twice");
        }
      } else if (length == 1) {
        declare(name, scopes_.makeRegister(name, *type));
      } else {
        vectorRegister(name, *type, length);
      }
    } while (reader_.accept(","));
    reader_.expect(";");
  }

  void vectorRegister(const std::string& name, Type type, std::uint32_t length) {
    constexpr std::array<std::string_view, 8> suffixes{".x", ".y", ".z", ".w", ".r", ".g", ".b", ".a"};
    const auto first = static_cast<std::uint32_t>(function_.registers.size());
    for (std::uint32_t i = 0; i < length; i++) {
      const std::uint32_t index = scopes_.addRegister(name + std::string(suffixes[i]), type);
      declare(name + std::string(suffixes[i]), {Symbol::Kind::reg, index});
      declare(name + std::string(suffixes[i + 4]), {Symbol::Kind::reg, index});
    }
    declare(name, {Symbol::Kind::vectorRegister, first, length});
  }

  /** .pragma "used_bytes_mask 0xff" speaks of the next instruction; all others are hints. */
  void pragma() {
    do {
      const Token& text = reader_.take();
      if (text.kind != Token::Kind::string) {
        reader_.fail("expected a string");
      }
      constexpr std::string_view used = "used_bytes_mask ";
      if (text.text.starts_with(used)) {
        const std::vector<Token> value = tokenize(text.text.substr(used.size()));
        if (value.front().kind == Token::Kind::integer) {
          usedBytesMask_ = static_cast<std::uint32_t>(value.front().value);
        }
      }
    } while (reader_.accept(","));
    reader_.expect(";");
  }

  void label() {
    const std::string name(reader_.take().text);
    reader_.expect(":");
    const Token& next = reader_.peek();
    if (next.is(".branchtargets") || next.is(".calltargets") || next.is(".callprototype")) {
      table(name);
    } else {
      declare(name, {Symbol::Kind::label, static_cast<std::uint32_t>(function_.instructions.size())});
    }
  }

  void table(const std::string& name) {
    Table table;
    table.name = name;
    table.prototype = reader_.take().is(".callprototype");
    if (table.prototype) {
      // "(.param .b32 _) _ (.param .b64 _)": a return list only when there is a result
      if (reader_.peek().is("(")) {
        table.returns = parseParameters(reader_);
      }
      reader_.expectWord("'_'");
      if (reader_.peek().is("(")) {
        table.parameters = parseParameters(reader_);
      }
      reader_.accept(".noreturn");
    } else {
      do {
        Operand entry;
        entry.kind = Operand::Kind::name;
        entry.scope = scopes_.current();
        entry.name = reader_.expectWord("a label");
        table.entries.push_back(std::move(entry));
      } while (reader_.accept(","));
    }
    reader_.expect(";");
    function_.tables.push_back(std::move(table));
    declare(name, {Symbol::Kind::table, static_cast<std::uint32_t>(function_.tables.size() - 1)});
  }

  void instruction() {
    Instruction instruction;
    instruction.line = reader_.line();
    if (reader_.accept("@")) {
      instruction.guarded = true;
      instruction.guardNegated = reader_.accept("!");
      const Operand guard = operands_.reg(reader_.expectWord("a predicate"));
      if (function_.registers[guard.index].type != Type::pred) {
        reader_.fail("'" + function_.registers[guard.index].name + "' is not a predicate");
      }
      instruction.guard = guard.index;
      instruction.line = reader_.line();
    }
    instruction.text = reader_.expectWord("an instruction");
    instruction.refused = isUnsupported(instruction);
    instruction.usedBytesMask = std::exchange(usedBytesMask_, ~0u);
    operands_.expectLists(instruction.opcode() == "call");
    if (instruction.refused) { // whatever its operands look like
      while (!reader_.accept(";")) {
        if (reader_.atEnd()) {
          reader_.fail("the instruction does not end");
        }
        reader_.take();
      }
    } else if (!reader_.accept(";")) {
      do {
        instruction.operands.push_back(operands_.operand());
      } while (reader_.accept(","));
      reader_.expect(";");
    }
    lowering_.add(std::move(instruction));
  }

  /** Legal, but of a kind that this device does not simulate. */
  static bool isUnsupported(const Instruction& instruction) {
    const std::string_view opcode = instruction.opcode();
    const auto prefixed = [&](std::string_view prefix) { return opcode.starts_with(prefix); };
    return std::find(unsupportedOpcodes.begin(), unsupportedOpcodes.end(), opcode) != unsupportedOpcodes.end() ||
           std::any_of(unsupportedPrefixes.begin(), unsupportedPrefixes.end(), prefixed) ||
           (opcode == "cp" && instruction.text.find(".tensor.") != std::string::npos);
  }

  TokenReader& reader_;
  Function& function_;
  std::vector<Variable>& globals_;
  ScopeTree scopes_;
  OperandParser operands_;
  Lowering lowering_;
  std::uint32_t usedBytesMask_ = ~0u;
};

} // namespace

void parseBody(TokenReader& reader, Function& function, std::vector<Variable>& globals,
               const Signatures& signatures) {
  BodyParser(reader, function, globals, signatures).run();
}

} // namespace simgpu::ptx
