// Control flow and scheduling: what no single instruction shows.
#include "small_kernel.h"

namespace simgpu::testing {

namespace {

const std::string prologue = ".reg .b32 %r<30>; .reg .b64 %rd<20>; .reg .pred %p<8>;\n"
                             "mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; ld.param.u64 %rd1, [p0];\n"
                             "mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2;\n";

std::vector<std::uint32_t> runWarp(const std::string& body, const std::string& declarations = {}) {
  SmallKernel k(1, prologue + body + "\nst.global.u32 [%rd3], %r9;", declarations);
  const DeviceAddress buffer = k.buffer(128);
  CHECK_EQUAL(k.launch({}, {32}, {buffer}).report(), std::string());
  return k.read<std::uint32_t>(buffer, 32);
}

template <class Expected> void expectLanes(const std::vector<std::uint32_t>& actual, Expected expected) {
  for (std::uint32_t lane = 0; lane < 32; lane++) {
    CHECK_EQUAL(actual[lane], static_cast<std::uint32_t>(expected(lane)));
  }
}

std::string refusal(const std::string& body) {
  try {
    SmallKernel k(1, body);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "accepted";
}

} // namespace

TEST("an indexed branch sends every lane to its target") {
  const auto lanes = runWarp("and.b32 %r3, %r1, 3; T: .branchtargets A, B, C, A;\nbrx.idx %r3, T;\n"
                             "A: mov.u32 %r9, 10; bra.uni E;\nB: mov.u32 %r9, 20; bra.uni E;\nC: mov.u32 %r9, 30;\n"
                             "E: add.u32 %r9, %r9, %r1;");
  expectLanes(lanes, [](std::uint32_t lane) { return std::array{10, 20, 30, 10}[lane % 4] + lane; });
}

TEST("loops of different lengths reconverge") {
  const auto lanes = runWarp("mov.u32 %r9, 0; mov.u32 %r3, 0;\nL: add.u32 %r3, %r3, 1; add.u32 %r9, %r9, %r3;\n"
                             "setp.le.u32 %p1, %r3, %r1; @%p1 bra L; activemask.b32 %r4; setp.eq.u32 %p2, %r4, -1;\n"
                             "@!%p2 mov.u32 %r9, 0xdead;");
  expectLanes(lanes, [](std::uint32_t lane) { return (lane + 1) * (lane + 2) / 2; });
}

TEST("names of inner scopes hide those of outer ones") {
  const auto lanes =
      runWarp("mov.u32 %r9, 1; { .reg .b32 %r9; .reg .b32 t; mov.u32 %r9, 7; mov.u32 t, %r9; bra L;\nL: }\n"
              "{ .reg .b64 t; mov.u64 t, 5; bra L;\nL: }\nadd.u32 %r9, %r9, %r1;");
  expectLanes(lanes, [](std::uint32_t lane) { return 1 + lane; });
}

TEST("recursive functions keep a frame for every call and every lane") {
  const std::string factorial =
      ".func (.param .b32 out) f(.param .b32 in) { .reg .b32 %r<9>; .reg .pred %p; ld.param.u32 %r1, [in];\n"
      "setp.gt.u32 %p, %r1, 1; @%p bra A; st.param.b32 [out], 1; ret;\nA: sub.u32 %r2, %r1, 1;\n"
      "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %r2; call.uni (b), f, (a); ld.param.b32 %r3, [b]; }\n"
      "mul.lo.u32 %r4, %r3, %r1; st.param.b32 [out], %r4; ret; }";
  const auto lanes = runWarp(
      "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %r1; call (b), f, (a); ld.param.b32 %r9, [b]; }", factorial);
  expectLanes(lanes, [](std::uint32_t lane) {
    std::uint32_t product = 1;
    for (std::uint32_t i = 2; i <= lane; i++) {
      product *= i;
    }
    return product;
  });
}

TEST("lanes call different functions through pointers in memory") {
  const std::string functions = ".func (.param .b32 out) twice(.param .b32 in) { .reg .b32 %r; ld.param.u32 %r, [in]; "
                                "shl.b32 %r, %r, 1; st.param.b32 [out], %r; ret; }\n"
                                ".func (.param .b32 out) plus(.param .b32 in) { .reg .b32 %r; ld.param.u32 %r, [in]; "
                                "add.u32 %r, %r, 100; st.param.b32 [out], %r; ret; }\n"
                                ".global .align 8 .u64 table[2] = {twice, plus};";
  const auto lanes =
      runWarp("P: .callprototype (.param .b32 _) _ (.param .b32 _);\nmov.u64 %rd4, table; and.b32 %r3, %r1, 1;\n"
              "mul.wide.u32 %rd5, %r3, 8; add.s64 %rd6, %rd4, %rd5; ld.global.u64 %rd7, [%rd6];\n"
              "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %r1; call (b), %rd7, (a), P; ld.param.b32 %r9, [b]; }",
              functions);
  expectLanes(lanes, [](std::uint32_t lane) { return lane % 2 == 0 ? 2 * lane : lane + 100; });
}

TEST("a lane that spins on a lock held by another lane of its warp makes progress") {
  const auto lanes =
      runWarp("mov.u32 %r9, 0; add.s64 %rd4, %rd1, 0;\nL: atom.global.cas.b32 %r3, [lock], 0, 1;\n"
              "setp.ne.s32 %p1, %r3, 0; @%p1 bra L;\nld.volatile.global.u32 %r4, [count]; add.u32 %r4, %r4, 1;\n"
              "st.volatile.global.u32 [count], %r4; mov.u32 %r9, %r4; membar.gl; st.volatile.global.u32 [lock], 0;",
              ".global .align 4 .u32 lock; .global .align 4 .u32 count;");
  std::uint32_t seen = 0;
  for (const std::uint32_t value : lanes) {
    seen |= 1u << (value - 1);
  }
  CHECK_EQUAL(seen, ~0u);
}

TEST("blocks that wait for later blocks are set aside until those have run") {
  // block i waits until block i+1 has raised its flag; the last raises it at once. Every turn of a waiting block polls
  // for as long as it may, and a chain takes a number of turns that grows with the square of its length.
  SmallKernel k(
      1, prologue +
             "mov.u32 %r3, %nctaid.x; sub.u32 %r3, %r3, 1; mul.wide.u32 %rd4, %r2, 4; add.s64 %rd5, %rd1, %rd4;\n"
             "setp.eq.u32 %p1, %r2, %r3; @%p1 bra D;\nL: ld.acquire.gpu.global.u32 %r4, [%rd5+4];\n"
             "setp.eq.u32 %p2, %r4, 0; @%p2 bra L;\nD: st.release.gpu.global.u32 [%rd5], 1;");
  const std::uint32_t blocks = 20;
  const DeviceAddress flags = k.buffer(4 * blocks);
  const LaunchResult result = k.launch({blocks}, {1}, {flags});
  CHECK_EQUAL(result.report(), std::string());
  CHECK(result.counters.preemptions > 0);
  CHECK(k.read<std::uint32_t>(flags, blocks) == std::vector<std::uint32_t>(blocks, 1));
}

TEST("a hundred blocks that wait for the last are resident beside it") {
  SmallKernel k(
      1, prologue +
             "mov.u32 %r3, %nctaid.x; sub.u32 %r3, %r3, 1; mul.wide.u32 %rd4, %r3, 4; add.s64 %rd4, %rd1, %rd4;\n"
             "mul.wide.u32 %rd5, %r2, 4; add.s64 %rd5, %rd1, %rd5;\n"
             "setp.eq.u32 %p1, %r2, %r3; @%p1 bra D;\nL: ld.acquire.gpu.global.u32 %r4, [%rd4];\n"
             "setp.eq.u32 %p2, %r4, 0; @%p2 bra L;\nD: st.release.gpu.global.u32 [%rd5], 1;");
  const DeviceAddress flags = k.buffer(400);
  const LaunchResult result = k.launch({100}, {1}, {flags});
  CHECK_EQUAL(result.report(), std::string());
  CHECK(result.counters.preemptions > 0);
  CHECK(k.read<std::uint32_t>(flags, 100) == std::vector<std::uint32_t>(100, 1));
}

TEST("barrier reductions give every thread the result") {
  SmallKernel k(1, prologue + "setp.lt.u32 %p1, %r1, 40; bar.red.popc.u32 %r3, 0, %p1; bar.red.and.pred %p2, 0, %p1;\n"
                              "bar.red.or.pred %p3, 0, !%p1; selp.u32 %r4, 1000, 0, %p2; selp.u32 %r5, 100, 0, %p3;\n"
                              "add.u32 %r3, %r3, %r4; add.u32 %r3, %r3, %r5; st.global.u32 [%rd3], %r3;");
  const DeviceAddress buffer = k.buffer(256);
  CHECK_EQUAL(k.launch({}, {64}, {buffer}).report(), std::string());
  CHECK(k.read<std::uint32_t>(buffer, 64) == std::vector<std::uint32_t>(64, 140));
}

TEST("a named barrier with arrivals orders a producer and a consumer warp") {
  SmallKernel k(1, ".shared .align 4 .b8 s[128];" + prologue +
                       "mov.u32 %r10, s; and.b32 %r3, %r1, 31; shl.b32 %r4, %r3, 2; add.u32 %r5, %r10, %r4;\n"
                       "setp.lt.u32 %p1, %r1, 32; @!%p1 bra C;\nst.shared.u32 [%r5], %r1; bar.arrive 3, 64; ret;\n"
                       "C: bar.sync 3, 64; ld.shared.u32 %r6, [%r5]; st.global.u32 [%rd3], %r6;");
  const DeviceAddress buffer = k.buffer(256);
  CHECK_EQUAL(k.launch({}, {64}, {buffer}).report(), std::string());
  CHECK_EQUAL(k.read<std::uint32_t>(buffer, 64)[40], 8u);
}

TEST("what is not understood is refused with its line") {
  CHECK_EQUAL(refusal(".reg .b32 %r<3>;\nfrobnicate.b32 %r1, %r2;"),
              std::string("line 8: unknown instruction 'frobnicate.b32'"));
  CHECK_EQUAL(refusal(".reg .b32 %r<3>;\nadd.s32.fancy %r1, %r2, %r2;"),
              std::string("line 8: add.s32.fancy: unknown modifier .fancy"));
  CHECK_EQUAL(refusal(".reg .b32 %r<3>; .reg .b64 %rd<3>;\nadd.s32 %r1, %r2, %rd1;"),
              std::string("line 8: add.s32: register '%rd1' does not fit type .s32"));
  CHECK_EQUAL(refusal("bra NOWHERE;"), std::string("line 7: 'NOWHERE' is not declared"));
  CHECK_EQUAL(refusal(".reg .b32 %r<3>;\nadd.s32 %r1, %r2;"),
              std::string("line 8: add.s32: the instruction has 2 operands"));
  CHECK_EQUAL(refusal(".reg .f32 %f<9>; .reg .b32 %r<3>; .reg .b64 %rd<3>;\n"
                      "tex.1d.v4.f32.s32 {%f1,%f2,%f3}, [%rd1, {%r1}];"),
              std::string("line 8: tex.1d.v4.f32.s32: the result is a vector of four registers"));
  CHECK(refusal(".reg .b32 %r<3>;\nmma.sync.aligned.m16n8k9.row.col.f32.f16.f16.f32 {%r1}, {%r1}, {%r1}, {%r1};")
            .starts_with("line 8:"));
}

TEST("registers are packed: a long chain of names needs few slots") {
  std::string body = ".reg .b32 %r<2000>;\nmov.u32 %r0, 1;\n";
  for (int i = 1; i < 2000; i++) {
    body.append("add.u32 %r").append(std::to_string(i)).append(", %r").append(std::to_string(i - 1)).append(", 1;\n");
  }
  SmallKernel k(1, body + ".reg .b64 %a; ld.param.u64 %a, [p0]; st.global.u32 [%a], %r1999;");
  const DeviceAddress buffer = k.buffer(4);
  CHECK_EQUAL(k.launch({}, {1}, {buffer}).report(), std::string());
  CHECK_EQUAL(k.read<std::uint32_t>(buffer, 1)[0], 2000u);
  CHECK(k.module().kernel("k")->info.registers < 16);
}

TEST("lanes that called a function at different places meet at its shuffle, as devices look at the operation alone") {
  const std::string add = ".func (.param .b32 out) f(.param .b32 in) { .reg .b32 %r<9>; .reg .pred %p<3>;\n"
                          "ld.param.u32 %r1, [in]; shfl.sync.bfly.b32 %r2|%p1, %r1, 31, 31, -1;\n"
                          "vote.sync.ballot.b32 %r3, %p1, -1; add.u32 %r2, %r2, %r3; st.param.b32 [out], %r2; ret; }\n";
  const auto call = [](const std::string& in) {
    return "{ .param .b32 a; .param .b32 o; st.param.b32 [a], " + in + "; call (o), f, (a); ld.param.b32 %r9, [o]; }\n";
  };
  const auto lanes = runWarp("mul.lo.u32 %r3, %r1, 3; setp.lt.u32 %p1, %r1, 5; @%p1 bra B;\n" + call("%r3") +
                                 "bra.uni E;\nB: " + call("%r1") + "mul.lo.u32 %r9, %r9, 2;\nE: ",
                             add);
  expectLanes(lanes, [](std::uint32_t lane) {
    const std::uint32_t other = 31 - lane;
    const std::uint32_t sum = (other < 5 ? other : 3 * other) - 1;
    return lane < 5 ? 2 * sum : sum;
  });
}

} // namespace simgpu::testing
