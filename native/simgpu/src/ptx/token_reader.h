// A cursor over tokens with the checks every parser needs.
#pragma once

#include "ptx/lexer.h"

#include <algorithm>
#include <string>
#include <vector>

namespace simgpu::ptx {

class TokenReader {
public:
  explicit TokenReader(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(position_ + ahead, tokens_.size() - 1)]; }
  std::int64_t line() const { return peek().line; }
  bool atEnd() const { return peek().kind == Token::Kind::end; }

  const Token& take() {
    const Token& token = peek();
    if (position_ < tokens_.size() - 1) {
      position_++;
    }
    return token;
  }

  bool accept(std::string_view text) {
    if (!peek().is(text)) {
      return false;
    }
    take();
    return true;
  }

  void expect(std::string_view text) {
    if (!accept(text)) {
      fail("expected '" + std::string(text) + "' but found " + shown());
    }
  }

  std::string expectWord(std::string_view what) {
    if (peek().kind != Token::Kind::word) {
      fail("expected " + std::string(what) + " but found " + shown());
    }
    return std::string(take().text);
  }

  /** A non-negative integer of at most `limit`. */
  std::uint64_t expectInteger(std::uint64_t limit) {
    if (peek().kind != Token::Kind::integer) {
      fail("expected an integer but found " + shown());
    }
    if (peek().value > limit) {
      fail("number " + std::string(peek().text) + " is too large here");
    }
    return take().value;
  }

  /** Skips the tokens that start on the current one's line: .loc, .file. */
  void skipLine() {
    const std::int64_t start = line();
    while (!atEnd() && line() == start) {
      take();
    }
  }

  /** Skips from '{' to the matching '}'. */
  void skipBraces() {
    expect("{");
    for (std::uint64_t depth = 1; depth > 0;) {
      if (atEnd()) {
        fail("'{' is not closed");
      }
      depth += peek().is("{") ? 1 : peek().is("}") ? std::uint64_t(-1) : 0;
      take();
    }
  }

  std::string shown() const {
    return atEnd() ? std::string("the end of the text") : "'" + std::string(peek().text.substr(0, 80)) + "'";
  }

  [[noreturn]] void fail(const std::string& message) const { throw PtxError(line(), message); }

private:
  std::vector<Token> tokens_;
  std::size_t position_ = 0;
};

} // namespace simgpu::ptx
