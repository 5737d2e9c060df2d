// Reads of bytes nobody wrote, or of bytes another warp writes: a defect when the value matters, and only then.
#include "small_kernel.h"

#include <array>
#include <span>
#include <string>

namespace simgpu::testing {

namespace {

/** 32 words of shared memory of which nobody wrote any; %r4 is the address of the thread's. */
const std::string unwritten =
    ".shared .align 16 .b8 s[2048]; .reg .b16 %h<4>;" + threadIndex +
    "mov.u32 %r5, s; shl.b32 %r4, %r1, 2; add.s32 %r4, %r5, %r4;";

/** What a launch of 32 threads on a zeroed buffer of 4 KB finds, and whether it leaves what nobody wrote there. */
struct Run {
  LaunchResult result;
  bool keeps = false;
};

Run runAndLook(const std::string& body, std::uint32_t threads) {
  SmallKernel k(1, body);
  const DeviceAddress buffer = k.buffer(4096);
  LaunchResult result = k.launch({}, {threads}, {buffer});
  return {std::move(result), k.memory().firstUnwrittenValue(buffer, 4096) != 0};
}

LaunchResult run(const std::string& body, std::uint32_t threads = 32) { return runAndLook(body, threads).result; }

void expectSilence(const std::string& body, std::uint32_t threads = 32) {
  const Run run = runAndLook(body, threads);
  CHECK_EQUAL(run.result.report(), std::string());
  CHECK(!run.keeps);
}

/** The launch succeeds, and global memory knows that it holds a value that comes from bytes nobody wrote. */
void expectStored(const std::string& body, std::uint32_t threads = 32) {
  const Run run = runAndLook(body, threads);
  CHECK_EQUAL(run.result.findings.size(), std::size_t{1});
  CHECK(!run.result.findings.empty() && run.result.findings.front().kind == FindingKind::unwrittenStored);
  CHECK(run.result.status == Status::success);
  CHECK(run.keeps);
}

void expectKind(FindingKind kind, const std::string& body, std::uint32_t threads = 32) {
  const LaunchResult result = run(body, threads);
  CHECK_EQUAL(result.findings.size(), std::size_t{1});
  CHECK(!result.findings.empty() && result.findings.front().kind == kind);
}

} // namespace

TEST("a value nobody wrote may be read, computed with and dropped") {
  expectSilence(unwritten + "ld.shared.u32 %r6, [%r4]; add.s32 %r7, %r6, 1; mul.lo.s32 %r8, %r7, %r6;");
}

TEST("storing a value nobody wrote to global memory is noted, whatever was computed with it") {
  const LaunchResult result =
      run(unwritten + "ld.shared.u32 %r6, [%r4]; add.s32 %r7, %r6, 1;\nst.global.u32 [%rd3], %r7;");
  CHECK_EQUAL(result.findings.size(), std::size_t{1});
  const Finding& finding = result.findings.front();
  CHECK(finding.kind == FindingKind::unwrittenStored);
  CHECK(result.status == Status::success);
  CHECK_EQUAL(finding.instruction, std::string("ld.shared.u32"));
  CHECK(finding.detail.find("line " + std::to_string(finding.line + 1) + " (st.global.u32) stores its value") !=
        std::string::npos);
}

TEST("a value nobody wrote is found in an address, a branch, an atomic") {
  expectKind(FindingKind::uninitialisedRead,
             unwritten + "ld.shared.u32 %r6, [%r4]; and.b32 %r7, %r6, 4; cvt.u64.u32 %rd5, %r7;"
                         "add.s64 %rd6, %rd1, %rd5; ld.global.u32 %r8, [%rd6];");
  expectKind(FindingKind::uninitialisedRead,
             unwritten + "ld.shared.u32 %r6, [%r4]; setp.lt.s32 %p1, %r6, 0; @%p1 bra L;"
                         "st.global.u32 [%rd3], %r1;\nL: ret;");
  expectKind(FindingKind::uninitialisedRead, unwritten + "ld.shared.u32 %r6, [%r4]; red.global.add.u32 [%rd1], %r6;");
}

TEST("bits that are masked, shifted out or outvoted do not matter") {
  const std::string read = unwritten + "ld.shared.u32 %r6, [%r4];";
  const std::string half = unwritten + "cvt.u16.u32 %h1, %r1; st.shared.u16 [%r4+2], %h1; ld.shared.u32 %r6, [%r4];";
  expectSilence(read + "and.b32 %r7, %r6, 0; st.global.u32 [%rd3], %r7;");
  expectSilence(read + "or.b32 %r7, %r6, -1; st.global.u32 [%rd3], %r7;");
  expectStored(read + "or.b32 %r7, %r6, 0xffff; st.global.u32 [%rd3], %r7;");
  expectSilence(half + "shr.u32 %r7, %r6, 16; st.global.u32 [%rd3], %r7;");
  expectSilence(half + "shr.s32 %r7, %r6, 20; st.global.u32 [%rd3], %r7;");
  expectStored(half + "shr.u32 %r7, %r6, 15; st.global.u32 [%rd3], %r7;");
  expectStored(half + "shl.b32 %r7, %r6, 16; st.global.u32 [%rd3], %r7;");
  expectSilence(half + "shl.b32 %r7, %r6, 16; and.b32 %r7, %r7, 0xffff; st.global.u32 [%rd3], %r7;");
  // garbage or true is true
  const std::string vote = read + "setp.lt.s32 %p1, %r6, 5; setp.lt.u32 %p2, %r1, 100; or.pred %p3, %p1, %p2;";
  expectSilence(vote + "selp.u32 %r7, 3, 4, %p3; st.global.u32 [%rd3], %r7;");
  expectStored(vote + "and.pred %p3, %p1, %p2; selp.u32 %r7, 3, 4, %p3; st.global.u32 [%rd3], %r7;");
}

TEST("a selection takes only the chosen value") {
  const std::string read = unwritten + "ld.shared.u32 %r6, [%r4]; setp.lt.u32 %p1, %r1, 64;";
  expectSilence(read + "selp.b32 %r7, %r1, %r6, %p1; st.global.u32 [%rd3], %r7;");
  expectStored(read + "selp.b32 %r7, %r6, %r1, %p1; st.global.u32 [%rd3], %r7;");
}

TEST("a store of only the lanes with a good value is silent") {
  // lanes 0 to 15 write their words, all read them, and the shuffle brings lane 3's value to everyone
  const std::string half = unwritten + "setp.lt.u32 %p1, %r1, 16; @%p1 st.shared.u32 [%r4], %r1; bar.warp.sync -1;"
                                       "ld.shared.u32 %r6, [%r4];";
  expectSilence(half + "@%p1 st.global.u32 [%rd3], %r6;");
  expectSilence(half + "shfl.sync.idx.b32 %r7, %r6, 3, 31, -1; st.global.u32 [%rd3], %r7;");
  expectStored(half + "shfl.sync.idx.b32 %r7, %r6, 20, 31, -1; st.global.u32 [%rd3], %r7;");
  expectStored(half + "shfl.sync.bfly.b32 %r7, %r6, 16, 31, -1; @%p1 st.global.u32 [%rd3], %r7;");
}

TEST("the two halves of a packed register are values of their own") {
  const std::string packed = unwritten + "st.shared.u16 [%r4], %r1; bar.warp.sync -1; ld.shared.u32 %r6, [%r4];"
                                         "mov.b32 {%h1, %h2}, %r6; mov.b32 %r7, {%h1, %h1}; mov.b32 %r8, {%h2, %h1};";
  expectSilence(packed + "st.global.u32 [%rd3], %r7;");
  expectStored(packed + "st.global.u32 [%rd3], %r8;");
}

TEST("instructions that move bits move what nobody wrote with them, and the rest stays good") {
  // of each word the first byte is written, as of a structure that begins with a bool
  const std::string word = unwritten + ".reg .b16 %q<4>; st.shared.u8 [%r4], %r1; bar.warp.sync -1;"
                                       "ld.shared.u32 %r6, [%r4];";
  const auto decides = [](const std::string& value) {
    return "setp.eq.u32 %p1, " + value + ", 0x7654321; @%p1 trap;";
  };
  const std::string first[] = {
      "cvt.u16.u32 %q1, %r6; and.b16 %q1, %q1, 255; cvt.u32.u16 %r7, %q1;",
      "cvt.u32.u8 %r7, %r6;",
      "cvt.s32.s8 %r7, %r6;",
      "bfe.u32 %r7, %r6, 0, 8;",
      "bfe.s32 %r7, %r6, 2, 6;",
      "bfi.b32 %r7, %r6, 5, 3, 8; and.b32 %r7, %r7, 0xffffff;",
      "bfi.b32 %r7, 5, %r6, 8, 24;",
      "prmt.b32 %r7, %r6, 0, 0x4440;",
      "prmt.b32 %r7, 0, %r6, 0x0c00;",
  };
  for (const std::string& each : first) {
    expectSilence(word + each + decides("%r7"));
  }
  const std::string second[] = {
      "cvt.u32.u16 %r7, %r6;",
      "cvt.u16.u32 %q1, %r6; cvt.u32.u16 %r7, %q1;",
      "cvt.s32.s16 %r7, %r6;",
      "bfe.u32 %r7, %r6, 1, 8;",
      "bfe.s32 %r7, %r6, 30, 8;",
      "bfi.b32 %r7, %r6, 5, 3, 9;",
      "bfi.b32 %r7, 5, %r6, 8, 23;",
      "prmt.b32 %r7, %r6, 0, 0x4441;",
      "prmt.b32 %r7, 0, %r6, 0x0d00;",
      "mov.u32 %r8, 8; add.s32 %r8, %r8, %r6; bfe.u32 %r7, 12345, %r8, 8;",
  };
  for (const std::string& each : second) {
    expectKind(FindingKind::uninitialisedRead, word + each + decides("%r7"));
  }
}

TEST("a value nobody wrote stays one on its way through shared memory") {
  const std::string through = unwritten + "ld.shared.u32 %r6, [%r4]; st.shared.u32 [%r4+1024], %r6; bar.sync 0;"
                                          "ld.shared.u32 %r7, [%r4+1024];";
  expectSilence(through);
  expectStored(through + "st.global.u32 [%rd3], %r7;");
}

TEST("what is said of a suspect value that went through shared memory is where it began, and its kind stays") {
  const LaunchResult unread = run(unwritten + "\nld.shared.u32 %r6, [%r4];\nst.shared.u32 [%r4+1024], %r6; bar.sync 0;\n"
                                              "ld.shared.u32 %r7, [%r4+1024]; st.global.u32 [%rd3], %r7;");
  CHECK_EQUAL(unread.findings.size(), std::size_t{1});
  const Finding& stored = unread.findings.front();
  CHECK(stored.detail.find("it went through shared memory, where line " + std::to_string(stored.line + 2) +
                           " (ld.shared.u32) read it") != std::string::npos);
  // half of the warp has left: lanes 8 to 15 get what nobody gives, and one of them puts it into shared memory
  const std::string shuffled = unwritten + "setp.ge.u32 %p1, %r1, 16; @%p1 bra E; shfl.sync.down.b32 %r6, %r1, 8, 31, -1;\n"
                                           "setp.eq.u32 %p2, %r1, 12; @%p2 st.shared.u32 [s], %r6; bar.sync 0;\n"
                                           "ld.shared.u32 %r7, [s]; st.global.u32 [%rd3], %r7;\nE: exit;";
  const LaunchResult absent = run(shuffled);
  CHECK(!absent.findings.empty() && absent.findings.front().kind == FindingKind::divergentWarpSync);
  CHECK(!absent.findings.empty() && absent.findings.front().instruction == "shfl.sync.down.b32");
  // written over with something good it is good
  expectSilence(unwritten + "ld.shared.u32 %r6, [%r4]; st.shared.u32 [%r4+1024], %r6; bar.sync 0;\n"
                            "st.shared.u32 [%r4+1024], %r1; ld.shared.u32 %r7, [%r4+1024]; st.global.u32 [%rd3], %r7;");
}

TEST("a value nobody wrote stays one on its way through global memory, kernel by kernel") {
  const std::string entry = ".visible .entry ";
  const std::string use = "(.param .u64 p0) {" + threadIndex + "ld.global.u32 %r4, [%rd3];";
  SmallKernel k(1, unwritten + "ld.shared.u32 %r6, [%r4]; st.global.u32 [%rd3], %r6;",
                entry + "drop" + use + "add.u32 %r5, %r4, 1; }" + entry + "pass" + use +
                    "add.u32 %r5, %r4, 1; st.global.u32 [%rd3+128], %r5; }" + entry + "jump" + use +
                    "setp.eq.u32 %p1, %r4, 0; @%p1 bra L; bar.sync 0; L: ret; }" + entry + "add" + use +
                    "atom.global.add.u32 %r5, [%rd3], 1; }" + entry + "write" + use + "st.global.u32 [%rd3], %r1; }");
  const DeviceAddress buffer = k.buffer(256);
  const auto run = [&](const std::string& name, DeviceAddress at) {
    LaunchConfig config;
    config.block = {32};
    const std::array parameters{at};
    return k.engine().launch(*k.module().kernel(name), config, std::as_bytes(std::span(parameters)));
  };
  CHECK(run("k", buffer).status == Status::success);
  CHECK_EQUAL(run("drop", buffer).report(), std::string());
  CHECK(run("pass", buffer).status == Status::success);
  CHECK_EQUAL(k.memory().firstUnwrittenValue(buffer + 128, 128), buffer + 128);
  // the defect is in the first kernel, however far the value has come
  for (const std::string& name : {std::string("jump"), std::string("add")}) {
    const LaunchResult result = run(name, buffer + 128);
    expectFinding(result, FindingKind::uninitialisedRead, Status::launchFailed);
    CHECK_EQUAL(result.findings.front().kernel, std::string("k"));
    CHECK(result.findings.front().detail.find("of kernel " + name) != std::string::npos);
  }
  CHECK(run("write", buffer).status == Status::success);
  CHECK_EQUAL(k.memory().firstUnwrittenValue(buffer, 128), DeviceAddress{0});
  CHECK_EQUAL(run("jump", buffer).report(), std::string());
}

TEST("a copy carries values nobody wrote, a fill ends them") {
  SmallKernel k(1, unwritten + "ld.shared.u32 %r6, [%r4]; setp.eq.u32 %p1, %r1, 9; @%p1 st.global.u32 [%rd3], %r6;");
  const DeviceAddress from = k.buffer(128);
  const DeviceAddress to = k.buffer(128);
  CHECK(k.launch({}, {32}, {from}).status == Status::success);
  CHECK(k.memory().copyWithin(to, from, 128) == MemoryStatus::ok);
  CHECK_EQUAL(k.memory().firstUnwrittenValue(to, 128), to + 36);
  CHECK_EQUAL(k.memory().firstUnwrittenValue(to, 36), DeviceAddress{0});
  const Finding origin = k.memory().unwrittenValues().origin(*k.memory().initialisedShadow(to + 36));
  CHECK_EQUAL(origin.instruction, std::string("ld.shared.u32"));
  const std::uint32_t zero = 0;
  CHECK(k.memory().fill(to + 36, &zero, 4, 1) == MemoryStatus::ok);
  CHECK_EQUAL(k.memory().firstUnwrittenValue(to, 128), DeviceAddress{0});
}

namespace {

/** Rows 0 to 7 of a 16x16 tile are ones, rows 8 to 15 unwritten; D = A * 1. %r20..%r23 are D. */
const std::string halfTile =
    unwritten +
    "shl.b32 %r6, %r1, 3; add.s32 %r6, %r5, %r6; mov.u32 %r7, 0x3c003c00; st.shared.v2.u32 [%r6], {%r7, %r7};"
    "bar.warp.sync -1; and.b32 %r8, %r1, 15; shl.b32 %r8, %r8, 5; add.s32 %r8, %r5, %r8; shr.u32 %r9, %r1, 4;"
    "shl.b32 %r9, %r9, 4; add.s32 %r8, %r8, %r9;"
    "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r8]; mov.b32 %f1, 0f00000000;"
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f2, %f3, %f4, %f5}, {%r10, %r11, %r12, %r13}, {%r7, %r7},"
    "{%f1, %f1, %f1, %f1};";

} // namespace

TEST("rows of a product that come from unwritten rows matter only when they are stored") {
  expectSilence(halfTile + "st.global.f32 [%rd3], %f2; st.global.f32 [%rd3+128], %f3;");
  expectStored(halfTile + "st.global.f32 [%rd3], %f4;");
}

namespace {

/** Warp 1 overwrites the word that warp 0 reads; no barrier orders the two. */
std::string overwritten(const std::string& after) {
  return ".shared .align 4 .b8 s[4];" + threadIndex +
         "mov.u32 %r4, s; setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [%r4], 5; bar.sync 0; setp.lt.u32 %p2, %r1, 32;"
         "@!%p2 bra W; ld.shared.u32 %r5, [%r4]; bar.sync 0; " +
         after + " ret;\nW: st.shared.u32 [%r4], 7; bar.sync 0; ret;";
}

} // namespace

TEST("a word that another warp overwrites while it is read is a race if the value is used") {
  expectSilence(overwritten("mov.u32 %r6, 0;"), 64);
  expectKind(FindingKind::sharedRace, overwritten("st.global.u32 [%rd3], %r5;"), 64);
}

TEST("a branch that only chooses between values is no use of its condition") {
  // lanes 16 to 31 read words nobody wrote
  const std::string choose = unwritten + "setp.lt.u32 %p1, %r1, 16; @%p1 st.shared.u32 [%r4], %r1; bar.warp.sync -1;"
                                         "ld.shared.u32 %r6, [%r4]; setp.eq.u32 %p2, %r6, 3; mov.u32 %r7, 5;"
                                         "@%p2 bra J; add.u32 %r7, %r1, 1; ACTION\nJ:";
  const auto with = [&](const std::string& action, const std::string& after) {
    std::string text = choose + after;
    return text.replace(text.find("ACTION"), 6, action);
  };
  expectSilence(with("", "@%p1 st.global.u32 [%rd3], %r7;"));
  expectStored(with("", "st.global.u32 [%rd3], %r6;"));
  expectKind(FindingKind::uninitialisedRead, with("st.global.u32 [%rd3], %r1;", ""));
}

TEST("what such a branch chooses is suspect where its sides meet, not where their registers held something else") {
  // %rd6 ends in the first operation that the branch decides about, and %rd8 may take its place
  const std::string read = unwritten + "setp.lt.u32 %p1, %r1, 16; @%p1 st.shared.u32 [%r4], %r1; bar.warp.sync -1;"
                                       "ld.shared.u32 %r6, [%r4]; setp.eq.u32 %p2, %r6, 3; add.s64 %rd6, %rd3, 128;"
                                       "and.b64 %rd6, %rd6, -8; mov.u64 %rd8, 0;"
                           "@%p2 bra J; ld.global.u64 %rd8, [%rd6]; J: ";
  expectSilence(read + "mov.u64 %rd9, %rd8;");
  expectStored(read + "mul.wide.u32 %rd10, %r1, 8; add.s64 %rd10, %rd1, %rd10; st.global.u64 [%rd10], %rd8;");
}

TEST("warps that write the same value to a word do not race, those that write different ones do") {
  const std::string flag = ".shared .align 4 .b8 s[4];" + threadIndex + "shr.u32 %r3, %r1, 5; mov.u32 %r4, s;";
  expectSilence(flag + "mov.u32 %r5, 1; st.shared.u32 [%r4], %r5; bar.sync 0; ld.shared.u32 %r6, [%r4];"
                       "st.global.u32 [%rd3], %r6;",
                128);
  expectKind(FindingKind::sharedRace, flag + "st.shared.u32 [%r4], %r3; bar.sync 0;", 128);
}

TEST("a word of local memory that nobody wrote is found when it is used") {
  const std::string local = ".local .align 4 .b8 l[16];" + threadIndex + "mov.u64 %rd5, l; st.local.u32 [%rd5], %r1;";
  expectSilence(local + "ld.local.u32 %r6, [%rd5+4]; ld.local.u32 %r7, [%rd5]; st.global.u32 [%rd3], %r7;");
  expectStored(local + "ld.local.u32 %r6, [%rd5+4]; st.global.u32 [%rd3], %r6;");
}

TEST("a suspect value that went through local memory is found where it was first read") {
  const std::string spill = ".local .align 8 .b8 l[16]; mov.u64 %rd5, l;\n";
  const std::string reload = "\nst.local.u32 [%rd5+4], %r6; st.local.u32 [%rd5], %r1; ld.local.u64 %rd6, [%rd5];"
                             "shr.u64 %rd7, %rd6, 32; cvt.u32.u64 %r7, %rd7;\n";
  const LaunchResult unread =
      run(unwritten + spill + "ld.shared.u32 %r6, [%r4];" + reload + "st.global.u32 [%rd3], %r7;");
  CHECK_EQUAL(unread.findings.size(), std::size_t{1});
  CHECK(unread.findings.front().kind == FindingKind::unwrittenStored);
  CHECK_EQUAL(unread.findings.front().instruction, std::string("ld.shared.u32"));
  expectSilence(unwritten + spill + "ld.shared.u32 %r6, [%r4];" + reload + "st.global.u64 [%rd1], 7;", 1);
  // a race stays one
  const LaunchResult race = run(".shared .align 4 .b8 s[512];" + threadIndex + spill +
                                    "mov.u32 %r5, s; shl.b32 %r4, %r1, 2; add.s32 %r4, %r5, %r4;"
                                    "st.shared.u32 [%r4], %r1; xor.b32 %r8, %r1, 32; shl.b32 %r8, %r8, 2;"
                                    "add.s32 %r8, %r5, %r8; ld.shared.u32 %r6, [%r8];" +
                                    reload + "st.global.u32 [%rd3], %r7;",
                                64);
  expectFinding(race, FindingKind::sharedRace, Status::launchFailed);
  CHECK_EQUAL(race.findings.front().instruction, std::string("ld.shared.u32"));
}

TEST("a bit field of a local structure is written bit by bit") {
  const std::string field = ".local .align 4 .b8 l[16];" + threadIndex +
                            ".reg .b16 %h<8>; mov.u64 %rd5, l; ld.local.u8 %h1, [%rd5]; and.b16 %h2, %h1, -2;"
                            "or.b16 %h3, %h2, 1; st.local.u8 [%rd5], %h3;";
  const std::string test = "setp.eq.u16 %p1, %h4, 1; @%p1 st.global.u32 [%rd3], %r1;";
  expectSilence(field + "ld.local.u8 %h5, [%rd5]; and.b16 %h4, %h5, 1;" + test);
  expectSilence(".local .align 4 .b8 l[16];" + threadIndex +
                ".reg .b16 %h<8>; mov.u64 %rd5, l; ld.local.u8 %h1, [%rd5]; and.b16 %h2, %h1, -2;"
                "st.local.u8 [%rd5], %h2; ld.local.u8 %h5, [%rd5]; and.b16 %h4, %h5, 1;" +
                test);
  // what is not masked is still unwritten, and so is what never went through memory
  expectKind(FindingKind::uninitialisedRead, field + "ld.local.u8 %h4, [%rd5+1];" + test);
  expectKind(FindingKind::uninitialisedRead, field + "mov.u16 %h4, %h3;" + test);
}

namespace {

/** Lanes 0 to 15 shuffle among themselves; lane L takes the value of the lane that `source` says. */
std::string halfShuffle(const std::string& source, const std::string& use) {
  return threadIndex + "setp.lt.u32 %p1, %r1, 16; @!%p1 bra J;" + source +
         "shfl.sync.idx.b32 %r5, %r1, %r4, 31, 0xffff;" + use + "\nJ: bar.warp.sync -1; st.global.u32 [%rd3+128], 1;";
}

} // namespace

TEST("a shuffle from a lane that is not there, or not named, is found where its value matters") {
  const std::string store = "st.global.u32 [%rd3], %r5;";
  const LaunchResult result = run(halfShuffle("add.u32 %r4, %r1, 1;", store));
  expectFinding(result, FindingKind::divergentWarpSync, Status::launchFailed);
  CHECK_EQUAL(result.findings.front().lane, 15);
  CHECK_EQUAL(result.findings.front().instruction, std::string("shfl.sync.idx.b32"));
  CHECK(result.findings.front().detail.find("the value comes from lane 16, which is not in the membermask") == 0);
  expectSilence(halfShuffle("add.u32 %r4, %r1, 1;", "mov.u32 %r6, %r5;"));
  expectSilence(halfShuffle("add.u32 %r4, %r1, 1;", "setp.lt.u32 %p2, %r1, 15; selp.b32 %r5, %r5, 0, %p2;" + store));
  expectSilence(halfShuffle("xor.b32 %r4, %r1, 1;", store));
  // lanes 16 to 31 have exited
  const std::string gone = threadIndex + "setp.ge.u32 %p1, %r1, 16; @%p1 exit; shfl.sync.down.b32 %r5, %r1, 1, 31, -1;";
  expectKind(FindingKind::divergentWarpSync, gone + store);
  expectSilence(gone + "setp.lt.u32 %p2, %r1, 15; @%p2 st.global.u32 [%rd3], %r5;");
}

} // namespace simgpu::testing
