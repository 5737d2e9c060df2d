// The video instructions in hand-written PTX, each against a formula of its own on random and extreme words.
#include "small_kernel.h"

#include <algorithm>
#include <functional>
#include <random>

namespace simgpu::testing {

namespace {

using Word = std::uint32_t;
using Wide = std::int64_t;
using Formula = std::function<Word(Word a, Word b, Word c)>;

struct VideoCase {
  std::string instruction; // d, a, b and c stand for registers
  Formula formula;
};

Wide s32(Word value) { return static_cast<std::int32_t>(value); }
Wide u8(Word value, int index) { return value >> (8 * index) & 0xff; }
Wide s8(Word value, int index) { return static_cast<std::int8_t>(u8(value, index)); }
Wide u16(Word value, int index) { return value >> (16 * index) & 0xffff; }
Wide s16(Word value, int index) { return static_cast<std::int16_t>(u16(value, index)); }
Word clampTo(Wide value, Wide low, Wide high) { return static_cast<Word>(std::clamp(value, low, high)); }
Word clampS32(Wide value) { return clampTo(value, INT32_MIN, INT32_MAX); }

const std::vector<VideoCase> scalarCases = {
    {"vadd.u32.u32.u32 d, a, b", [](Word a, Word b, Word) { return a + b; }},
    {"vadd.s32.u32.s32.sat d, a.b0, b.h0", [](Word a, Word b, Word) { return clampS32(u8(a, 0) + s16(b, 0)); }},
    {"vadd.u32.s32.s32.sat d, a, b", [](Word a, Word b, Word) { return clampTo(s32(a) + s32(b), 0, UINT32_MAX); }},
    {"vadd.s32.u32.u32.sat d, a, b", [](Word a, Word b, Word) { return clampS32(Wide{a} + Wide{b}); }},
    {"vsub.s32.s32.u32.sat d, a.h1, b.h1", [](Word a, Word b, Word) { return clampS32(s16(a, 1) - u16(b, 1)); }},
    {"vsub.u32.u32.u32.sat d, a, b", [](Word a, Word b, Word) { return a > b ? a - b : 0; }},
    {"vsub.u32.u32.s32.add d, a.b3, b.b2, c",
     [](Word a, Word b, Word c) { return static_cast<Word>(u8(a, 3) - s8(b, 2)) + c; }},
    {"vabsdiff.s32.s32.s32.sat d.h0, a.b0, b.b2, c",
     [](Word a, Word b, Word c) { return (c & 0xffff0000) | clampTo(std::abs(s8(a, 0) - s8(b, 2)), -32768, 32767); }},
    {"vabsdiff.u32.s32.s32 d, a, b", [](Word a, Word b, Word) { return static_cast<Word>(std::abs(s32(a) - s32(b))); }},
    {"vabsdiff.u32.u32.u32.add d, a.b1, b.b1, c",
     [](Word a, Word b, Word c) { return static_cast<Word>(std::abs(u8(a, 1) - u8(b, 1))) + c; }},
    {"vmin.s32.s32.s32.sat.add d, a, b, c",
     [](Word a, Word b, Word c) { return clampS32(std::min(s32(a), s32(b))) + c; }},
    {"vmin.s32.u32.s32 d, a, b", [](Word a, Word b, Word) { return static_cast<Word>(std::min(Wide{a}, s32(b))); }},
    {"vmax.s32.s32.s32.max d, a.h0, b.h1, c",
     [](Word a, Word b, Word c) { return static_cast<Word>(std::max({s16(a, 0), s16(b, 1), s32(c)})); }},
    {"vmax.u32.u32.u32.min d, a, b, c", [](Word a, Word b, Word c) { return std::min(std::max(a, b), c); }},
    {"vmax.u32.u32.u32 d.b3, a.b0, b.b1, c",
     [](Word a, Word b, Word c) { return static_cast<Word>(std::max(u8(a, 0), u8(b, 1))) << 24 | (c & 0xffffff); }},
    {"vshl.u32.u32.u32.clamp d, a, b.b0", [](Word a, Word b, Word) { return u8(b, 0) >= 32 ? 0 : a << u8(b, 0); }},
    {"vshl.u32.u32.u32.sat.clamp d, a.h0, b.b0",
     [](Word a, Word b, Word) { return clampTo(u16(a, 0) << std::min<Wide>(u8(b, 0), 32), 0, UINT32_MAX); }},
    {"vshl.s32.s32.u32.wrap.add d, a, b, c", [](Word a, Word b, Word c) { return (a << (b & 31)) + c; }},
    {"vshr.s32.s32.u32.clamp d, a, b.h0",
     [](Word a, Word b, Word) { return static_cast<Word>(s32(a) >> std::min<Wide>(u16(b, 0), 32)); }},
    {"vshr.u32.u32.u32.wrap d.h1, a.h1, b, c",
     [](Word a, Word b, Word c) { return static_cast<Word>(u16(a, 1) >> (b & 31)) << 16 | (c & 0xffff); }},
    {"vmad.s32.s32.u32 d, a.h0, b.b3, c",
     [](Word a, Word b, Word c) { return static_cast<Word>(s16(a, 0) * u8(b, 3)) + c; }},
    {"vmad.s32.s32.s32.sat d, a.h0, b.h1, -c",
     [](Word a, Word b, Word c) { return clampS32(s16(a, 0) * s16(b, 1) - s32(c)); }},
    {"vmad.s32.u32.u32.sat d, -a.h0, b.h0, c",
     [](Word a, Word b, Word c) { return clampS32(s32(c) - u16(a, 0) * u16(b, 0)); }},
    {"vmad.u32.u32.u32.shr15 d, a.h0, b.h0, c",
     [](Word a, Word b, Word c) { return static_cast<Word>((u16(a, 0) * u16(b, 0) + Wide{c}) >> 15); }},
    {"vmad.s32.s32.s32.po.shr7 d, a.h1, b.h1, c",
     [](Word a, Word b, Word c) { return static_cast<Word>((s16(a, 1) * s16(b, 1) + s32(c) + 1) >> 7); }},
    {"vmad.u32.u32.u32.po.sat d, a, b.b0, c",
     [](Word a, Word b, Word c) { return clampTo(Wide{a} * u8(b, 0) + Wide{c} + 1, 0, UINT32_MAX); }},
    {"vset.s32.u32.lt d, a, b", [](Word a, Word b, Word) { return s32(a) < Wide{b} ? 1u : 0u; }},
    {"vset.u32.u32.ne.add d, a.b0, b.h1, c",
     [](Word a, Word b, Word c) { return (u8(a, 0) != u16(b, 1) ? 1u : 0u) + c; }},
    {"vset.s32.s32.ge d.b1, a.b2, b.b2, c",
     [](Word a, Word b, Word c) { return (s8(a, 2) >= s8(b, 2) ? 0x100u : 0u) | (c & 0xffff00ff); }},
};

const std::vector<VideoCase> simdCases = {
    {"vsub2.s32.s32.s32.sat d.h0, a.h01, b.h23, c", // element 0 of a's selection is its half 1, of b's the half 1 of b
     [](Word a, Word b, Word c) {
       return (c & 0xffff0000) | (clampTo(s16(a, 1) - s16(b, 1), -32768, 32767) & 0xffff);
     }},
    {"vmin2.s32.u32.u32.add d.h10, a.h00, b.h22, c",
     [](Word a, Word b, Word c) { return c + static_cast<Word>(2 * std::min(u16(a, 0), u16(b, 0))); }},
    {"vadd4.u32.u32.u32.sat d.b31, a.b0123, b.b7654, c",
     [](Word a, Word b, Word c) {
       return clampTo(u8(a, 0) + u8(b, 3), 0, 255) << 24 | clampTo(u8(a, 2) + u8(b, 1), 0, 255) << 8 | (c & 0x00ff00ff);
     }},
    {"vset4.u32.s32.gt.add d.b2, a.b7777, b, c", // a's selection is byte 3 of b, unsigned
     [](Word, Word b, Word c) { return c + (u8(b, 3) > s8(b, 2) ? 1u : 0u); }},
};

/** Runs all cases in one kernel: thread i takes words i of three inputs, case n writes row n of the output. */
void runCases(const std::vector<VideoCase>& cases) {
  constexpr int lanes = 256;
  std::string body = threadIndex + ".reg .b32 a, b, c, d; ld.global.u32 a, [%rd3]; ld.global.u32 b, [%rd3+1024];\n"
                                   "ld.global.u32 c, [%rd3+2048];\n";
  for (std::size_t i = 0; i < cases.size(); i++) {
    body += cases[i].instruction + "; st.global.u32 [%rd3+" + std::to_string(1024 * (3 + i)) + "], d;\n";
  }
  SmallKernel k(1, body);
  std::mt19937 random(20250711); // a fixed seed: failures repeat
  std::vector<Word> words(3 * lanes);
  constexpr Word extremes[] = {0,          1,          0x7f,       0x80,       0xff, 0x7fff8000,
                               0x80007fff, 0x7fffffff, 0x80000000, 0xffffffff, 31,   33};
  for (Word& word : words) {
    word = random() % 3 == 0 ? extremes[random() % std::size(extremes)] : static_cast<Word>(random());
  }
  const DeviceAddress buffer = k.buffer(1024 * (3 + cases.size()));
  k.memory().copyIn(buffer, words.data(), words.size() * 4);
  CHECK_EQUAL(k.launch({}, {lanes}, {buffer}).report(), std::string());
  const auto results = k.read<Word>(buffer, lanes * (3 + cases.size()));
  for (std::size_t i = 0; i < cases.size(); i++) {
    for (std::size_t lane = 0; lane < lanes; lane++) {
      const Word a = words[lane], b = words[lanes + lane], c = words[2 * lanes + lane];
      const Word actual = results[lanes * (3 + i) + lane];
      const Word expected = cases[i].formula(a, b, c);
      if (actual != expected) {
        std::ostringstream message;
        message << cases[i].instruction << std::hex << " of " << a << ", " << b << ", " << c << " is " << actual
                << ", expected " << expected;
        fail(__FILE__, __LINE__, message.str());
        break;
      }
    }
  }
}

} // namespace

TEST("scalar video instructions follow their formulas") { runCases(scalarCases); }

TEST("SIMD video instructions select and mask elements") { runCases(simdCases); }

TEST("illegal forms of video instructions are refused when the module is loaded") {
  for (const std::string instruction :
       {"vadd.u32.u32.u32 d.b4, a, b, c;", "vadd.u32.u32.u32.add d.b0, a, b, c;", "vmad.u32.u32.u32 d.h0, a, b, c;",
        "vmad.s32.u32.u32.po d, -a, b, c;", "vshl.u32.u32.u32 d, a, b;", "vset.u32.u32 d, a, b;",
        "vadd.u32.u32 d, a, b;", "vadd2.u32.u32.u32 d, a.h45, b, c;", "vadd4.u32.u32.u32 d.b4, a, b, c;",
        "add.u32 d, a.b0, b;", "add.s32 d, -a, b;", "mov.b32 d.h0, a;", "ld.global.u32 d, [%rd1.b0];"}) {
    std::string log;
    try {
      SmallKernel(1, threadIndex + ".reg .b32 a, b, c, d;\n" + instruction);
    } catch (const std::runtime_error& error) {
      log = error.what();
    }
    CHECK_EQUAL(instruction + " " + log.substr(0, 9), instruction + " line 11: ");
  }
}

TEST("vector registers are used by their elements, and dynamic shared memory has 32-bit addresses with offsets") {
  SmallKernel k(1, threadIndex + R"(
	.reg .v2 .b32 pair; .reg .v4 .f32 quad;
	mov.b32 pair.x, %r1; add.u32 pair.y, pair.x, 5;
	cvt.rn.f32.u32 quad.a, pair.y; cvt.rzi.u32.f32 %r3, quad.w;
	mov.u32 %r4, dynamic+64; shl.b32 %r5, %r1, 2; add.u32 %r4, %r4, %r5;
	st.shared.v2.b32 [%r4], pair;
	ld.shared.b32 %r6, [%r4]; ld.shared.b32 %r7, [%r4+4];
	mad.lo.u32 %r6, %r7, 100, %r6; add.u32 %r6, %r6, %r3; st.global.u32 [%rd3], %r6;)",
                ".extern .shared .align 16 .b8 dynamic[];");
  const DeviceAddress buffer = k.buffer(128);
  CHECK_EQUAL(k.launch({}, {1}, {buffer}, 256).report(), std::string());
  CHECK_EQUAL(k.read<Word>(buffer, 1)[0], 505u);
}

} // namespace simgpu::testing
