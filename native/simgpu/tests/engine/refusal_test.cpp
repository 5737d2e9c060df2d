// Legal instructions that are not simulated: the kernels that have them are refused, and the rest of their module runs.
#include "small_kernel.h"

namespace simgpu::testing {

namespace {

/** Gives up, whatever it is asked: a function of the device runtime, which is not simulated. */
const std::string runtime = ".extern .func (.param .b32 r) cudaDeviceSynchronize;\n";
const std::string callRuntime = "{ .param .b32 r; call.uni (r), cudaDeviceSynchronize, (); }\n";

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST("a kernel with an instruction that is not simulated is refused by name and line, and others of its module run") {
  SmallKernel k(1, threadIndex + "st.global.u32 [%rd3], %r1;",
                runtime + ".visible .entry other()\n{\n" + callRuntime + "ret;\n}\n");
  const DeviceAddress words = k.buffer(4 * 32);
  CHECK_EQUAL(k.launch({}, {32}, {words}).report(), std::string());
  CHECK_EQUAL(k.read<std::uint32_t>(words, 32)[31], 31u);
  const LaunchResult refused = k.engine().launch(*k.module().kernel("other"), {{}, {32}, 0, false, 0, nullptr}, {});
  expectFinding(refused, FindingKind::invalidLaunch, Status::notSupported);
  CHECK(contains(refused.report(), "line 7: call.uni: function 'cudaDeviceSynchronize' of the device runtime"));
  CHECK(contains(refused.report(), "in kernel other"));
}

TEST("a kernel is refused for a function that it calls, through others too") {
  const std::string functions = runtime + ".func inner() {\n" + callRuntime + "ret;\n}\n" +
                                ".func outer() { call.uni inner, (); ret; }\n.func harmless() { ret; }\n";
  SmallKernel guilty(1, threadIndex + "call.uni harmless, (); call.uni outer, ();", functions);
  expectFinding(guilty.launch({}, {32}, {0}), FindingKind::invalidLaunch, Status::notSupported);
  SmallKernel innocent(1, threadIndex + "call.uni harmless, ();", functions);
  CHECK_EQUAL(innocent.launch({}, {32}, {0}).report(), std::string());
}

TEST("a function with such an instruction that is called through a pointer ends the launch where it is reached") {
  const std::string functions = runtime + ".func inner() {\n" + callRuntime + "ret;\n}\n";
  const auto calling = [&](const std::string& guard) {
    SmallKernel k(1, threadIndex + "setp.eq.u32 %p1, %r1, 99; mov.u64 %rd4, inner; P: .callprototype _ ();\n" + guard +
                         " call %rd4, (), P;", functions);
    return k.launch({}, {32}, {0});
  };
  CHECK_EQUAL(calling("@%p1").report(), std::string());
  expectFinding(calling("@!%p1"), FindingKind::invalidLaunch, Status::notSupported);
}

TEST("what is not PTX at all is still refused with its module") {
  const auto refused = [](const std::string& body) {
    try {
      SmallKernel k(1, threadIndex,
                    ".visible .entry other()\n{\n.reg .f32 %f<8>; .reg .b64 %rd<3>; .reg .b32 %r<3>;\n" + body +
                        "\nret;\n}\n");
      return std::string();
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  CHECK(contains(refused("frobnicate.f32 %f1, %f2;"), "unknown instruction 'frobnicate.f32'"));
  CHECK(contains(refused("ld.global.f32 %f1, [%rd1, {%r1}];"), "an address in brackets is needed here"));
}

} // namespace simgpu::testing
