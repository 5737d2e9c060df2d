#include "ptx/declaration_parser.h"

#include "ptx/constant_expression.h"

#include <bit>
#include <cstring>

namespace simgpu::ptx {

namespace {

constexpr std::uint64_t largestVariable = std::uint64_t{1} << 40; // more than any device's memory
constexpr std::uint64_t largestInitialiser = std::uint64_t{1} << 30;
constexpr std::uint32_t largestAlignment = 1 << 16;

std::uint64_t multiply(const TokenReader& reader, std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > largestVariable / b) {
    reader.fail("the variable is too large");
  }
  return a * b;
}

class InitialiserParser {
public:
  InitialiserParser(TokenReader& reader, Variable& variable, const std::vector<std::uint64_t>& dimensions)
      : reader_(reader), variable_(variable), dimensions_(dimensions), elementSize_(sizeOf(variable.type)) {}

  void run() {
    variable_.initialised = true;
    if (dimensions_.empty() && variable_.vectorLength == 1) {
      if (reader_.accept("{")) {
        element(0);
        reader_.expect("}");
      } else {
        element(0);
      }
    } else {
      aggregate(0, 0);
    }
  }

private:
  std::uint64_t extent(std::size_t depth) const {
    std::uint64_t bytes = std::uint64_t{elementSize_} * variable_.vectorLength;
    for (std::size_t i = depth; i < dimensions_.size(); i++) {
      bytes *= dimensions_[i];
    }
    return bytes;
  }

  /** One brace level. An inner level is `depth + 1` deep; elements of a flat list simply follow one another. */
  void aggregate(std::size_t depth, std::uint64_t offset) {
    const std::uint64_t end = offset + extent(depth);
    reader_.expect("{");
    while (!reader_.peek().is("}")) {
      if (reader_.peek().is("{")) {
        if (depth >= dimensions_.size()) {
          reader_.fail("the initialiser has more braces than the variable has dimensions");
        }
        if (offset + extent(depth + 1) > end) {
          reader_.fail("too many initialisers");
        }
        aggregate(depth + 1, offset);
        offset += extent(depth + 1);
      } else {
        if (offset + elementSize_ > end) {
          reader_.fail("too many initialisers");
        }
        element(offset);
        offset += elementSize_;
      }
      if (!reader_.accept(",")) {
        break;
      }
    }
    reader_.expect("}");
  }

  void element(std::uint64_t offset) {
    const bool negative = reader_.accept("-");
    const Token& token = reader_.peek();
    if (token.kind == Token::Kind::integer && reader_.peek(1).is("(")) {
      maskedSymbol(offset);
      return;
    }
    if (beginsConstant(token)) {
      store(offset, constantExpression(reader_, Reach::whole, negative), true);
      return;
    }
    switch (token.kind) {
    case Token::Kind::single:
    case Token::Kind::floating:
      real(offset, negative);
      break;
    case Token::Kind::word:
      symbol(offset, 0);
      break;
    default:
      reader_.fail("expected an initialiser but found " + reader_.shown());
    }
  }

  void real(std::uint64_t offset, bool negative) {
    const Token& token = reader_.take();
    double value = token.kind == Token::Kind::single
                       ? std::bit_cast<float>(static_cast<std::uint32_t>(token.value))
                       : std::bit_cast<double>(token.value);
    value = negative ? -value : value;
    if (variable_.type == Type::f32 || (variable_.type == Type::b32 && token.kind == Token::Kind::single)) {
      store(offset, std::bit_cast<std::uint32_t>(static_cast<float>(value)), false);
    } else if (elementSize_ == 8) {
      store(offset, std::bit_cast<std::uint64_t>(value), false);
    } else {
      reader_.fail("a floating-point initialiser for ." + std::string(typeName(variable_.type)));
    }
  }

  void store(std::uint64_t offset, std::uint64_t value, bool integer) {
    if (integer && variable_.type == Type::f32) {
      value = std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int64_t>(value)));
    } else if (integer && variable_.type == Type::f64) {
      value = std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<std::int64_t>(value)));
    }
    if (offset + elementSize_ > largestInitialiser) {
      reader_.fail("the initialiser is too large");
    }
    if (variable_.initial.size() < offset + elementSize_) {
      variable_.initial.resize(offset + elementSize_);
    }
    std::memcpy(variable_.initial.data() + offset, &value, std::min<std::uint64_t>(elementSize_, 8));
  }

  /** "0xFF00(symbol)": one byte of an address. */
  void maskedSymbol(std::uint64_t offset) {
    const std::uint64_t mask = reader_.take().value;
    std::uint32_t shift = 0;
    while (shift < 64 && mask != std::uint64_t{0xff} << shift) {
      shift += 8;
    }
    if (shift == 64) {
      reader_.fail("a mask must select one byte");
    }
    reader_.expect("(");
    symbol(offset, shift);
    reader_.expect(")");
  }

  void symbol(std::uint64_t offset, std::uint32_t shift) {
    Relocation relocation;
    relocation.line = reader_.line();
    relocation.offset = offset;
    relocation.size = elementSize_;
    relocation.shift = shift;
    relocation.symbol = reader_.expectWord("a symbol");
    if (relocation.symbol == "generic" && reader_.accept("(")) {
      relocation.generic = true;
      relocation.symbol = reader_.expectWord("a symbol");
      addend(relocation);
      reader_.expect(")");
    }
    addend(relocation);
    store(offset, 0, false);
    variable_.relocations.push_back(std::move(relocation));
  }

  void addend(Relocation& relocation) {
    while (reader_.peek().is("+") || reader_.peek().is("-")) {
      const bool minus = reader_.take().is("-");
      const auto value = static_cast<std::int64_t>(reader_.expectInteger(largestVariable));
      relocation.addend += minus ? -value : value;
    }
  }

  TokenReader& reader_;
  Variable& variable_;
  const std::vector<std::uint64_t>& dimensions_;
  std::uint32_t elementSize_;
};

/** ".align 8", ".v4", ".u32", ".ptr .global", ".attribute(.managed)" in any order; the type is required. */
void parseAttributes(TokenReader& reader, Variable& variable) {
  bool typed = false;
  std::uint32_t alignment = 0;
  while (reader.peek().kind == Token::Kind::directive) {
    const Token& token = reader.take();
    const std::string_view name = token.text.substr(1);
    if (name == "align") {
      const std::uint64_t value = reader.expectInteger(largestAlignment);
      if (!std::has_single_bit(value)) {
        reader.fail("an alignment must be a power of two");
      }
      alignment = static_cast<std::uint32_t>(value);
    } else if (name == "v2" || name == "v4") {
      variable.vectorLength = name == "v2" ? 2 : 4;
    } else if (name == "ptr") {
      // tells what the parameter points to; the alignment that follows is the pointee's
      if (spaceDirective(reader.peek())) {
        reader.take();
      }
      if (reader.accept(".align")) {
        reader.expectInteger(largestAlignment);
      }
    } else if (name == "attribute") {
      reader.expect("(");
      while (!reader.accept(")")) {
        if (reader.atEnd()) {
          reader.fail("'(' is not closed");
        }
        reader.take();
      }
    } else if (name == "texref" || name == "surfref" || name == "samplerref") {
      throw PtxError(token.line, "textures and surfaces are not simulated (" + std::string(token.text) + ")", true);
    } else if (const auto type = typeNamed(name); type && *type != Type::b1 && *type != Type::u4 && *type != Type::s4) {
      variable.type = *type;
      typed = true;
    } else {
      throw PtxError(token.line, "unexpected " + std::string(token.text) + " in a declaration");
    }
  }
  if (!typed) {
    reader.fail("the declaration has no type");
  }
  if (sizeOf(variable.type) == 0 && variable.space != Space::generic) {
    reader.fail("a variable in memory cannot have type ." + std::string(typeName(variable.type)));
  }
  const std::uint32_t natural = std::max(1u, sizeOf(variable.type) * variable.vectorLength);
  variable.alignment = alignment != 0 ? alignment : natural;
}

/** "name[4][8]" and what it makes of the size. */
std::vector<std::uint64_t> parseName(TokenReader& reader, Variable& variable) {
  variable.line = reader.line();
  variable.name = reader.expectWord("a name");
  std::vector<std::uint64_t> dimensions;
  variable.size = sizeOf(variable.type) * variable.vectorLength;
  while (reader.accept("[")) {
    if (dimensions.size() >= 16) {
      reader.fail("too many dimensions");
    }
    if (reader.accept("]")) {
      if (!dimensions.empty()) {
        reader.fail("only the first dimension can be left out");
      }
      variable.unsized = true;
      dimensions.push_back(0);
      continue;
    }
    dimensions.push_back(constantExpression(reader));
    if (dimensions.back() > largestVariable) {
      reader.fail("an array of " + std::to_string(dimensions.back()) + " elements is too large");
    }
    reader.expect("]");
  }
  for (const std::uint64_t dimension : dimensions) {
    variable.size = multiply(reader, variable.size, dimension);
  }
  return dimensions;
}

} // namespace

std::optional<Space> spaceDirective(const Token& token) {
  if (token.kind != Token::Kind::directive) {
    return std::nullopt;
  }
  const std::string_view name = token.text.substr(1);
  if (name == "param") {
    return Space::param;
  }
  if (name == "local") {
    return Space::local;
  }
  if (name == "shared") {
    return Space::shared;
  }
  if (name == "global") {
    return Space::global;
  }
  if (name == "const") {
    return Space::constant;
  }
  return std::nullopt;
}

std::vector<Variable> parseVariables(TokenReader& reader, Space space, Linkage linkage) {
  Variable shared;
  shared.space = space;
  shared.linkage = linkage;
  parseAttributes(reader, shared);
  std::vector<Variable> variables;
  do {
    Variable variable = shared;
    std::vector<std::uint64_t> dimensions = parseName(reader, variable);
    if (reader.accept("=")) {
      if (variable.unsized) {
        // the initialiser decides: as many elements as it has
        std::uint64_t row = sizeOf(variable.type) * variable.vectorLength;
        for (std::size_t i = 1; i < dimensions.size(); i++) {
          row = multiply(reader, row, dimensions[i]);
        }
        dimensions[0] = largestInitialiser / std::max<std::uint64_t>(1, row);
        InitialiserParser(reader, variable, dimensions).run();
        variable.size = variable.initial.size();
        variable.unsized = false;
      } else {
        InitialiserParser(reader, variable, dimensions).run();
      }
    }
    variables.push_back(std::move(variable));
  } while (reader.accept(","));
  reader.expect(";");
  return variables;
}

std::vector<Variable> parseParameters(TokenReader& reader) {
  std::vector<Variable> parameters;
  reader.expect("(");
  if (reader.accept(")")) {
    return parameters;
  }
  do {
    Variable parameter;
    parameter.space = Space::param;
    parameter.inRegister = reader.accept(".reg");
    if (!parameter.inRegister) {
      reader.expect(".param");
    }
    parseAttributes(reader, parameter);
    if (reader.peek().is("_")) {
      parameter.line = reader.line();
    }
    const std::vector<std::uint64_t> dimensions = parseName(reader, parameter);
    if (parameter.inRegister && (parameter.type == Type::pred || parameter.vectorLength > 1 || !dimensions.empty())) {
      throw PtxError(parameter.line, "a parameter in .reg space is one number", true);
    }
    parameters.push_back(std::move(parameter));
  } while (reader.accept(","));
  reader.expect(")");
  return parameters;
}

} // namespace simgpu::ptx
