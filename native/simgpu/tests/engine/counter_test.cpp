#include "count/projection.h"
#include "small_kernel.h"

#include <array>

namespace simgpu::testing {

namespace {

Settings counting() {
  Settings settings;
  settings.countTraffic = true;
  return settings;
}

std::uint64_t count(const LaunchResult& result, InstructionClass instructionClass) {
  return result.counters.warpInstructions[static_cast<std::size_t>(instructionClass)];
}

const std::string indices = ".reg .b32 %r<20>; .reg .b64 %rd<20>; .reg .pred %p<8>;\n"
                            "mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [p0];\n";

} // namespace

TEST("a coalesced load of a warp is one request of four sectors, a strided one of thirty-two") {
  SmallKernel near(1, indices + "mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2; ld.global.u32 %r2, [%rd3];", {},
                   counting());
  const LaunchResult coalesced = near.launch({}, {64}, {near.buffer(4096)});
  CHECK_EQUAL(coalesced.counters.globalRequests, 2u);
  CHECK_EQUAL(coalesced.counters.globalSectors, 8u);
  CHECK_EQUAL(coalesced.counters.uniqueBytesRead, 256u);
  CHECK_EQUAL(coalesced.counters.uniqueBytesWritten, 0u);
  SmallKernel far(1, indices + "mul.wide.u32 %rd2, %r1, 128; add.s64 %rd3, %rd1, %rd2; ld.global.u32 %r2, [%rd3];", {},
                  counting());
  const LaunchResult strided = far.launch({}, {32}, {far.buffer(4096)});
  CHECK_EQUAL(strided.counters.globalSectors, 32u);
  CHECK_EQUAL(count(strided, InstructionClass::globalLoad), 1u);
}

TEST("bytes read by two blocks are unique once") {
  SmallKernel k(1, indices + "ld.global.u32 %r2, [%rd1]; st.global.u32 [%rd1+64], %r1;", {}, counting());
  const LaunchResult result = k.launch({4}, {1}, {k.buffer(128)});
  CHECK_EQUAL(result.counters.globalRequests, 8u);
  CHECK_EQUAL(result.counters.uniqueBytesRead, 32u);
  CHECK_EQUAL(result.counters.uniqueBytesWritten, 32u);
}

TEST("bank conflicts multiply the wavefronts of a shared request") {
  const auto wavefronts = [](int stride) {
    SmallKernel k(1, ".shared .align 16 .b8 s[8192];" + indices + "mul.lo.u32 %r2, %r1, " + std::to_string(stride) +
                         "; mov.u32 %r3, s; add.u32 %r4, %r3, %r2; st.shared.u32 [%r4], %r1;",
                  {}, counting());
    return k.launch({}, {32}, {0}).counters.sharedWavefronts;
  };
  CHECK_EQUAL(wavefronts(4), 1u);
  CHECK_EQUAL(wavefronts(8), 2u);
  CHECK_EQUAL(wavefronts(128), 32u);
  CHECK_EQUAL(wavefronts(0), 1u);
  CHECK_EQUAL(wavefronts(132), 1u);
}

TEST("divergent branches and barriers are counted") {
  SmallKernel k(1, indices + "setp.lt.u32 %p1, %r1, 5; @%p1 bra A; add.u32 %r2, %r1, 1;\nA: bar.sync 0;", {},
                counting());
  const LaunchResult result = k.launch({3}, {64}, {0});
  CHECK_EQUAL(result.report(), std::string());
  CHECK_EQUAL(result.counters.branches, 6u);
  CHECK_EQUAL(result.counters.divergentBranches, 3u);
  CHECK_EQUAL(result.counters.barriers, 6u);
  CHECK_EQUAL(result.counters.blocks, 3u);
  CHECK_EQUAL(result.counters.warps, 6u);
}

TEST("a projection names the resource that takes longest, and says what it is") {
  Counters counters;
  counters.uniqueBytesRead = 1555000000; // a millisecond of A100 memory traffic
  counters.warps = 1000;
  const DevicePeaks& a100 = publishedPeaks()[0];
  const LaunchShape shape{1000, 4, 8};
  const Projection memory = project(counters, shape, a100);
  CHECK_EQUAL(std::string(limitingResourceName(memory.limit)), std::string("DRAM"));
  CHECK(memory.total > 1e-3 && memory.total < 1.01e-3);
  // 312 TFLOP/s dense fp16: 2 * multiply-adds / 312e12
  counters.tensorMultiplyAdds[static_cast<std::size_t>(TensorType::f16f32)] = 312000000000 * 5;
  const Projection tensor = project(counters, {108000, 4, 2}, a100);
  CHECK_EQUAL(std::string(limitingResourceName(tensor.limit)), std::string("tensor"));
  CHECK(tensor.total > 9.9e-3 && tensor.total < 10.1e-3);
  const Projection nothing = project(Counters{}, {1, 1, 1}, a100);
  CHECK_EQUAL(std::string(limitingResourceName(nothing.limit)), std::string("launch"));
  const std::array projections{memory, tensor};
  CHECK(projectionTable("k", projections).starts_with("projected, not measured: k"));
  CHECK(projectionJson("k", projections)
            .starts_with("{\"kernel\": \"k\", \"kind\": \"projection\", \"devices\": [{\"device\": \"A100\""));
}

} // namespace simgpu::testing
