// Splits PTX text into tokens.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace simgpu::ptx {

/** A text that is not PTX, or PTX that is not simulated: where and why. */
class PtxError : public std::runtime_error {
public:
  PtxError(std::int64_t atLine, const std::string& message, bool isUnsupported = false)
      : std::runtime_error(message), line(atLine), unsupported(isUnsupported) {}

  std::int64_t line;
  bool unsupported; // legal PTX of a kind this device does not simulate
};

struct Token {
  enum class Kind : std::uint8_t {
    word,      // identifier or opcode with its modifiers: "ld.global.v4.f32", "%tid.x", "$L__BB0_1"
    directive, // one dotted word: ".reg"
    integer,
    single,  // 0f3F800000: `value` holds 32 bits
    floating, // 0d... or decimal: `value` holds the bits of a double
    string,  // `text` without the quotes
    punctuation,
    end,
  };

  Kind kind = Kind::end;
  std::string_view text; // points into the source
  std::uint64_t value = 0;
  std::int64_t line = 0;

  bool is(std::string_view expected) const {
    return kind != Kind::string && kind != Kind::end && text == expected;
  }
};

/** The tokens of `source`, which must outlive them; the last is `end`. Throws PtxError. */
std::vector<Token> tokenize(std::string_view source);

} // namespace simgpu::ptx
