// Chains of sums and differences with carries, in hand-written PTX.
#include "small_kernel.h"

namespace simgpu::testing {

namespace {

/** The words that 32 threads store, each from its %r10. */
std::vector<std::uint32_t> results(const std::string& body) {
  SmallKernel k(1, threadIndex + body + "st.global.u32 [%rd3], %r10;");
  const DeviceAddress buffer = k.buffer(128);
  CHECK_EQUAL(k.launch({}, {32}, {buffer}).report(), std::string());
  return k.read<std::uint32_t>(buffer, 32);
}

} // namespace

TEST("a difference leaves the carry of a + ~b + 1, which addc can see") {
  // nvcc's division of 128-bit integers asks so whether a difference of several words went below zero
  const auto words = results("sub.cc.u32 %r4, %r1, 16; addc.u32 %r10, 0, 0;");
  const auto wide = results("cvt.u64.u32 %rd5, %r1; sub.cc.u64 %rd6, %rd5, 16; addc.u32 %r10, 0, 0;");
  for (std::uint32_t thread = 0; thread < 32; thread++) {
    CHECK_EQUAL(words[thread], thread >= 16 ? 1u : 0u);
    CHECK_EQUAL(wide[thread], thread >= 16 ? 1u : 0u);
  }
}

TEST("differences and sums of several words borrow and carry") {
  // (thread << 32) - 1 - (16 << 32), its high word; then 16 << 32 and 1 added again
  const auto high = results("mov.u32 %r5, 0; sub.cc.u32 %r4, %r5, 1; subc.u32 %r10, %r1, 16;");
  const auto low = results("mov.u32 %r5, 0; sub.cc.u32 %r4, %r5, 1; subc.cc.u32 %r6, %r1, 16; subc.u32 %r7, %r5, 0;"
                           "add.cc.u32 %r4, %r4, 1; addc.cc.u32 %r6, %r6, 16; addc.u32 %r7, %r7, 0;"
                           "shl.b32 %r7, %r7, 8; or.b32 %r10, %r6, %r7; or.b32 %r10, %r10, %r4;");
  const auto lost = results("mov.u32 %r5, 0; sub.cc.u32 %r4, %r1, 16; subc.u32 %r10, %r5, %r5;");
  for (std::uint32_t thread = 0; thread < 32; thread++) {
    CHECK_EQUAL(high[thread], thread - 17);
    CHECK_EQUAL(low[thread], thread);
    CHECK_EQUAL(lost[thread], thread >= 16 ? 0u : ~0u);
  }
}

} // namespace simgpu::testing
