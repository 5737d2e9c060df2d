#include "ptx/body_parser.h"

#include "ptx/declaration_parser.h"
#include "ptx/scope_tree.h"

#include <algorithm>
#include <utility>

namespace simgpu::ptx {

namespace {

constexpr std::uint32_t deepestOperand = 8;
constexpr std::uint64_t mostRegisters = 1 << 24; // in one ".reg %r<N>"

constexpr std::array<std::string_view, 5> unsupportedOpcodes{"tex", "tld4", "txq", "suq", "istypep"};
constexpr std::array<std::string_view, 4> unsupportedPrefixes{"suld", "sust", "sured", "tcgen05"};

class BodyParser {
public:
  BodyParser(TokenReader& reader, Function& function, std::vector<Variable>& globals)
      : reader_(reader), function_(function), globals_(globals), scopes_(function) {
    for (std::uint32_t i = 0; i < function.variables.size(); i++) {
      declare(function.variables[i].name, {Symbol::Kind::variable, i});
    }
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
    for (Instruction& instruction : function_.instructions) {
      for (Operand& operand : instruction.operands) {
        resolve(operand);
      }
    }
    for (Table& table : function_.tables) {
      for (Operand& entry : table.entries) {
        resolve(entry);
      }
    }
  }

private:
  void declare(const std::string& name, Symbol symbol) {
    if (!scopes_.declare(name, symbol)) {
      reader_.fail("'" + name + "' is declared twice");
    }
  }

  std::uint32_t addRegister(const std::string& name, Type type) { return scopes_.addRegister(name, type); }

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
    } else if (token.is(".loc") || token.is(".file")) {
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
    if (!type || *type == Type::b1 || *type == Type::u4 || *type == Type::s4) {
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
        declare(name, {Symbol::Kind::reg, addRegister(name, *type)});
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
      const std::uint32_t index = addRegister(name + std::string(suffixes[i]), type);
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
      const Operand guard = registerOperand(reader_.expectWord("a predicate"));
      if (function_.registers[guard.index].type != Type::pred) {
        reader_.fail("'" + function_.registers[guard.index].name + "' is not a predicate");
      }
      instruction.guard = guard.index;
      instruction.line = reader_.line();
    }
    instruction.text = reader_.expectWord("an instruction");
    refuseUnsupported(instruction);
    instruction.usedBytesMask = std::exchange(usedBytesMask_, ~0u);
    if (!reader_.accept(";")) {
      do {
        instruction.operands.push_back(operand(0));
      } while (reader_.accept(","));
      reader_.expect(";");
    }
    function_.instructions.push_back(std::move(instruction));
  }

  static void refuseUnsupported(const Instruction& instruction) {
    const std::string_view opcode = instruction.opcode();
    const auto prefixed = [&](std::string_view prefix) { return opcode.starts_with(prefix); };
    if (std::find(unsupportedOpcodes.begin(), unsupportedOpcodes.end(), opcode) != unsupportedOpcodes.end() ||
        std::any_of(unsupportedPrefixes.begin(), unsupportedPrefixes.end(), prefixed)) {
      throw PtxError(instruction.line, "instruction '" + instruction.text + "' is not simulated", true);
    }
  }

  Operand registerOperand(const std::string& name) {
    const Symbol* symbol = scopes_.lookup(name, scopes_.current());
    if (symbol == nullptr || symbol->kind != Symbol::Kind::reg) {
      reader_.fail("'" + name + "' is not a register");
    }
    Operand operand;
    operand.kind = Operand::Kind::reg;
    operand.index = symbol->index;
    return operand;
  }

  Operand operand(std::uint32_t depth) {
    Operand first = single(depth);
    if (reader_.accept("|")) {
      Operand pair;
      pair.kind = Operand::Kind::pair;
      pair.elements.push_back(std::move(first));
      pair.elements.push_back(single(depth + 1));
      return pair;
    }
    return first;
  }

  Operand single(std::uint32_t depth) {
    if (depth > deepestOperand) {
      reader_.fail("operands are nested too deeply");
    }
    if (reader_.accept("{")) {
      return elements(Operand::Kind::vector, "}", depth);
    }
    if (reader_.accept("(")) {
      return elements(Operand::Kind::list, ")", depth);
    }
    if (reader_.accept("[")) {
      return address();
    }
    if (reader_.accept("!")) {
      Operand negated = single(depth + 1);
      negated.negated = !negated.negated;
      return negated;
    }
    return value();
  }

  Operand elements(Operand::Kind kind, std::string_view close, std::uint32_t depth) {
    Operand list;
    list.kind = kind;
    if (!reader_.accept(close)) {
      do {
        list.elements.push_back(operand(depth + 1));
      } while (reader_.accept(","));
      reader_.expect(close);
    }
    return list;
  }

  Operand address() {
    Operand address;
    address.kind = Operand::Kind::address;
    Operand base = value();
    // value() has already added "+ 16" to a variable's own offset
    if (base.kind == Operand::Kind::variable || base.kind == Operand::Kind::name) {
      address.value = std::exchange(base.value, 0);
    }
    address.value += offset();
    address.elements.push_back(std::move(base));
    reader_.expect("]");
    return address;
  }

  /** Any number of "+ 4", "- 4", "+ -4". */
  std::uint64_t offset() {
    std::uint64_t sum = 0;
    while (reader_.peek().is("+") || reader_.peek().is("-")) {
      bool minus = reader_.take().is("-");
      if (reader_.accept("-")) {
        minus = !minus;
      }
      const std::uint64_t amount = reader_.expectInteger(~std::uint64_t{0});
      sum += minus ? ~amount + 1 : amount;
    }
    return sum;
  }

  Operand value() {
    Operand operand;
    bool negative = false;
    while (reader_.peek().is("-") || reader_.peek().is("+")) {
      negative ^= reader_.take().is("-");
    }
    const Token token = reader_.peek();
    switch (token.kind) {
    case Token::Kind::integer:
      reader_.take();
      operand.kind = Operand::Kind::integer;
      operand.value = negative ? ~token.value + 1 : token.value;
      return operand;
    case Token::Kind::single:
      reader_.take();
      operand.kind = Operand::Kind::single;
      operand.value = token.value ^ (negative ? 0x80000000u : 0u);
      return operand;
    case Token::Kind::floating:
      reader_.take();
      operand.kind = Operand::Kind::floating;
      operand.value = token.value ^ (negative ? std::uint64_t{1} << 63 : 0);
      return operand;
    case Token::Kind::word:
      if (negative) {
        reader_.fail("a minus sign before a name");
      }
      return named();
    default:
      reader_.fail("expected an operand but found " + reader_.shown());
    }
  }

  Operand named() {
    Operand operand;
    operand.name = std::string(reader_.take().text);
    operand.scope = scopes_.current();
    if (operand.name == "_") {
      operand.kind = Operand::Kind::sink;
      return operand;
    }
    const Symbol* symbol = scopes_.lookup(operand.name, scopes_.current());
    if (symbol == nullptr || symbol->kind == Symbol::Kind::label || symbol->kind == Symbol::Kind::table) {
      if (symbol == nullptr && isSpecialRegister(operand.name)) {
        operand.kind = Operand::Kind::special;
        return operand;
      }
      // a label of this scope may hide one of an outer scope and still be to come: resolve at the end
      operand.kind = Operand::Kind::name;
      operand.value = offset();
      return operand;
    }
    apply(*symbol, operand);
    if (operand.kind == Operand::Kind::variable) {
      operand.value = offset();
    }
    return operand;
  }

  void apply(const Symbol& symbol, Operand& operand) {
    operand.index = symbol.index;
    switch (symbol.kind) {
    case Symbol::Kind::reg:
      operand.kind = Operand::Kind::reg;
      break;
    case Symbol::Kind::vectorRegister:
      operand.kind = Operand::Kind::vector;
      for (std::uint32_t i = 0; i < symbol.count; i++) {
        Operand element;
        element.kind = Operand::Kind::reg;
        element.index = symbol.index + i;
        operand.elements.push_back(element);
      }
      break;
    case Symbol::Kind::variable:
    case Symbol::Kind::globalVariable:
      operand.kind = Operand::Kind::variable;
      operand.moduleScope = symbol.kind == Symbol::Kind::globalVariable;
      break;
    case Symbol::Kind::label:
      operand.kind = Operand::Kind::label;
      break;
    case Symbol::Kind::table:
      operand.kind = Operand::Kind::table;
      break;
    }
  }

  void resolve(Operand& operand) {
    for (Operand& element : operand.elements) {
      resolve(element);
    }
    if (operand.kind == Operand::Kind::name) {
      if (const Symbol* symbol = scopes_.lookup(operand.name, operand.scope)) {
        apply(*symbol, operand);
      }
    }
  }

  TokenReader& reader_;
  Function& function_;
  std::vector<Variable>& globals_;
  ScopeTree scopes_;
  std::uint32_t usedBytesMask_ = ~0u;
};

} // namespace

void parseBody(TokenReader& reader, Function& function, std::vector<Variable>& globals) {
  BodyParser(reader, function, globals).run();
}

} // namespace simgpu::ptx
