// Races between blocks in global memory, and between the lanes of a warp in shared memory.
#include "small_kernel.h"

namespace simgpu::testing {

TEST("two blocks that write different values to a word race; equal values and atomics do not") {
  SmallKernel racing(1, threadIndex + "st.global.u32 [%rd3], %r2;");
  const LaunchResult result = racing.launch({2}, {32}, {racing.buffer(128)});
  expectFinding(result, FindingKind::blockRace, Status::launchFailed);
  SmallKernel equal(1, threadIndex + "st.global.u32 [%rd3], %r1;");
  CHECK_EQUAL(equal.launch({2}, {32}, {equal.buffer(128)}).report(), std::string());
  SmallKernel atomic(1, threadIndex + "red.global.add.u32 [%rd3], %r2;");
  CHECK_EQUAL(atomic.launch({2}, {32}, {atomic.buffer(128)}).report(), std::string());
}

TEST("neighbouring bytes written by different blocks do not race") {
  SmallKernel k(1, threadIndex + "cvt.u64.u32 %rd4, %r2; add.s64 %rd5, %rd1, %rd4; st.global.u8 [%rd5], %r2;");
  CHECK_EQUAL(k.launch({64}, {1}, {k.buffer(64)}).report(), std::string());
}

namespace {

/** Block 0 writes p0[0], block 1 waits for it at p0[1] and writes p0[0] too; the fences of either are left to say. */
std::string handOver(const std::string& writersFence, const std::string& readersFence) {
  return threadIndex + "setp.eq.u32 %p1, %r2, 1; @%p1 bra second; st.global.u32 [%rd1], 5;" + writersFence +
         "st.volatile.global.u32 [%rd1+4], 1; ret;\nsecond: ld.volatile.global.u32 %r3, [%rd1+4]; setp.eq.u32 %p2, "
         "%r3, 0;"
         "@%p2 bra second;" +
         readersFence + "st.global.u32 [%rd1], 6;";
}

} // namespace

TEST("a word handed over between fences of both blocks does not race; without either fence it does") {
  SmallKernel fenced(1, handOver("membar.gl;", "membar.gl;"));
  CHECK_EQUAL(fenced.launch({2}, {1}, {fenced.buffer(8)}).report(), std::string());
  SmallKernel writer(1, handOver("membar.gl;", ""));
  expectFinding(writer.launch({2}, {1}, {writer.buffer(8)}), FindingKind::blockRace, Status::launchFailed);
  // the fences of the second block alone do not order what the first one wrote
  SmallKernel reader(1, handOver("", "membar.gl; membar.gl;"));
  expectFinding(reader.launch({2}, {1}, {reader.buffer(8)}), FindingKind::blockRace, Status::launchFailed);
}

namespace {

/** The word `value` decides something: only then is it a defect that it is not defined. */
std::string use(const std::string& value) {
  return "setp.eq.u32 %p7, " + value + ", 77; @%p7 bra used; used: st.global.u32 [%rd3], 1;";
}

const std::string sharedWords = ".shared .align 16 .b8 s[512];" + threadIndex +
                                "mov.u32 %r4, s; shl.b32 %r5, %r1, 2; add.s32 %r6, %r4, %r5;"
                                "xor.b32 %r7, %r5, 4; add.s32 %r7, %r4, %r7; setp.eq.u32 %p1, %r1, 0;";

void expectRace(const std::string& body, const std::string& detail) {
  SmallKernel k(1, sharedWords + body);
  const LaunchResult result = k.launch({}, {32}, {k.buffer(128)});
  expectFinding(result, FindingKind::sharedRace, Status::launchFailed);
  if (result.report().find(detail) == std::string::npos) {
    fail(__FILE__, __LINE__, "no '" + detail + "' in " + result.report());
  }
}

void expectClean(const std::string& body) {
  SmallKernel k(1, sharedWords + body);
  CHECK_EQUAL(k.launch({}, {32}, {k.buffer(128)}).report(), std::string());
}

} // namespace

TEST("lanes that write different values to a word in one instruction race when it is used") {
  const std::string write = "st.shared.u32 [%r4], %r1; bar.warp.sync -1; ld.shared.u32 %r8, [%r4];";
  expectRace(write + use("%r8"), "lanes 0 and 1 of warp 0 wrote different values in one instruction");
  expectClean(write);                                                                           // nobody uses it
  expectClean("st.shared.u32 [%r4], 7; bar.warp.sync -1; ld.shared.u32 %r8, [%r4];" + use("%r8")); // equal values
  expectClean("st.volatile.shared.u32 [%r4], %r1; bar.warp.sync -1; ld.volatile.shared.u32 %r8, [%r4];" + use("%r8"));
  expectClean("st.shared.u32 [%r4], %r1; @%p1 st.shared.u32 [%r4], 5; bar.warp.sync -1; ld.shared.u32 %r8, [%r4];" +
              use("%r8")); // settled before it is used
  // halves of a wide store that meet the next lane's
  expectRace(
      "shl.b32 %r9, %r1, 3; add.s32 %r9, %r4, %r9; and.b32 %r9, %r9, 0xfffffff0; st.shared.v2.u32 [%r9], {%r1, 3};"
      "bar.warp.sync -1; ld.shared.u32 %r8, [%r4+16];" +
          use("%r8"),
      "lanes 2 and 3 of warp 0");
}

TEST("a lane that uses what another wrote in divergent code must meet it first") {
  const std::string divergent = "@!%p1 bra J; st.shared.u32 [%r4], 9; J: ";
  const std::string guarded = "@%p1 st.shared.u32 [%r4], 9;";
  const std::string read = "ld.shared.u32 %r8, [%r4];";
  expectRace(divergent + read + use("%r8"),
             "lane 0 of this warp wrote the byte in line 10 and no __syncwarp came between");
  expectRace(guarded + read + use("%r8"), "lane 0 of this warp wrote the byte");
  for (const std::string meeting : {"bar.warp.sync -1;", "bar.sync 0;", "shfl.sync.idx.b32 %r9, %r1, 0, 31, -1;",
                                    "vote.sync.ballot.b32 %r9, %p1, -1;", "membar.cta;"}) {
    expectClean(divergent + meeting + read + use("%r8"));
  }
  expectClean(guarded + read); // read and dropped
  // half a warp meets: the other half still has not
  expectRace(guarded + "setp.lt.u32 %p2, %r1, 16; @!%p2 bra H; bar.warp.sync 0xffff; H: " + read + use("%r8"),
             "lane 0 of this warp wrote the byte");
  expectClean(guarded + "setp.lt.u32 %p2, %r1, 16; @!%p2 bra E; bar.warp.sync 0xffff;" + read +
              "setp.eq.u32 %p7, %r8, 77; @%p7 bra E; E: ret;");
}

TEST("lanes in lock step exchange words in order") {
  expectClean("st.shared.u32 [%r6], %r1; ld.shared.u32 %r8, [%r7];" + use("%r8"));
  // some lanes write, then all of them: what is read is the later write
  expectClean("@%p1 st.shared.u32 [%r4+4], 9; st.shared.u32 [%r6], %r1; ld.shared.u32 %r8, [%r7];" + use("%r8"));
  // the same lanes read what they wrote
  expectClean("setp.lt.u32 %p2, %r1, 16; @!%p2 bra E; st.shared.u32 [%r6], %r1; ld.shared.u32 %r8, [%r7];"
              "setp.eq.u32 %p7, %r8, 77; @%p7 bra E; E: ret;");
}

TEST("without lock step a lane must have met the one whose word it uses, or writes over") {
  const auto launch = [](const std::string& body) {
    Settings settings;
    settings.lockStep = false;
    SmallKernel k(1, sharedWords + body, {}, settings);
    return k.launch({}, {32}, {k.buffer(128)});
  };
  const std::string write = "st.shared.u32 [%r6], %r1;";
  const std::string read = "ld.shared.u32 %r8, [%r7];" + use("%r8");
  const LaunchResult race = launch(write + read);
  expectFinding(race, FindingKind::sharedRace, Status::launchFailed);
  CHECK_EQUAL(race.findings.front().instruction, std::string("ld.shared.u32"));
  CHECK(race.findings.front().detail.find("lane 1 of this warp wrote the byte in line 10 and no __syncwarp") == 0);
  CHECK_EQUAL(launch(write + "bar.warp.sync -1;" + read).report(), std::string());
  CHECK_EQUAL(launch(write + "ld.shared.u32 %r8, [%r6];" + use("%r8")).report(), std::string()); // its own word
  // pairs of lanes meet: that is enough for the neighbour's word, not for the one after it
  const std::string pairs = write + "and.b32 %r9, %r1, 30; mov.u32 %r10, 3; shl.b32 %r10, %r10, %r9;"
                                    "bar.warp.sync %r10;";
  CHECK_EQUAL(launch(pairs + read).report(), std::string());
  expectFinding(launch(pairs + "xor.b32 %r7, %r5, 8; add.s32 %r7, %r4, %r7;" + read), FindingKind::sharedRace,
                Status::launchFailed);
  // many other writes lie between, as where a lane fills its row of a tile
  std::string others;
  for (int i = 0; i < 40; i++) {
    others += "st.shared.u32 [%r6+" + std::to_string(128 + 4 * (i % 3)) + "], %r2;";
  }
  expectFinding(launch(write + others + read), FindingKind::sharedRace, Status::launchFailed);
  CHECK_EQUAL(launch(write + "bar.warp.sync -1;" + others + read).report(), std::string());
  const std::string over = "st.shared.u32 [%r7], %r2;";
  expectFinding(launch(write + over + "bar.warp.sync -1;" + read), FindingKind::sharedRace, Status::launchFailed);
  CHECK_EQUAL(launch(write + "bar.warp.sync -1;" + over + "bar.warp.sync -1;" + read).report(), std::string());
}

TEST("two paths of a warp that write a word differently leave it undefined") {
  const std::string paths = "@!%p1 bra B; st.shared.u32 [%r4], 1; bra.uni J; B: setp.eq.u32 %p2, %r1, 1;"
                            "@%p2 st.shared.u32 [%r4], ";
  const std::string rest = "; J: bar.warp.sync -1; ld.shared.u32 %r8, [%r4];";
  expectRace(paths + "2" + rest + use("%r8"), "wrote different values and did not synchronise between");
  expectClean(paths + "1" + rest + use("%r8"));
}

TEST("a lane that overwrites what another reads in divergent code must meet it first") {
  const std::string start = "st.shared.u32 [%r6], %r1; bar.warp.sync -1; setp.lt.u32 %p2, %r1, 16;";
  // the lower half reads word 0, the upper half writes it: on the other path, or under the opposite guard
  const std::string paths = start + "@!%p2 bra B; ld.shared.u32 %r8, [%r4]; bra.uni J; B: ";
  const std::string write = "st.shared.u32 [%r4], 9; J: ";
  expectRace(paths + write + "@%p2 st.global.u32 [%rd3], %r8;", "lane 0 of this warp read the byte in line 10");
  expectRace(start + "@%p2 ld.shared.u32 %r8, [%r4]; @!%p2 st.shared.u32 [%r4], 9; @%p2 st.global.u32 [%rd3], %r8;",
             "and no __syncwarp came between");
  // used before it is overwritten, which may have come first on a device
  expectRace(start + "@%p2 ld.shared.u32 %r8, [%r4]; @%p2 st.global.u32 [%rd3], %r8; @!%p2 st.shared.u32 [%r4], 9;",
             "lane 0 of this warp read the byte");
  expectClean(paths + write); // read and dropped
  expectClean(start + "@%p2 ld.shared.u32 %r8, [%r4]; bar.warp.sync -1; @!%p2 st.shared.u32 [%r4], 9;"
                      "@%p2 st.global.u32 [%rd3], %r8;");
  expectClean(paths + "bar.warp.sync 0xffff0000; st.shared.u32 [%r4], 0; J: @%p2 st.global.u32 [%rd3], %r8;"); // equal
  // all lanes read together, or the readers are among the writers: lock step
  expectClean(start + "ld.shared.u32 %r8, [%r4]; @!%p2 st.shared.u32 [%r4], 9; st.global.u32 [%rd3], %r8;");
  expectClean(start + "@%p2 ld.shared.u32 %r8, [%r4]; st.shared.u32 [%r4], 9; @%p2 st.global.u32 [%rd3], %r8;");
}

TEST("a compare-and-swap loop may begin with a plain read of its word; what it read may not be used otherwise") {
  const std::string begin = ".shared .align 4 .b32 s[4];" + threadIndex +
                            "setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.v4.b32 [s], {%r2, %r2, %r2, %r2}; bar.sync 0;\n"
                            "ld.shared.u32 %r4, [s];\n";
  const std::string loop = "L: mov.u32 %r5, %r4; add.u32 %r6, %r5, 3; atom.shared.cas.b32 %r4, [s], %r5, %r6;\n"
                           "setp.ne.u32 %p2, %r4, %r5; @%p2 bra L; bar.sync 0;\n";
  const std::string end = "ld.shared.u32 %r7, [s]; @%p1 st.global.u32 [%rd1], %r7;";
  // the same with the value of the read in local memory, as unoptimised code has it
  const std::string spilled = "L: st.local.u32 [l], %r4; ld.local.u32 %r5, [l]; add.u32 %r6, %r5, 3;\n"
                              "atom.shared.cas.b32 %r4, [s], %r5, %r6; ld.local.u32 %r8, [l];\n"
                              "setp.ne.u32 %p2, %r4, %r8; @%p2 bra L; bar.sync 0;\n";
  const auto run = [&](const std::string& body) {
    SmallKernel k(1, ".local .align 4 .b32 l;" + body);
    const DeviceAddress buffer = k.buffer(4);
    LaunchResult result = k.launch({}, {128}, {buffer});
    return std::pair(std::move(result), k.read<std::uint32_t>(buffer, 1)[0]);
  };
  for (const std::string& body : {loop, spilled}) {
    const auto [result, sum] = run(begin + body + end);
    CHECK_EQUAL(result.report(), std::string());
    CHECK_EQUAL(sum, 384u);
  }
  expectFinding(run(begin + "setp.gt.u32 %p3, %r4, 30; @%p3 bra M;\n" + loop + end + "\nM: ret;").first,
                FindingKind::sharedRace, Status::launchFailed);
  expectFinding(run(begin + "atom.global.cas.b32 %r9, [%rd1], %r4, 7;\n" + loop + end).first, FindingKind::sharedRace,
                Status::launchFailed);
}

} // namespace simgpu::testing
