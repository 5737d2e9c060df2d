// Every check finds the fault it is for, and names where it happened.
#include "small_kernel.h"

namespace simgpu::testing {

TEST("a load beyond an allocation is located to lane and line") {
  SmallKernel k(1, threadIndex + "ld.global.u32 %r3, [%rd3];");
  const LaunchResult result = k.launch({}, {64}, {k.buffer(160)});
  expectFinding(result, FindingKind::outOfBounds, Status::illegalAddress);
  const Finding& finding = result.findings.front();
  CHECK_EQUAL(finding.warp, 1);
  CHECK_EQUAL(finding.lane, 8);
  CHECK_EQUAL(finding.line, 10);
  CHECK_EQUAL(finding.instruction, std::string("ld.global.u32"));
  CHECK_EQUAL(finding.kernel, std::string("k"));
  CHECK(finding.allocation.find("0 bytes beyond the end of allocation 1 (160 bytes") != std::string::npos);
}

TEST("bounds are checked even when the other checks are off") {
  Settings settings;
  settings.checks = false;
  SmallKernel k(1, threadIndex + "st.global.u32 [%rd3], %r1;", {}, settings);
  expectFinding(k.launch({}, {64}, {k.buffer(160)}), FindingKind::outOfBounds, Status::illegalAddress);
}

TEST("a store to freed memory is a use after free") {
  SmallKernel k(1, threadIndex + "st.global.u32 [%rd3], %r1;");
  const DeviceAddress buffer = k.buffer(1024);
  k.memory().free(buffer);
  expectFinding(k.launch({}, {32}, {buffer}), FindingKind::useAfterFree, Status::illegalAddress);
}

TEST("a null pointer is out of bounds") {
  SmallKernel k(1, threadIndex + "ld.global.u32 %r3, [%rd3];");
  expectFinding(k.launch({}, {1}, {0}), FindingKind::outOfBounds, Status::illegalAddress);
}

TEST("a misaligned global store is found") {
  SmallKernel k(1, threadIndex + "st.global.u64 [%rd3], %rd1;");
  const LaunchResult result = k.launch({}, {32}, {k.buffer(1024)});
  expectFinding(result, FindingKind::misaligned, Status::misalignedAddress);
  CHECK_EQUAL(result.findings.front().lane, 1);
}

TEST("shared accesses are checked for bounds and alignment") {
  SmallKernel bounds(1, ".shared .b8 s[64];" + threadIndex +
                            "mov.u32 %r4, s; shl.b32 %r5, %r1, 2; add.s32 %r6, %r4, %r5; st.shared.u32 [%r6], %r1;");
  const LaunchResult beyond = bounds.launch({}, {32}, {0});
  expectFinding(beyond, FindingKind::outOfBounds, Status::illegalAddress);
  CHECK_EQUAL(beyond.findings.front().lane, 16);
  SmallKernel alignment(1, ".shared .b8 s[64];" + threadIndex + "mov.u32 %r4, s; st.shared.u32 [%r4+2], %r1;");
  expectFinding(alignment.launch({}, {1}, {0}), FindingKind::misaligned, Status::misalignedAddress);
}

TEST("a shared access just beyond the block's memory is found, although the driver keeps a region of its own there") {
  const std::string dynamic = ".extern .shared .align 16 .b8 s[];";
  const std::string body = threadIndex + "mov.u32 %r4, s; shl.b32 %r5, %r1, 2; add.s32 %r6, %r4, %r5;";
  for (const std::string access : {"st.shared.u32 [%r6+4], %r1;", "ld.shared.u32 %r7, [%r6+4];",
                                   "atom.shared.add.u32 %r7, [%r6+4], 1;"}) {
    SmallKernel k(1, body + access, dynamic);
    const LaunchResult result = k.launch({}, {32}, {0}, 128);
    expectFinding(result, FindingKind::outOfBounds, Status::illegalAddress);
    CHECK_EQUAL(result.findings.front().lane, 31);
    CHECK_EQUAL(result.findings.front().allocation, std::string("shared memory of the block, 128 bytes"));
  }
  // cooperative groups ask where the region is
  SmallKernel reserved(1, body + "mov.u32 %r8, %reserved_smem_offset_1; st.shared.u32 [%r8], 1;", dynamic);
  CHECK_EQUAL(reserved.launch({}, {1}, {0}, 128).report(), std::string());
  SmallKernel both(1, body + "mov.u32 %r8, %reserved_smem_offset_1; st.shared.u32 [%r6+4], %r1;", dynamic);
  expectFinding(both.launch({}, {32}, {0}, 128), FindingKind::outOfBounds, Status::illegalAddress);
}

TEST("a local access beyond the thread's memory is found") {
  SmallKernel k(1, ".local .align 4 .b8 l[16];" + threadIndex + "mov.u64 %rd5, l; st.local.u32 [%rd5+4096], %r1;");
  expectFinding(k.launch({}, {1}, {0}), FindingKind::outOfBounds, Status::illegalAddress);
  SmallKernel odd(1, ".local .align 4 .b8 l[16];" + threadIndex + "mov.u64 %rd5, l; st.local.u32 [%rd5+1], %r1;");
  expectFinding(odd.launch({}, {1}, {0}), FindingKind::misaligned, Status::misalignedAddress);
}

namespace {

/** Something depends on the register: only then is it a defect to read what nobody wrote. */
std::string decidedBy(const std::string& value) {
  return "setp.eq.u32 %p2, " + value + ", 77; @%p2 bra U" + value.substr(1) + "; U" + value.substr(1) + ":";
}

} // namespace

TEST("using global bytes nobody wrote is found, and their first byte named") {
  SmallKernel k(1, threadIndex + "ld.global.u32 %r3, [%rd3];" + decidedBy("%r3"));
  const DeviceAddress buffer = k.buffer(256, false);
  k.memory().markInitialised(buffer, 18);
  const LaunchResult result = k.launch({}, {32}, {buffer});
  expectFinding(result, FindingKind::uninitialisedRead, Status::launchFailed);
  CHECK_EQUAL(result.findings.front().address, buffer + 18);
  CHECK_EQUAL(result.findings.front().lane, 4);
}

TEST("bytes a pragma declares unused may be unwritten") {
  SmallKernel k(1, threadIndex + ".pragma \"used_bytes_mask 0xfff\";\nld.global.v4.u32 {%r3,%r4,%r5,%r6}, [%rd1];" +
                       decidedBy("%r5") + decidedBy("%r6"));
  const DeviceAddress buffer = k.buffer(16, false);
  k.memory().markInitialised(buffer, 12);
  CHECK_EQUAL(k.launch({}, {1}, {buffer}).report(), std::string());
}

TEST("using shared bytes nobody wrote is found") {
  SmallKernel k(1, ".shared .b8 s[128];" + threadIndex + "mov.u32 %r4, s; ld.shared.u32 %r5, [%r4];" +
                       decidedBy("%r5"));
  expectFinding(k.launch({}, {32}, {0}), FindingKind::uninitialisedRead, Status::launchFailed);
}

namespace {

/** Warp w writes word w; then, after `between`, warp w reads word 1-w. */
std::string exchange(const std::string& between) {
  return ".shared .align 4 .b8 s[8];" + threadIndex +
         "shr.u32 %r4, %r1, 5; shl.b32 %r5, %r4, 2; mov.u32 %r6, s; add.s32 %r7, %r6, %r5; st.shared.u32 [%r7], %r4;" +
         between + "xor.b32 %r8, %r5, 4; add.s32 %r9, %r6, %r8; ld.shared.u32 %r10, [%r9];" + decidedBy("%r10");
}

} // namespace

TEST("a missing barrier between warps is a shared race, and a barrier ends it") {
  SmallKernel racing(1, exchange(""));
  // the first warp reads before the second has written
  const LaunchResult result = racing.launch({}, {64}, {0});
  CHECK_EQUAL(result.findings.size(), std::size_t{2});
  expectFinding(result, FindingKind::uninitialisedRead, Status::launchFailed);
  CHECK(result.report().find("shared-memory race: warp 0 wrote the byte and no barrier came between") !=
        std::string::npos);
  SmallKernel ordered(1, exchange("bar.sync 0;"));
  CHECK_EQUAL(ordered.launch({}, {64}, {0}).report(), std::string());
}

TEST("overwriting what another warp still reads is a shared race") {
  const std::string body = exchange("bar.sync 0;") + "SYNC st.shared.u32 [%r7], %r10;";
  const auto with = [&](const std::string& sync) {
    std::string text = body;
    return text.replace(text.find("SYNC"), 4, sync);
  };
  SmallKernel racing(1, with(""));
  expectFinding(racing.launch({}, {64}, {0}), FindingKind::sharedRace, Status::launchFailed);
  SmallKernel ordered(1, with("bar.sync 0;"));
  CHECK_EQUAL(ordered.launch({}, {64}, {0}).report(), std::string());
}

TEST("atomics on shared memory do not race with each other, but with plain reads") {
  const std::string add = ".shared .align 4 .b8 s[4];" + threadIndex +
                          "mov.u32 %r6, s; setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [%r6], 0; bar.sync 0;"
                          "atom.shared.add.u32 %r7, [%r6], 1;";
  SmallKernel counting(1, add);
  CHECK_EQUAL(counting.launch({}, {128}, {0}).report(), std::string());
  SmallKernel reading(1, add + "ld.shared.u32 %r8, [%r6];" + decidedBy("%r8"));
  expectFinding(reading.launch({}, {128}, {0}), FindingKind::sharedRace, Status::launchFailed);
}

TEST("a barrier in divergent code is found") {
  SmallKernel k(1, threadIndex +
                       "setp.lt.u32 %p1, %r1, 16; @%p1 bra A; mov.u32 %r3, 1; bra.uni B;\nA: bar.sync 0;\nB: ret;");
  const LaunchResult result = k.launch({}, {32}, {0});
  // the lanes that skipped the barrier have exited, which releases the others: a device does the same
  CHECK_EQUAL(result.report(), std::string());
  SmallKernel two(1, threadIndex +
                         "setp.lt.u32 %p1, %r1, 16; @%p1 bra A; bar.sync 0; bra.uni B;\nA: bar.sync 0;\nB: ret;");
  expectFinding(two.launch({}, {32}, {0}), FindingKind::divergentBarrier, Status::launchFailed);
  SmallKernel guarded(1, threadIndex + "setp.lt.u32 %p1, %r1, 16; @%p1 bar.sync 0;");
  expectFinding(guarded.launch({}, {32}, {0}), FindingKind::divergentBarrier, Status::launchFailed);
}

TEST("a shuffle that names absent lanes is found") {
  SmallKernel k(1, threadIndex + "setp.lt.u32 %p1, %r1, 16; @!%p1 bra B; shfl.sync.bfly.b32 %r3, %r1, 1, 31, -1;\n"
                                 "B: bar.warp.sync -1; ret;");
  expectFinding(k.launch({}, {32}, {0}), FindingKind::divergentWarpSync, Status::launchFailed);
  SmallKernel unnamed(1, threadIndex + "shfl.sync.bfly.b32 %r3, %r1, 1, 31, 0xffff;");
  expectFinding(unnamed.launch({}, {32}, {0}), FindingKind::divergentWarpSync, Status::launchFailed);
}

TEST("a named barrier whose threads never all arrive is a deadlock") {
  SmallKernel k(1, threadIndex + "bar.sync 1, 64;");
  const LaunchResult result = k.launch({}, {32}, {0});
  expectFinding(result, FindingKind::deadlock, Status::launchTimeout);
  SmallKernel bad(1, threadIndex + "mov.u32 %r5, 16; barrier.sync %r5;");
  expectFinding(bad.launch({}, {32}, {0}), FindingKind::invalidBarrier, Status::illegalInstruction);
}

namespace {

std::string copyThenRead(const std::string& wait) {
  return ".shared .align 16 .b8 s[512];" + threadIndex +
         "mul.wide.u32 %rd4, %r1, 16; add.s64 %rd5, %rd1, %rd4; shl.b32 %r4, %r1, 4; mov.u32 %r5, s; add.s32 %r6, %r5, "
         "%r4;"
         "cp.async.cg.shared.global [%r6], [%rd5], 16; cp.async.commit_group;" +
         wait + "ld.shared.u32 %r7, [%r6]; st.global.u32 [%rd5], %r7;";
}

} // namespace

TEST("a missing cp.async wait is found, and the data read is old") {
  SmallKernel missing(1, copyThenRead(""));
  const DeviceAddress buffer = missing.buffer(512);
  expectFinding(missing.launch({}, {32}, {buffer}), FindingKind::pendingCopy, Status::launchFailed);
  CHECK_EQUAL(missing.read<std::uint32_t>(buffer, 1)[0], 0xcdcdcdcdu);
  SmallKernel tooFew(1, copyThenRead("cp.async.wait_group 1;"));
  expectFinding(tooFew.launch({}, {32}, {tooFew.buffer(512)}), FindingKind::pendingCopy, Status::launchFailed);
  SmallKernel waited(1, copyThenRead("cp.async.wait_group 0;"));
  CHECK_EQUAL(waited.launch({}, {32}, {waited.buffer(512)}).report(), std::string());
}

namespace {

std::string sparse(const std::string& variant, const std::string& metadata) {
  return threadIndex + "mov.b32 %r3, 0; mov.b32 %r4, " + metadata +
         "; mov.b32 %f1, 0f00000000;\nmma.sp" + variant +
         ".sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%f2,%f3,%f4,%f5}, {%r3,%r3,%r3,%r3}, {%r3,%r3,%r3,%r3}, "
         "{%f1,%f1,%f1,%f1}, %r4, 0x0;";
}

} // namespace

TEST("illegal and unordered sparse metadata are told apart") {
  SmallKernel zero(1, sparse("", "0"));
  const LaunchResult result = zero.launch({}, {32}, {0});
  expectFinding(result, FindingKind::invalidMetadata, Status::illegalInstruction);
  CHECK(result.findings.front().detail.find("indices 0 and 0") != std::string::npos);
  SmallKernel good(1, sparse("", "0x44444444"));
  CHECK_EQUAL(good.launch({}, {32}, {0}).report(), std::string());
  SmallKernel descending(1, sparse("", "0x11111111"));
  CHECK_EQUAL(descending.launch({}, {32}, {0}).report(), std::string());
  SmallKernel ordered(1, sparse("::ordered_metadata", "0x11111111"));
  expectFinding(ordered.launch({}, {32}, {0}), FindingKind::unorderedMetadata, Status::illegalInstruction);
}

TEST("a wrong parameter block and impossible shapes are refused with reasons") {
  SmallKernel k(2, threadIndex);
  expectFinding(k.launch({}, {32}, {0}), FindingKind::invalidLaunch, Status::invalidValue);
  expectFinding(k.launch({}, {2048}, {0, 0}), FindingKind::invalidLaunch, Status::invalidValue);
  expectFinding(k.launch({0}, {32}, {0, 0}), FindingKind::invalidLaunch, Status::invalidValue);
  expectFinding(k.launch({}, {32}, {0, 0}, 49 * 1024), FindingKind::invalidLaunch, Status::invalidValue);
  CHECK_EQUAL(k.launch({}, {32}, {0, 0}, 48 * 1024).report(), std::string());
}

TEST("trap, endless loops and endless recursion end the launch") {
  SmallKernel trap(1, threadIndex + "trap;");
  expectFinding(trap.launch({}, {32}, {0}), FindingKind::trapped, Status::launchFailed);
  Settings settings;
  settings.watchdog = 100000;
  SmallKernel loop(1, threadIndex + "setp.eq.u32 %p1, %r2, 3;\nL:\n@%p1 bra L;", {}, settings);
  const LaunchResult endless = loop.launch({5}, {64}, {0});
  expectFinding(endless, FindingKind::timeout, Status::launchTimeout);
  CHECK(endless.report().find("no block has ended during 100000 warp instructions") != std::string::npos);
  const Finding& place = endless.findings.front();
  CHECK_EQUAL(place.instruction, std::string("bra"));
  CHECK(place.block == (Position{3, 0, 0}));
  CHECK_EQUAL(place.line, loop.module().kernel("k")->info.line + 7);
  SmallKernel recursion(1, threadIndex + "call.uni f, ();", ".func f() { call.uni f, (); ret; }");
  expectFinding(recursion.launch({}, {32}, {0}), FindingKind::invalidCall, Status::hardwareStackError);
}

TEST("the watchdog waits for the next block to end, not for the launch, and is there without being asked for") {
  CHECK(Settings{}.watchdog > 0);
  Settings settings;
  settings.watchdog = 2000;
  settings.workers = 1;
  const std::string loop = "mov.u32 %r3, 0;\nL: add.u32 %r3, %r3, 1; setp.lt.u32 %p1, %r3, 200; @%p1 bra L;";
  SmallKernel k(1, threadIndex + loop, {}, settings);
  CHECK_EQUAL(k.launch({100}, {32}, {0}).report(), std::string()); // 600 instructions each
  CHECK_EQUAL(k.launch({100}, {96}, {0}).report(), std::string());
  expectFinding(k.launch({1}, {256}, {0}), FindingKind::timeout, Status::launchTimeout);
  settings.watchdog = 0;
  SmallKernel patient(1, threadIndex + loop, {}, settings);
  CHECK_EQUAL(patient.launch({1}, {256}, {0}).report(), std::string());
}

TEST("kernel parameters cannot be written and wild function pointers cannot be called") {
  SmallKernel k(1, threadIndex + "mov.b64 %rd4, p0; cvta.param.u64 %rd5, %rd4; st.u32 [%rd5], %r1;");
  expectFinding(k.launch({}, {1}, {0}), FindingKind::writeToConstant, Status::illegalAddress);
  SmallKernel call(1, threadIndex + "P: .callprototype _ ();\ncall %rd1, (), P;");
  expectFinding(call.launch({}, {1}, {1234}), FindingKind::invalidCall, Status::invalidProgramCounter);
}

TEST("the rows of a wmma matrix begin at multiples of 16 bytes, or of their own length") {
  const auto load = [](const std::string& address, const std::string& stride) {
    SmallKernel k(1, threadIndex + "wmma.load.a.sync.aligned.row.m16n16k16.global.f16 {%r4, %r5, %r6, %r7, %r8, %r9, "
                                   "%r10, %r11}, [" + address + "], " + stride + ";");
    return k.launch({}, {32}, {k.buffer(4096)});
  };
  CHECK_EQUAL(load("%rd1", "16").report(), std::string());
  CHECK_EQUAL(load("%rd1+16", "24").report(), std::string());
  expectFinding(load("%rd1+2", "16"), FindingKind::misaligned, Status::misalignedAddress);
  expectFinding(load("%rd1", "17"), FindingKind::misaligned, Status::misalignedAddress);
  SmallKernel bytes(1, threadIndex + "wmma.load.b.sync.aligned.row.m32n8k16.global.s8 {%r4}, [%rd1+8];");
  CHECK_EQUAL(bytes.launch({}, {32}, {bytes.buffer(4096)}).report(), std::string());
}

TEST("a finding names the line of the source that the text says it comes from") {
  const std::string files = ".file 1 \"/home/somebody/scale.cu\"\n.file 2 \"/usr/include/helper.h\", 1700000000, 55\n";
  const auto sourceOf = [&](const std::string& place) {
    SmallKernel k(1, threadIndex + place + "\nld.global.u32 %r3, [%rd3];\n.loc 1 99 1\nret;", files);
    const LaunchResult result = k.launch({}, {32}, {0});
    expectFinding(result, FindingKind::outOfBounds, Status::illegalAddress);
    return result.findings.front().source;
  };
  CHECK_EQUAL(sourceOf(".loc\t1 14 7"), std::string("scale.cu:14"));
  CHECK_EQUAL(sourceOf(".loc 1 12 0\n.loc 2 57 3, function_name $L__info_string0+25, inlined_at 1 14 7"),
              std::string("helper.h:57, inlined at scale.cu:14"));
  CHECK_EQUAL(sourceOf(".loc 1 14 7\n.loc 2 60 1, function_name $L__info_string0, inlined_at 1 14 7\n"
                       ".loc 2 57 3, function_name $L__info_string1+25, inlined_at 2 60 1"),
              std::string("helper.h:57, inlined at helper.h:60, inlined at scale.cu:14"));
  CHECK_EQUAL(sourceOf(""), std::string());
  CHECK_EQUAL(sourceOf(".loc 3 1 1"), std::string());
  SmallKernel k(1, threadIndex + ".loc 1 14 7\nld.global.u32 %r3, [%rd3];", files);
  CHECK(k.launch({}, {32}, {0}).report().find("(ld.global.u32), scale.cu:14, block") != std::string::npos);
}

} // namespace simgpu::testing
