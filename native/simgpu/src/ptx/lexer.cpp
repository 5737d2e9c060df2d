#include "ptx/lexer.h"

#include <bit>
#include <charconv>
#include <cstdlib>

namespace simgpu::ptx {

namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool isHex(char c) { return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool startsWord(char c) { return isLetter(c) || c == '_' || c == '$' || c == '%'; }
bool continuesWord(char c) { return startsWord(c) || isDigit(c); }

class Lexer {
public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (skipBlanks()) {
      next();
    }
    tokens_.push_back({Token::Kind::end, {}, 0, line_});
    return std::move(tokens_);
  }

private:
  char at(std::size_t offset = 0) const {
    return position_ + offset < source_.size() ? source_[position_ + offset] : '\0';
  }

  /** Moves to the next token; false at the end of the text. */
  bool skipBlanks() {
    while (position_ < source_.size()) {
      const char c = at();
      if (c == '\n') {
        line_++;
        position_++;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
        position_++;
      } else if (c == '/' && at(1) == '/') {
        while (position_ < source_.size() && at() != '\n') {
          position_++;
        }
      } else if (c == '/' && at(1) == '*') {
        skipBlockComment();
      } else if (c == '\0') {
        // the driver is handed C strings, and texts with a terminator inside their length occur
        position_ = source_.size();
      } else {
        return true;
      }
    }
    return false;
  }

  void skipBlockComment() {
    const std::int64_t start = line_;
    position_ += 2;
    while (!(at() == '*' && at(1) == '/')) {
      if (position_ >= source_.size()) {
        throw PtxError(start, "comment is not closed");
      }
      line_ += at() == '\n';
      position_++;
    }
    position_ += 2;
  }

  void next() {
    const char c = at();
    if (startsWord(c)) {
      word();
    } else if (c == '.' && (startsWord(at(1)))) {
      const std::size_t start = position_++;
      while (continuesWord(at())) {
        position_++;
      }
      add(Token::Kind::directive, start);
    } else if (isDigit(c) || (c == '.' && isDigit(at(1)))) {
      number();
    } else if (c == '"') {
      string();
    } else {
      static constexpr std::string_view punctuation = "{}[](),;:@!|<>+-=*/&~^?%";
      if (punctuation.find(c) == std::string_view::npos) {
        throw PtxError(line_, "unexpected character (code " + std::to_string(static_cast<unsigned char>(c)) + ")");
      }
      add(Token::Kind::punctuation, position_++);
    }
  }

  /** A word goes on through dots and through "::" (as in .L2::128B), but not through a label's single colon. */
  void word() {
    const std::size_t start = position_;
    for (;;) {
      if (continuesWord(at())) {
        position_++;
      } else if (at() == '.' && continuesWord(at(1))) {
        position_ += 2;
      } else if (at() == ':' && at(1) == ':' && continuesWord(at(2))) {
        position_ += 3;
      } else {
        break;
      }
    }
    add(Token::Kind::word, start);
  }

  void number() {
    const std::size_t start = position_;
    const char mark = at(1);
    if (at() == '0' && (mark == 'f' || mark == 'F' || mark == 'd' || mark == 'D') && isHex(at(2))) {
      position_ += 2;
      const bool isSingle = mark == 'f' || mark == 'F';
      const std::uint64_t bits = digits(16, isSingle ? 8 : 16);
      add(isSingle ? Token::Kind::single : Token::Kind::floating, start, bits);
      return;
    }
    if (at() == '0' && (mark == 'x' || mark == 'X')) {
      position_ += 2;
      finishInteger(start, digits(16, 16));
      return;
    }
    if (at() == '0' && (mark == 'b' || mark == 'B')) {
      position_ += 2;
      finishInteger(start, digits(2, 64));
      return;
    }
    decimal(start);
  }

  void decimal(std::size_t start) {
    bool isFraction = false;
    std::size_t end = position_;
    while (end < source_.size() && (isDigit(source_[end]) || source_[end] == '.')) {
      isFraction |= source_[end] == '.';
      end++;
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) {
        exponent++;
      }
      if (exponent < source_.size() && isDigit(source_[exponent])) {
        isFraction = true;
        for (end = exponent; end < source_.size() && isDigit(source_[end]);) {
          end++;
        }
      }
    }
    if (isFraction) {
      double value = 0;
      const auto [rest, error] = std::from_chars(source_.data() + position_, source_.data() + end, value);
      if (error == std::errc::invalid_argument || rest != source_.data() + end) {
        throw PtxError(line_, "malformed number");
      }
      position_ = end;
      add(Token::Kind::floating, start, std::bit_cast<std::uint64_t>(value));
      return;
    }
    const bool isOctal = at() == '0' && isDigit(at(1));
    finishInteger(start, digits(isOctal ? 8 : 10, 64));
  }

  /** Digits of a number in `base`; at least one, at most `limit`, and within 64 bits. */
  std::uint64_t digits(unsigned base, unsigned limit) {
    std::uint64_t value = 0;
    unsigned count = 0;
    while (isHex(at())) {
      const char c = at();
      const unsigned digit = isDigit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a' + 10);
      if (digit >= base) {
        break;
      }
      if (++count > limit || value > (~std::uint64_t{0} - digit) / base) {
        throw PtxError(line_, "number is too large");
      }
      value = value * base + digit;
      position_++;
    }
    if (count == 0) {
      throw PtxError(line_, "malformed number");
    }
    return value;
  }

  void finishInteger(std::size_t start, std::uint64_t value) {
    if (at() == 'U' || at() == 'u') {
      position_++;
    }
    if (continuesWord(at())) {
      throw PtxError(line_, "malformed number");
    }
    add(Token::Kind::integer, start, value);
  }

  void string() {
    const std::size_t start = ++position_;
    while (at() != '"') {
      if (position_ >= source_.size() || at() == '\n') {
        throw PtxError(line_, "string is not closed");
      }
      position_ += at() == '\\' ? 2 : 1;
    }
    if (position_ > source_.size()) {
      throw PtxError(line_, "string is not closed");
    }
    add(Token::Kind::string, start);
    position_++;
  }

  void add(Token::Kind kind, std::size_t start, std::uint64_t value = 0) {
    const std::size_t end = kind == Token::Kind::punctuation ? start + 1 : position_;
    tokens_.push_back({kind, source_.substr(start, end - start), value, line_});
  }

  std::string_view source_;
  std::size_t position_ = 0;
  std::int64_t line_ = 1;
  std::vector<Token> tokens_;
};

} // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

} // namespace simgpu::ptx
