// Constant expressions, which macros in inline assembly leave in operands, offsets, dimensions and initialisers.
#include "ptx/constant_expression.h"
#include "small_kernel.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace simgpu::testing {

namespace {

std::int64_t valueOf(const std::string& text) {
  const std::string source = text + ";"; // tokens are parts of it
  ptx::TokenReader reader(ptx::tokenize(source));
  const std::uint64_t value = ptx::constantExpression(reader);
  CHECK(reader.peek().is(";"));
  return static_cast<std::int64_t>(value);
}

} // namespace

TEST("constant expressions have the precedences and the signs of C") {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"1 + 2 * 3", 7},
      {"(1 + 2) * 3", 9},
      {"1 << 4 | 3", 19},
      {"2 + 1 << 1", 6},
      {"10 - 4 - 3", 3},
      {"-7 / 2", -3},
      {"-7 % 3", -1},
      {"-8 >> 1", -4},
      {"0xFFFFFFFFFFFFFFF8U >> 1", 0x7FFFFFFFFFFFFFFC},
      {"(.u64) -8 >> 60", 15},
      {"~0 & 0xF0", 0xF0},
      {"6 ^ 3 & 1", 7},
      {"!5 + !0", 1},
      {"1 < 2 == 2 >= 2", 1},
      {"-1 < 1U", 0},
      {"3 != 3 || 2 > 1 && 0 <= 0", 1},
      {"1 > 2 ? 3 : 4 < 5 ? 6 : 7", 6},
      {"- - 5", 5},
      {"1 << 64", 0},
      {"-1 >> 100", -1},
      {"-9223372036854775808 / -1", std::numeric_limits<std::int64_t>::min()},
  };
  for (const auto& [text, value] : cases) {
    if (valueOf(text) != value) {
      fail(__FILE__, __LINE__, std::string(text) + " is " + std::to_string(valueOf(text)));
    }
  }
}

TEST("expressions that have no value are refused") {
  const std::string brackets(100000, '(');
  const std::string tildes(100000, '~');
  for (const std::string& text : std::vector<std::string>{"1 / 0", "1 % (2 - 2)", "1 +", "(1", "1 ? 2", brackets + "1",
                                                          tildes + "1"}) {
    bool refused = false;
    try {
      valueOf(text);
    } catch (const ptx::PtxError&) {
      refused = true;
    }
    CHECK(refused);
  }
}

TEST("operands, offsets, dimensions and initialisers may be expressions") {
  SmallKernel k(1, threadIndex + R"(
	.shared .align 4 .b8 tile[4 * (8 + 1)];
	mov.u32 %r3, (1 << 4) | 3;
	add.u32 %r3, %r3, 2 * 50;
	st.shared.u32 [tile + 4 * 8], %r3;
	ld.shared.u32 %r4, [tile+16*2];
	ld.global.u32 %r5, [table + (2 - 1) * 4];
	add.u32 %r4, %r4, %r5;
	{ .param .b32 in; .param .b32 out; st.param.b32 [in], -(3 + 4); call (out), twice, (in); ld.param.b32 %r6, [out]; }
	add.s32 %r4, %r4, %r6;
	setp.eq.and.s32 %p1, %r1, 1 > 2 ? 3 : 4, !0;
	@%p1 mov.u32 %r4, 1;
	st.global.u32 [%rd1 + 4 * 2 - 8], %r4;)",
                ".global .align 4 .u32 table[1 + 1] = {1 << 4, ~0 & 0x700};\n"
                ".func (.param .b32 o) twice(.param .b32 i) { .reg .b32 %r<3>; ld.param.b32 %r1, [i]; "
                "add.s32 %r2, %r1, %r1; st.param.b32 [o], %r2; ret; }");
  const DeviceAddress buffer = k.buffer(128);
  CHECK_EQUAL(k.launch({}, {1}, {buffer}).report(), std::string());
  CHECK_EQUAL(k.read<std::uint32_t>(buffer, 1)[0], 119u + 0x700u - 14u);
}

} // namespace simgpu::testing
