// Conversions to and from floats of eight bits, compared with a search among all of them.
#include "small_kernel.h"

#include "arith/half_arithmetic.h"
#include "arith/small_float.h"

#include <bit>
#include <cmath>
#include <random>

namespace simgpu::testing {

namespace {

/** A kernel on a device that has these conversions: p1 holds two words a thread, p0 gets one. */
std::vector<std::uint32_t> converted(const std::string& instructions, const std::vector<std::uint32_t>& words) {
  DeviceMemory memory(std::uint64_t{1} << 30);
  Engine engine(DeviceModel::rtx5090(), memory, {});
  const std::string text = ".version 8.1\n.target sm_89\n.address_size 64\n"
                           ".visible .entry k(.param .u64 p0, .param .u64 p1)\n{\n" +
                           threadIndex +
                           ".reg .b16 %h<3>; ld.param.u64 %rd4, [p1]; shl.b64 %rd5, %rd2, 1; add.s64 %rd5, %rd4, %rd5;\n"
                           "ld.global.v2.u32 {%r3, %r4}, [%rd5]; mov.b32 %f1, %r3; mov.b32 %f2, %r4;\n" +
                           instructions + "\nst.global.u32 [%rd3], %r5;\n}\n";
  const CompileResult compiled = engine.compile(text);
  if (compiled.module == nullptr) {
    throw std::runtime_error(compiled.log());
  }
  const auto threads = static_cast<std::uint32_t>(words.size() / 2);
  const DeviceAddress from = memory.allocate(4 * words.size(), AllocationKind::user);
  const DeviceAddress to = memory.allocate(4 * threads, AllocationKind::user);
  memory.copyIn(from, words.data(), 4 * words.size());
  LaunchConfig config;
  config.block = {threads};
  const std::array parameters{to, from};
  CHECK_EQUAL(engine.launch(*compiled.module->kernel("k"), config, std::as_bytes(std::span(parameters))).report(),
              std::string());
  std::vector<std::uint32_t> result(threads);
  memory.copyOut(result.data(), to, 4 * threads);
  return result;
}

/** The value of the specification's tables: sign, exponent, mantissa. */
float tabulated(bool isE5m2, std::uint32_t bits) {
  const int mantissaBits = isE5m2 ? 2 : 3;
  const int bias = isE5m2 ? 15 : 7;
  const int exponent = static_cast<int>(bits >> mantissaBits & (isE5m2 ? 31u : 15u));
  const int mantissa = static_cast<int>(bits & ((1u << mantissaBits) - 1));
  const float sign = (bits & 0x80) != 0 ? -1.0F : 1.0F;
  if (isE5m2 && exponent == 31) {
    return mantissa == 0 ? sign * INFINITY : NAN;
  }
  if (!isE5m2 && exponent == 15 && mantissa == 7) {
    return NAN;
  }
  const float fraction = static_cast<float>(mantissa) / static_cast<float>(1 << mantissaBits);
  return exponent == 0 ? sign * std::ldexp(fraction, 1 - bias) : sign * std::ldexp(1 + fraction, exponent - bias);
}

/** The finite one nearest to a value, of two equally near the one with an even mantissa. */
std::uint32_t nearest(bool isE5m2, float value) {
  std::uint32_t best = 0;
  for (std::uint32_t bits = 0; bits < 128; bits++) {
    const double candidate = tabulated(isE5m2, bits);
    const double magnitude = std::abs(static_cast<double>(value));
    const double distance = std::abs(candidate - magnitude);
    const double shortest = std::abs(static_cast<double>(tabulated(isE5m2, best)) - magnitude);
    if (std::isfinite(candidate) && (distance < shortest || (distance == shortest && bits % 2 == 0))) {
      best = bits;
    }
  }
  return best | (std::signbit(value) ? 0x80u : 0u);
}

} // namespace

TEST("every float of eight bits widens to the f16 of the same value") {
  for (const bool isE5m2 : {false, true}) {
    std::vector<std::uint32_t> words;
    for (std::uint32_t bits = 0; bits < 256; bits++) words.insert(words.end(), {bits << 8 | (255 - bits), 0});
    const std::string format = isE5m2 ? "e5m2x2" : "e4m3x2";
    const auto result = converted("cvt.u16.u32 %h1, %r3; cvt.rn.f16x2." + format + " %r5, %h1;", words);
    for (std::uint32_t bits = 0; bits < 256; bits++) {
      const std::pair<std::uint32_t, std::uint32_t> pairs[] = {{result[bits] >> 16, bits},
                                                               {result[bits] & 0xffff, 255 - bits}};
      for (const auto& [half, small] : pairs) {
        const float value = arith::f16ToFloat(static_cast<std::uint16_t>(half));
        const float expected = tabulated(isE5m2, small);
        const bool same = value == expected && std::signbit(value) == std::signbit(expected);
        CHECK(std::isnan(expected) ? std::isnan(value) : same);
      }
    }
  }
}

TEST("floats and halves narrow to the nearest float of eight bits, and to the largest when they are larger") {
  std::mt19937 generator(7);
  const auto random = [&] { return static_cast<std::uint32_t>(generator()); };
  for (const bool isE5m2 : {false, true}) {
    std::vector<std::uint32_t> words;
    for (int i = 0; i < 1000; i++) {
      // among them ties, subnormals and values beyond the largest
      const float tie = (tabulated(isE5m2, random() % 0x78) + tabulated(isE5m2, random() % 0x78)) / 2;
      const float wide = std::ldexp(static_cast<float>(random() % 4096), static_cast<int>(random() % 40) - 30);
      const std::uint32_t sign = random() % 2 << 31;
      words.push_back(std::bit_cast<std::uint32_t>(i % 2 == 0 ? tie : wide) | sign);
    }
    const std::string format = isE5m2 ? "e5m2x2" : "e4m3x2";
    const auto floats = converted("cvt.rn.satfinite." + format + ".f32 %h1, %f1, %f2; cvt.u32.u16 %r5, %h1;", words);
    const auto halves = converted("cvt.rn.f16x2.f32 %r6, %f1, %f2; cvt.rn.satfinite." + format + ".f16x2 %h1, %r6;"
                                  "cvt.u32.u16 %r5, %h1;", words);
    for (std::size_t i = 0; i < floats.size(); i++) {
      const auto high = std::bit_cast<float>(words[2 * i]);
      const auto low = std::bit_cast<float>(words[2 * i + 1]);
      CHECK_EQUAL(floats[i], nearest(isE5m2, high) << 8 | nearest(isE5m2, low));
      const auto finite = [](float value) {
        const float rounded = arith::f16ToFloat(arith::floatToF16(value));
        return std::isinf(rounded) ? std::copysign(1e6F, value) : rounded;
      };
      CHECK_EQUAL(halves[i], nearest(isE5m2, finite(high)) << 8 | nearest(isE5m2, finite(low)));
    }
  }
  const auto special = [](const std::string& modifiers, float high, float low) {
    return converted("cvt.rn.satfinite" + modifiers + ".f32 %h1, %f1, %f2; cvt.u32.u16 %r5, %h1;",
                     {std::bit_cast<std::uint32_t>(high), std::bit_cast<std::uint32_t>(low)})[0];
  };
  CHECK_EQUAL(special(".e4m3x2", INFINITY, NAN), 0x7e7fu);
  CHECK_EQUAL(special(".e5m2x2", -INFINITY, NAN), 0xfb7fu);
  CHECK_EQUAL(special(".relu.e4m3x2", -2, 2), 0x0040u);
}

} // namespace simgpu::testing
