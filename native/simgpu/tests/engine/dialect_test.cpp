// PTX as other compilers than nvcc write it (LLVM, Triton): other spellings of what the fixtures contain.
#include "small_kernel.h"

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

} // namespace simgpu::testing
