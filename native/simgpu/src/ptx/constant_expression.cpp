#include "ptx/constant_expression.h"

#include <array>
#include <optional>

namespace simgpu::ptx {

namespace {

constexpr int deepest = 64;

/** 64 bits, read as signed unless a literal ends in U or an operand was of that kind. */
struct Value {
  std::uint64_t bits = 0;
  bool isUnsigned = false;
};

/** An operator's tokens, two for "<<", and how tightly it binds: the precedences of C. */
struct Operator {
  std::string_view first;
  std::string_view second;
  int binds;
};

// of two that begin alike the longer one first
constexpr std::array operators{
    Operator{"|", "|", 1}, Operator{"&", "&", 2}, Operator{"=", "=", 6}, Operator{"!", "=", 6}, Operator{"<", "<", 8},
    Operator{">", ">", 8}, Operator{"<", "=", 7}, Operator{">", "=", 7}, Operator{"|", "", 3},  Operator{"^", "", 4},
    Operator{"&", "", 5},  Operator{"<", "", 7},  Operator{">", "", 7},  Operator{"+", "", 9},  Operator{"-", "", 9},
    Operator{"*", "", 10}, Operator{"/", "", 10}, Operator{"%", "", 10},
};
constexpr int product = 10;

class Expression {
public:
  explicit Expression(TokenReader& reader) : reader_(reader) {}

  Value conditional() {
    const Value condition = binary(1, unary());
    return choice(condition);
  }

  Value choice(const Value& condition) {
    if (!reader_.accept("?")) {
      return condition;
    }
    const Nesting nesting(*this);
    const Value yes = conditional();
    reader_.expect(":");
    const Value no = conditional();
    return {(condition.bits != 0 ? yes : no).bits, yes.isUnsigned || no.isUnsigned};
  }

  Value binary(int least, Value left) {
    while (const std::optional<Operator> next = peekOperator()) {
      if (next->binds < least) {
        break;
      }
      reader_.take();
      if (!next->second.empty()) {
        reader_.take();
      }
      left = apply(*next, left, binary(next->binds + 1, unary()));
    }
    return left;
  }

  Value unary() {
    const Nesting nesting(*this);
    if (reader_.accept("-")) {
      const Value value = unary();
      return {~value.bits + 1, value.isUnsigned};
    }
    if (reader_.accept("+")) {
      return unary();
    }
    if (reader_.accept("~")) {
      const Value value = unary();
      return {~value.bits, value.isUnsigned};
    }
    if (reader_.accept("!")) {
      return {unary().bits == 0 ? 1u : 0u, false};
    }
    if (reader_.accept("(")) {
      for (const bool isUnsigned : {false, true}) {
        if (reader_.accept(isUnsigned ? ".u64" : ".s64")) {
          reader_.expect(")");
          return {unary().bits, isUnsigned};
        }
      }
      const Value value = conditional();
      reader_.expect(")");
      return value;
    }
    const bool isUnsigned = reader_.peek().text.ends_with('U');
    return {reader_.expectInteger(~std::uint64_t{0}), isUnsigned};
  }

private:
  /** Keeps a text of nothing but brackets from using up the stack. */
  class Nesting {
  public:
    explicit Nesting(Expression& expression) : expression_(expression) {
      if (++expression_.depth_ > deepest) {
        expression_.reader_.fail("a constant expression is nested too deeply");
      }
    }
    ~Nesting() { --expression_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

  private:
    Expression& expression_;
  };

  std::optional<Operator> peekOperator() const {
    for (const Operator& each : operators) {
      if (reader_.peek().is(each.first) && (each.second.empty() || reader_.peek(1).is(each.second))) {
        return each;
      }
    }
    return std::nullopt;
  }

  Value apply(const Operator& op, const Value& left, const Value& right) const {
    const bool isUnsigned = left.isUnsigned || right.isUnsigned;
    const std::uint64_t a = left.bits;
    const std::uint64_t b = right.bits;
    const auto truth = [](bool value) { return Value{value ? 1u : 0u, false}; };
    const bool less = isUnsigned ? a < b : static_cast<std::int64_t>(a) < static_cast<std::int64_t>(b);
    const char first = op.first.front();
    if (op.second == "=") {
      return truth(first == '=' ? a == b : first == '!' ? a != b : first == '<' ? less || a == b : !less);
    }
    if (op.second == "|" || op.second == "&") {
      return truth(first == '|' ? a != 0 || b != 0 : a != 0 && b != 0);
    }
    if (!op.second.empty()) {
      return shifted(first == '<', left, b);
    }
    switch (first) {
    case '|':
      return {a | b, isUnsigned};
    case '^':
      return {a ^ b, isUnsigned};
    case '&':
      return {a & b, isUnsigned};
    case '<':
      return truth(less);
    case '>':
      return truth(!less && a != b);
    case '+':
      return {a + b, isUnsigned};
    case '-':
      return {a - b, isUnsigned};
    case '*':
      return {a * b, isUnsigned};
    default:
      return quotient(first == '/', a, b, isUnsigned);
    }
  }

  static Value shifted(bool left, const Value& value, std::uint64_t count) {
    if (count > 63) {
      return {!left && !value.isUnsigned && value.bits >> 63 != 0 ? ~std::uint64_t{0} : 0, value.isUnsigned};
    }
    if (left) {
      return {value.bits << count, value.isUnsigned};
    }
    return {value.isUnsigned ? value.bits >> count
                             : static_cast<std::uint64_t>(static_cast<std::int64_t>(value.bits) >> count),
            value.isUnsigned};
  }

  Value quotient(bool divide, std::uint64_t a, std::uint64_t b, bool isUnsigned) const {
    if (b == 0) {
      reader_.fail("a constant expression divides by zero");
    }
    if (isUnsigned) {
      return {divide ? a / b : a % b, true};
    }
    if (b == ~std::uint64_t{0}) { // the most negative number has no negative
      return {divide ? ~a + 1 : 0, false};
    }
    const auto x = static_cast<std::int64_t>(a);
    const auto y = static_cast<std::int64_t>(b);
    return {static_cast<std::uint64_t>(divide ? x / y : x % y), false};
  }

  TokenReader& reader_;
  int depth_ = 0;
};

} // namespace

bool beginsConstant(const Token& token) {
  return token.kind == Token::Kind::integer || token.is("(") || token.is("~") || token.is("!");
}

std::uint64_t constantExpression(TokenReader& reader, Reach reach, bool negated) {
  Expression expression(reader);
  Value first = expression.unary();
  if (negated) {
    first.bits = ~first.bits + 1;
  }
  if (reach == Reach::product) {
    return expression.binary(product, first).bits;
  }
  return expression.choice(expression.binary(1, first)).bits;
}

} // namespace simgpu::ptx
