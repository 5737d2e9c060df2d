// PTX as other compilers than nvcc write it (LLVM, Triton): other spellings of what the fixtures contain.
#include "small_kernel.h"

#include <span>
#include <string>

namespace simgpu::testing {

namespace {

/** A helper with a struct result, an alias of it, a weak function, dynamic shared memory, a table of constants. */
const std::string declarations = R"(
.file 1 "/somewhere" "kernel.py"
.extern .shared .align 16 .b8 ext[];
.const .align 4 .b8 table[16] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
.visible .func  (.param .align 8 .b8 func_retval0[16]) two
(
	.param .b32 two_param_0,
	.param .align 16 .b8 two_param_1[16]
)
;
.visible .func  (.param .align 8 .b8 func_retval0[16]) two(
	.param .b32 two_param_0,
	.param .align 16 .b8 two_param_1[16]
)                                       // @two
{
	.reg .b32 	%r<3>;
	.reg .b64 	%rd<3>;

// %bb.0:
	.loc 1 2 3, function_name $L__info_string0, inlined_at 1 5 7
	ld.param.u32 	%r1, [two_param_0];
	mul.lo.s32 	%r2, %r1, 7;
	ld.param.v2.u64 	{%rd1, %rd2}, [two_param_1];
	st.param.b32 	[func_retval0+0], %r2;
	st.param.b64 	[func_retval0+8], %rd2;
	ret;
                                        // -- End function
}
.weak .func (.param .b32 out) triple(.param .b32 in) { .reg .b32 %r<3>; ld.param.b32 %r1, [in]; mul.lo.s32 %r2, %r1, 3;
  st.param.b32 [out], %r2; ret; }
.alias thrice, triple;
)";

} // namespace

TEST("calls in the style of LLVM return structs by value") {
  SmallKernel k(1, threadIndex + R"(
	{ // callseq 0, 0
	.reg .b32 temp_param_reg;
	.param .b32 param0;
	st.param.b32 	[param0+0], %r1;
	.param .align 16 .b8 param1[16];
	st.param.v2.b64 	[param1+0], {%rd1, 40};
	.param .align 8 .b8 retval0[16];
	call.uni (retval0),
	two,
	(
	param0,
	param1
	);
	ld.param.b32 	%r5, [retval0+0];
	ld.param.b64 	%rd5, [retval0+8];
	} // callseq 0
	cvt.u32.u64 %r6, %rd5; add.s32 %r7, %r5, %r6;
	{ .param .b32 p; st.param.b32 [p], %r7; .param .b32 q; call.uni (q), thrice, (p); ld.param.b32 %r8, [q]; }
	st.global.b32 [ %rd3 + 0 ], { %r8 };)",
                declarations);
  const DeviceAddress buffer = k.buffer(128);
  CHECK_EQUAL(k.launch({}, {32}, {buffer}).report(), std::string());
  CHECK_EQUAL(k.read<std::uint32_t>(buffer, 32)[5], (5u * 7 + 40) * 3);
}

TEST("inline assembly in braces has registers and labels of its own") {
  SmallKernel k(1, threadIndex + R"(
	mov.u32 %r3, 0x0;
	// begin inline asm
	{ .reg .pred %p1; .reg .b32 %r3; setp.lt.u32 %p1, %r1, 16; @%p1 bra done; mov.u32 %r3, 5; add.u32 %r4, %r3, 1;
	  bra.uni out; done: mov.u32 %r4, 1; out: }
	// end inline asm
	{ .reg .pred q; setp.eq.u32 q, %r1, 31; @!q bra done; add.u32 %r4, %r4, 100; done: }
$L__tmp0:
	.pragma "nounroll";
	add.u32 %r5, %r4, %r3;
	st.global.u32 [%rd3], %r5;)");
  const DeviceAddress buffer = k.buffer(128);
  CHECK_EQUAL(k.launch({}, {32}, {buffer}).report(), std::string());
  const auto values = k.read<std::uint32_t>(buffer, 32);
  CHECK_EQUAL(values[0], 1u);
  CHECK_EQUAL(values[16], 6u);
  CHECK_EQUAL(values[31], 106u);
}

TEST("a table of branch targets is followed lane by lane") {
  SmallKernel k(1, threadIndex + R"(
	and.b32 %r3, %r1, 3;
targets: .branchtargets A, B, A, C;
	brx.idx %r3, targets;
A:	mov.u32 %r4, 10; bra.uni J;
B:	mov.u32 %r4, 20; bra.uni J;
C:	mov.u32 %r4, 30;
J:	st.global.u32 [%rd3], %r4;)");
  const DeviceAddress buffer = k.buffer(128);
  CHECK_EQUAL(k.launch({}, {32}, {buffer}).report(), std::string());
  const auto values = k.read<std::uint32_t>(buffer, 4);
  CHECK_EQUAL(values[0], 10u);
  CHECK_EQUAL(values[1], 20u);
  CHECK_EQUAL(values[2], 10u);
  CHECK_EQUAL(values[3], 30u);
}

TEST("functions take parameters in registers, and calls take registers and constants") {
  SmallKernel k(1, threadIndex + R"(
	.reg .f32 %x; .reg .b64 %wide; .reg .u16 %h;
	call (%r3), twice_plus, (%r1, 7);                    // registers and a constant for .reg
	call (%x), scaled, (0f40400000, %r1);                // a constant for .param
	call (%wide, %h), two_results, (%r3);
	{ .param .b32 in; .param .b32 out; st.param.b32 [in], 40; call (out), twice_plus, (in, %r1); ld.param.b32 %r4, [out]; }
	P: .callprototype (.reg .b32 _) _ (.reg .b32 _, .reg .b32 _);
	mov.u64 %rd5, twice_plus;
	call (%r5), %rd5, (%r4, 1), P;
	call (%r6), factorial, (5);
	cvt.rzi.u32.f32 %r7, %x; cvt.u32.u64 %r8, %wide; cvt.u32.u16 %r9, %h;
	mul.wide.u32 %rd6, %r1, 32; add.s64 %rd7, %rd1, %rd6;
	st.global.v4.u32 [%rd7], {%r3, %r7, %r8, %r9}; st.global.v2.u32 [%rd7+16], {%r5, %r6};)",
                R"(
.func (.reg .b32 y) twice_plus(.reg .b32 x, .reg .b32 z) { add.u32 y, x, x; add.u32 y, y, z; ret; }
.func (.param .f32 y) scaled(.param .f32 factor, .param .u32 x) { .reg .f32 %f<4>; .reg .u32 n; ld.param.f32 %f1, [factor];
  ld.param.u32 n, [x]; cvt.rn.f32.u32 %f2, n; mul.f32 %f3, %f1, %f2; st.param.f32 [y], %f3; ret; }
.func (.reg .u64 wide, .reg .u16 h) two_results(.reg .u32 x) { .reg .pred odd; .reg .u32 bit; cvt.u64.u32 wide, x;
  cvt.u16.u32 h, x; and.b32 bit, x, 1; setp.eq.u32 odd, bit, 0; @!odd ret; add.u64 wide, wide, 100; }
.func (.reg .u32 y) factorial(.reg .u32 n) { .reg .pred %p1; .reg .u32 %m, %below; mov.u32 y, 1; setp.le.u32 %p1, n, 1;
  @%p1 ret; sub.u32 %m, n, 1; call (%below), factorial, (%m); mul.lo.u32 y, n, %below; ret; })");
  const DeviceAddress buffer = k.buffer(32 * 32);
  CHECK_EQUAL(k.launch({}, {32}, {buffer}).report(), std::string());
  const auto values = k.read<std::uint32_t>(buffer, 32 * 8);
  for (std::uint32_t i = 0; i < 32; i++) {
    const std::uint32_t first = 2 * i + 7;
    CHECK_EQUAL(values[8 * i], first);
    CHECK_EQUAL(values[8 * i + 1], 3 * i);
    CHECK_EQUAL(values[8 * i + 2], first); // odd: the early return; the addition is for even numbers
    CHECK_EQUAL(values[8 * i + 3], first);
    CHECK_EQUAL(values[8 * i + 4], 2 * (80 + i) + 1);
    CHECK_EQUAL(values[8 * i + 5], 120u);
  }
}

TEST("registers of 128 bits are loaded, split, put together, passed on and stored") {
  SmallKernel k(1, threadIndex + R"(
	.reg .b128 %q<6>;
	mul.wide.u32 %rd4, %r1, 16; add.s64 %rd5, %rd1, %rd4;
	ld.global.b128 %q1, [%rd5];
	mov.b128 {%rd6, %rd7}, %q1;
	add.u64 %rd6, %rd6, 1;
	mov.b128 %q2, {%rd7, %rd6};
	mov.b128 %q3, %q2;
	call (%q4), pass, (%q3);
	setp.lt.u32 %p1, %r1, 16;
	@%p1 mov.b128 %q4, %q1;
	st.global.b128 [%rd5], %q4;)",
                ".func (.reg .b128 y) pass(.param .align 16 .b128 x) { ld.param.b128 y, [x]; ret; }");
  const DeviceAddress buffer = k.buffer(512);
  std::vector<std::uint64_t> words(64);
  for (std::size_t i = 0; i < words.size(); i++) {
    words[i] = (i << 40) + 3 * i;
  }
  k.memory().copyIn(buffer, words.data(), 512);
  CHECK_EQUAL(k.launch({}, {32}, {buffer}).report(), std::string());
  const auto values = k.read<std::uint64_t>(buffer, 64);
  for (std::size_t i = 0; i < 32; i++) {
    CHECK_EQUAL(values[2 * i], i < 16 ? words[2 * i] : words[2 * i + 1]);
    CHECK_EQUAL(values[2 * i + 1], i < 16 ? words[2 * i + 1] : words[2 * i] + 1);
  }
}

TEST("a kernel in the style of Triton: predicated vectors in inline assembly, pointers with attributes, an exact block "
     "size") {
  const std::string text = R"(
.version 8.4
.target sm_80
.address_size 64
	// .globl	row_sum
.extern .shared .align 16 .b8 global_smem[];
.visible .entry row_sum(
	.param .u64 .ptr .global .align 1 row_sum_param_0,
	.param .u64 .ptr .global .align 1 row_sum_param_1,
	.param .u32 row_sum_param_2
)
.reqntid 64, 1, 1
{
	.reg .pred 	%p<8>;
	.reg .b32 	%r<40>;
	.reg .f32 	%f<24>;
	.reg .b64 	%rd<12>;
	.loc	1 7 0
$L__func_begin0:
	ld.param.u64 	%rd1, [row_sum_param_0];
	ld.param.u64 	%rd2, [row_sum_param_1];
	ld.param.u32 	%r1, [row_sum_param_2];
$L__tmp0:
	.loc	1 9 24
	// begin inline asm
	mov.u32 %r2, %ctaid.x;
	// end inline asm
	mov.u32 	%r3, %tid.x;
	and.b32  	%r4, %r3, 31;
	shl.b32 	%r5, %r3, 2;
	setp.lt.s32 	%p1, %r5, %r1;
	mad.lo.s32 	%r6, %r2, %r1, %r5;
	mul.wide.s32 	%rd3, %r6, 4;
	add.s64 	%rd4, %rd1, %rd3;
	mov.b32 	%r7, 0;
	mov.pred 	%p2, -1;
	// begin inline asm
	mov.u64 %rd5, 0x0;
	createpolicy.fractional.L2::evict_last.b64 %rd5, 1.0;
	// end inline asm
	// begin inline asm
	mov.u32 %r8, %r7;
	mov.u32 %r9, %r7;
	mov.u32 %r10, %r7;
	mov.u32 %r11, %r7;
	@%p1 ld.global.L1::evict_last.L2::cache_hint.v4.b32 { %r8, %r9, %r10, %r11 }, [ %rd4 + 0 ], %rd5;
	// end inline asm
	mov.b32 	%f1, %r8;
	mov.b32 	%f2, %r9;
	mov.b32 	%f3, %r10;
	mov.b32 	%f4, %r11;
	add.f32 	%f5, %f1, %f2;
	add.f32 	%f6, %f3, %f4;
	add.f32 	%f7, %f5, %f6;
	mov.b32 	%r12, %f7;
	shfl.sync.bfly.b32	%r13, %r12, 16, 31, -1;
	mov.b32 	%f8, %r13;
	add.f32 	%f9, %f7, %f8;
	mov.b32 	%r14, %f9;
	shfl.sync.bfly.b32	%r15, %r14, 8, 31, -1;
	mov.b32 	%f10, %r15;
	add.f32 	%f11, %f9, %f10;
	mov.b32 	%r16, %f11;
	shfl.sync.bfly.b32	%r17, %r16, 4, 31, -1;
	mov.b32 	%f12, %r17;
	add.f32 	%f13, %f11, %f12;
	mov.b32 	%r18, %f13;
	shfl.sync.bfly.b32	%r19, %r18, 2, 31, -1;
	mov.b32 	%f14, %r19;
	add.f32 	%f15, %f13, %f14;
	mov.b32 	%r20, %f15;
	shfl.sync.bfly.b32	%r21, %r20, 1, 31, -1;
	mov.b32 	%f16, %r21;
	add.f32 	%f17, %f15, %f16;
	setp.eq.s32 	%p3, %r4, 0;
	shr.u32 	%r22, %r3, 3;
	and.b32  	%r23, %r22, 4;
	mov.u32 	%r24, global_smem;
	add.s32 	%r25, %r24, %r23;
	mov.b32 	%r26, %f17;
	// begin inline asm
	@%p3 st.shared.b32 [ %r25 + 0 ], %r26;
	// end inline asm
	bar.sync 	0;
	setp.lt.s32 	%p4, %r3, 2;
	shl.b32 	%r27, %r3, 2;
	add.s32 	%r28, %r24, %r27;
	// begin inline asm
	mov.u32 %r29, 0x0;
	@%p4 ld.shared.b32 %r29, [ %r28 + 0 ];
	// end inline asm
	mov.b32 	%f18, %r29;
	shfl.sync.bfly.b32	%r30, %r29, 1, 31, -1;
	mov.b32 	%f19, %r30;
	add.f32 	%f20, %f18, %f19;
	setp.eq.s32 	%p5, %r3, 0;
	mul.wide.s32 	%rd6, %r2, 4;
	add.s64 	%rd7, %rd2, %rd6;
	mov.b32 	%r31, %f20;
	// begin inline asm
	@%p5 st.global.b32 [ %rd7 + 0 ], { %r31 };
	// end inline asm
	.loc	1 15 4
	ret;
$L__tmp1:
$L__func_end0:

}
	.file	1 "/somewhere/row_sum.py"
	.section	.debug_abbrev
	{
.b8 1                                   // Abbreviation Code
.b8 17                                  // DW_TAG_compile_unit
	}
	.section	.debug_macinfo	{	}
)";
  DeviceMemory memory(std::uint64_t{1} << 30);
  Engine engine(DeviceModel::a100(), memory);
  const CompileResult compiled = engine.compile(text);
  CHECK_EQUAL(compiled.log(), std::string());
  if (compiled.module == nullptr) {
    return;
  }
  constexpr std::uint32_t rows = 3, columns = 212;
  std::vector<float> x(rows * columns), sums(rows);
  for (std::uint32_t i = 0; i < x.size(); i++) {
    x[i] = static_cast<float>(i % 17) - 5;
    sums[i / columns] += x[i];
  }
  struct {
    DeviceAddress in, out;
    std::uint32_t columns;
  } parameters{memory.allocate(x.size() * 4, AllocationKind::user), memory.allocate(rows * 4, AllocationKind::user),
               columns};
  memory.copyIn(parameters.in, x.data(), x.size() * 4);
  LaunchConfig config;
  config.grid = {rows};
  config.block = {64};
  config.dynamicShared = 16;
  const auto bytes = std::as_bytes(std::span(&parameters, 1)).first(20);
  CHECK_EQUAL(engine.launch(*compiled.module->kernel("row_sum"), config, bytes).report(), std::string());
  std::vector<float> actual(rows);
  memory.copyOut(actual.data(), parameters.out, rows * 4);
  CHECK(actual == sums);
  config.block = {32};
  expectFinding(engine.launch(*compiled.module->kernel("row_sum"), config, bytes), FindingKind::invalidLaunch,
                Status::invalidValue);
}

TEST("instructions of later architectures are refused with their line") {
  for (const std::string instruction : {"setmaxnreg.inc.sync.aligned.u32 232;", "elect.sync %r3|%p1, -1;",
                                        "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r1], {%r2};"}) {
    std::string log;
    try {
      SmallKernel(1, threadIndex + instruction);
    } catch (const std::runtime_error& error) {
      log = error.what();
    }
    // version, target, size, an empty line, the entry, the brace, and threadIndex's three lines come before
    CHECK_EQUAL(log.substr(0, 9), std::string("line 10: "));
    CHECK(log.find(instruction.substr(0, instruction.find('.'))) != std::string::npos);
  }
}

TEST("a variadic function takes an array of any size, or none, directly and through a pointer") {
  const std::string sum = R"(
.func (.param .b32 out) sum(.param .b32 n, .param .align 8 .b8 %VAParam[]) {
	.reg .b32 %r<6>; .reg .b64 %rd<4>; .reg .pred %p<3>;
	mov.u64 %rd1, %VAParam; ld.param.u32 %r1, [n]; mov.u32 %r2, 100;
L:	setp.eq.u32 %p1, %r1, 0; @%p1 bra E;
	ld.local.u32 %r3, [%rd1]; add.u32 %r2, %r2, %r3; add.s64 %rd1, %rd1, 8; sub.u32 %r1, %r1, 1; bra L;
E:	st.param.b32 [out], %r2; ret;
})";
  SmallKernel k(1, threadIndex + R"(
	{ .param .b32 n; .param .align 8 .b8 v[24]; .param .b32 o; st.param.b32 [n], 3; st.param.b32 [v+0], %r1;
	st.param.b32 [v+8], 20; st.param.b32 [v+16], 4; call.uni (o), sum, (n, v); ld.param.b32 %r4, [o]; }
	{ .param .b32 n; .param .b32 o; st.param.b32 [n], 0; call.uni (o), sum, (n); ld.param.b32 %r5, [o]; }
	{ .param .b32 n; .param .align 8 .b8 v[32]; .param .b32 o; st.param.b32 [n], 4; st.param.b32 [v+0], 1;
	st.param.b32 [v+8], 2; st.param.b32 [v+16], 3; st.param.b32 [v+24], %r1; mov.u64 %rd4, sum;
	P: .callprototype (.param .b32 _) _ (.param .b32 _, .param .align 8 .b8 _[]);
	call (o), %rd4, (n, v), P; ld.param.b32 %r6, [o]; }
	shl.b32 %r6, %r6, 10; add.u32 %r4, %r4, %r5; add.u32 %r4, %r4, %r6; st.global.u32 [%rd3], %r4;)",
                sum);
  const DeviceAddress buffer = k.buffer(128);
  CHECK_EQUAL(k.launch({}, {32}, {buffer}).report(), std::string());
  const auto values = k.read<std::uint32_t>(buffer, 32);
  for (std::uint32_t lane = 0; lane < 32; lane++) {
    CHECK_EQUAL(values[lane], (124 + lane) + 100 + ((106 + lane) << 10));
  }
}

TEST("an instruction that the text's target lacks is refused by name and line, as a device's compiler does") {
  const auto refusal = [](const std::string& target, const std::string& instruction) {
    DeviceMemory memory(1 << 20);
    Engine engine(DeviceModel::rtx5090(), memory, {});
    const CompileResult result = engine.compile(".version 8.8\n.target " + target + "\n.address_size 64\n" +
                                                ".visible .entry k()\n{ .reg .b16 %h<4>; .reg .b32 %r<4>; .reg .pred "
                                                "%p<2>; .reg .f32 %f<9>; .reg .b64 %d<4>;\n" +
                                                instruction + "\nret; }\n");
    return result.module == nullptr ? result.log() : result.module->kernel("k")->info.refusal;
  };
  const auto expectNeed = [&](const std::string& instruction, const std::string& target, const std::string& needed) {
    const std::string text = refusal(target, instruction);
    const std::string name = instruction.substr(0, instruction.find_first_of(" ;"));
    const std::string wanted = "line 6: " + name + ": needs .target " + needed + " or later; the text is for " + target;
    if (text.find(wanted) == std::string::npos) {
      fail(__FILE__, __LINE__, "'" + text + "' does not say '" + wanted + "'");
    }
  };
  expectNeed("add.bf16 %h1, %h2, %h3;", "sm_86", "sm_90");
  expectNeed("tanh.approx.bf16x2 %r1, %r2;", "sm_80", "sm_90");
  expectNeed("cvt.rn.tf32.f32 %r1, %f1;", "sm_80", "sm_90");
  expectNeed("cvt.rn.bf16.s32 %h1, %r1;", "sm_80", "sm_90");
  expectNeed("cvt.f16.bf16 %h1, %h2;", "sm_80", "sm_90");
  expectNeed("cvt.rni.bf16.bf16 %h1, %h2;", "sm_86", "sm_90");
  expectNeed("cvt.rn.satfinite.e4m3x2.f32 %h1, %f1, %f2;", "sm_80", "sm_89");
  expectNeed("elect.sync %r1|%p1, 0xffffffff;", "sm_80", "sm_90");
  expectNeed("mbarrier.try_wait.shared.b64 %p1, [%r1], %d1;", "sm_80", "sm_90");
  expectNeed("fence.proxy.async;", "sm_80", "sm_90");
  expectNeed("atom.global.add.noftz.bf16 %h1, [%d1], %h2;", "sm_80", "sm_90");
  expectNeed("ld.global.v8.f32 {%f1, %f2, %f3, %f4, %f5, %f6, %f7, %f8}, [%d1];", "sm_90", "sm_100");
  expectNeed("redux.sync.add.s32 %r1, %r2, -1;", "sm_75", "sm_80");
  CHECK_EQUAL(refusal("sm_90", "add.bf16 %h1, %h2, %h3;"), std::string());
  CHECK_EQUAL(refusal("sm_80", "fma.rn.bf16 %h1, %h2, %h3, %h1;"), std::string());
  CHECK_EQUAL(refusal("sm_80", "cvt.rna.tf32.f32 %r1, %f1;"), std::string());
  CHECK_EQUAL(refusal("sm_80", "cvt.f32.bf16 %f1, %h1; cvt.rn.relu.bf16.f32 %h2, %f1;"), std::string());
  CHECK(refusal("sm_90", "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r1], {%r2};").find("is not simulated") !=
        std::string::npos);
  CHECK(refusal("sm_90", "cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%d1, "
                         "{%r2}], [%r3];")
            .find("is not simulated") != std::string::npos);
  CHECK(refusal("sm_100", "cvt.rn.satfinite.e2m1x2.f32 %h1, %f1, %f2;").find("not simulated; compile for .target") !=
        std::string::npos);
  CHECK_EQUAL(refusal("sm_89", "cvt.rn.satfinite.e4m3x2.f32 %h1, %f1, %f2;"), std::string());
  CHECK_EQUAL(refusal("sm_89", "cvt.rn.f16x2.e5m2x2 %r1, %h1;"), std::string());
  CHECK(refusal("sm_100", "redux.sync.min.f32 %f1, %f2, -1;").find("of what sm_100 brought not all is simulated") !=
        std::string::npos);
  CHECK(refusal("sm_90", "mov.u32 %r1, %cluster_ctaid.x;").find("special register '%cluster_ctaid.x'") !=
        std::string::npos);
  CHECK(refusal("sm_89", "cvt.rn.e4m3x2.f32 %h1, %f1, %f2;").find("the forms are cvt.rn.satfinite") != std::string::npos);
  CHECK(refusal("sm_80", "frobnicate.u32 %r1, %r2;").find("unknown instruction 'frobnicate.u32'") != std::string::npos);
}

} // namespace simgpu::testing
