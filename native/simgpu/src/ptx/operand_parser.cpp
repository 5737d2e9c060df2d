#include "ptx/operand_parser.h"

#include "ptx/body_parser.h"
#include "ptx/constant_expression.h"

#include <utility>

namespace simgpu::ptx {

namespace {

constexpr std::uint32_t deepestOperand = 8;

} // namespace

Operand OperandParser::reg(const std::string& name) {
  const Symbol* symbol = scopes_.lookup(name, scopes_.current());
  if (symbol == nullptr || symbol->kind != Symbol::Kind::reg) {
    reader_.fail("'" + name + "' is not a register");
  }
  Operand operand;
  operand.kind = Operand::Kind::reg;
  operand.index = symbol->index;
  return operand;
}

Operand OperandParser::operand(std::uint32_t depth) {
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

Operand OperandParser::single(std::uint32_t depth) {
  if (depth > deepestOperand) {
    reader_.fail("operands are nested too deeply");
  }
  if (reader_.accept("{")) {
    return elements(Operand::Kind::vector, "}", depth);
  }
  if (lists_ && reader_.accept("(")) {
    return elements(Operand::Kind::list, ")", depth);
  }
  if (reader_.accept("[")) {
    return address(depth);
  }
  if (reader_.peek().is("!") && reader_.peek(1).kind == Token::Kind::word) {
    reader_.take();
    Operand negated = single(depth + 1);
    negated.negated = !negated.negated;
    return negated;
  }
  return value();
}

Operand OperandParser::elements(Operand::Kind kind, std::string_view close, std::uint32_t depth) {
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

Operand OperandParser::address(std::uint32_t depth) {
  Operand address;
  address.kind = Operand::Kind::address;
  Operand base = value();
  // value() has already added "+ 16" to a variable's own offset
  if (base.kind == Operand::Kind::variable || base.kind == Operand::Kind::name) {
    address.value = std::exchange(base.value, 0);
  }
  address.value += offset();
  address.elements.push_back(std::move(base));
  if (reader_.accept(",")) { // textures and surfaces: the object, and coordinates in it
    address.elements.push_back(operand(depth + 1));
    if (reader_.accept(",")) {
      address.elements.push_back(operand(depth + 1));
    }
  }
  reader_.expect("]");
  return address;
}

/** Any number of "+ 4", "- 4", "+ -4", "+ 4 * 8". */
std::uint64_t OperandParser::offset() {
  std::uint64_t sum = 0;
  while (reader_.peek().is("+") || reader_.peek().is("-")) {
    bool minus = reader_.take().is("-");
    if (reader_.accept("-")) {
      minus = !minus;
    }
    const std::uint64_t amount = constantExpression(reader_, Reach::product);
    sum += minus ? ~amount + 1 : amount;
  }
  return sum;
}

Operand OperandParser::value() {
  Operand operand;
  bool negative = false;
  while (reader_.peek().is("-") || reader_.peek().is("+")) {
    negative ^= reader_.take().is("-");
  }
  const Token token = reader_.peek();
  if (beginsConstant(token)) {
    operand.kind = Operand::Kind::integer;
    operand.value = constantExpression(reader_, Reach::whole, negative);
    return operand;
  }
  switch (token.kind) {
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
  case Token::Kind::word: {
    Operand name = named();
    if (negative && name.kind != Operand::Kind::reg) {
      reader_.fail("a minus sign before a name");
    }
    name.minus = negative;
    return name;
  }
  default:
    reader_.fail("expected an operand but found " + reader_.shown());
  }
}

Operand OperandParser::named() {
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
    if (symbol == nullptr && partOfRegister(operand)) {
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

/** `v.y`, an element of a vector register, or `r.h1`, a part of a register. */
bool OperandParser::partOfRegister(Operand& operand) {
  const std::size_t dot = operand.name.rfind('.');
  if (dot == std::string::npos) {
    return false;
  }
  const Symbol* symbol = scopes_.lookup(operand.name.substr(0, dot), scopes_.current());
  const std::string part = operand.name.substr(dot + 1);
  if (symbol != nullptr && symbol->kind == Symbol::Kind::reg) {
    apply(*symbol, operand);
    operand.part = part;
    return true;
  }
  if (symbol == nullptr || symbol->kind != Symbol::Kind::vectorRegister || part.size() != 1) {
    return false;
  }
  std::size_t element = std::string_view("xyzw").find(part);
  if (element == std::string_view::npos) {
    element = std::string_view("rgba").find(part);
  }
  if (element >= symbol->count) {
    reader_.fail("'" + operand.name + "' is not an element of the vector");
  }
  operand.kind = Operand::Kind::reg;
  operand.index = symbol->index + static_cast<std::uint32_t>(element);
  return true;
}

void OperandParser::apply(const Symbol& symbol, Operand& operand) {
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

void OperandParser::resolve(Operand& operand) {
  for (Operand& element : operand.elements) {
    resolve(element);
  }
  if (operand.kind == Operand::Kind::name) {
    if (const Symbol* symbol = scopes_.lookup(operand.name, operand.scope)) {
      apply(*symbol, operand);
    }
  }
}

} // namespace simgpu::ptx
