// A simulated device for the fixture kernels: buffers, typed launches with every check on, and comparisons with CPU
// results.
#pragma once

#include "exec/engine.h"

#include "check.h"

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace simgpu::testing {

/** A size or index that is counted in int. */
inline std::size_t at(int v) { return static_cast<std::size_t>(v); }

/** Kernels launched so far in this process, as "file/kernel". */
std::set<std::string>& launchedKernels();

/** The text of fixtures/ptx/<name>.ptx. */
std::string fixtureText(const std::string& name);

/** Names of all fixture files, sorted. */
std::vector<std::string> fixtureNames();

/** A launch argument: its bytes, to be placed where the kernel's parameter list says. */
class Argument {
public:
  template <class T> Argument(const T& value) : bytes_(sizeof(T)) { // NOLINT: arguments convert implicitly
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(bytes_.data(), &value, sizeof(T));
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

private:
  std::vector<std::byte> bytes_;
};

/** One test's device. Everything is freed with it. */
class Device {
public:
  explicit Device(Settings settings = {});

  /** A buffer with contents. */
  template <class T> DeviceAddress upload(const std::vector<T>& values) {
    const DeviceAddress address = allocate(values.size() * sizeof(T));
    check(memory_.copyIn(address, values.data(), values.size() * sizeof(T)));
    return address;
  }
  /** A buffer that nothing has written: reading it on the device is a finding. */
  DeviceAddress allocate(std::size_t bytes);
  /** A buffer of zeros. */
  DeviceAddress zeros(std::size_t bytes) { return upload(std::vector<std::uint8_t>(bytes)); }

  template <class T> std::vector<T> download(DeviceAddress address, std::size_t count) {
    std::vector<T> values(count);
    check(memory_.copyOut(values.data(), address, count * sizeof(T)));
    return values;
  }

  /** Launches fixtures/ptx/<file>.ptx:<kernel>; a status or finding other than success fails the test. */
  LaunchResult launch(const std::string& file, const std::string& kernel, Dim3 grid, Dim3 block,
                      const std::vector<Argument>& arguments, std::uint32_t dynamicShared = 0,
                      bool cooperative = false);

  /** What device printf wrote. */
  const std::string& printed() const { return printed_; }
  Engine& engine() { return engine_; }
  DeviceMemory& memory() { return memory_; }
  const Module& module(const std::string& file);

private:
  static void check(MemoryStatus status);

  DeviceMemory memory_;
  Engine engine_;
  std::string printed_;
  std::map<std::string, std::unique_ptr<Module>> modules_;
};

/** Seeded inputs. */
class Inputs {
public:
  explicit Inputs(std::uint64_t salt = 0) : random_(20251125 + salt) {}

  float real(float low, float high) { return std::uniform_real_distribution<float>(low, high)(random_); }
  std::uint64_t bits() { return random_(); }
  int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  std::vector<float> reals(std::size_t count, float low = -1, float high = 1);
  std::vector<double> doubles(std::size_t count, double low = -1, double high = 1);
  template <class T = int> std::vector<T> integers(std::size_t count, int low, int high) {
    std::vector<T> values(count);
    for (T& value : values) {
      value = static_cast<T>(integer(low, high));
    }
    return values;
  }
  /** f16 or bf16 patterns of reals in [low, high]. */
  std::vector<std::uint16_t> f16s(std::size_t count, float low = -1, float high = 1);
  std::vector<std::uint16_t> bf16s(std::size_t count, float low = -1, float high = 1);

private:
  std::mt19937_64 random_;
};

float fromF16(std::uint16_t bits);
float fromBf16(std::uint16_t bits);
std::uint16_t toF16(float value);
std::uint16_t toBf16(float value);
std::vector<float> fromF16(const std::vector<std::uint16_t>& bits);
std::vector<float> fromBf16(const std::vector<std::uint16_t>& bits);

/** Fails unless |actual - expected| <= absolute + relative * |expected| everywhere. */
template <class A, class B>
void expectClose(const std::vector<A>& actual, const std::vector<B>& expected, double relative, double absolute,
                 const std::string& what) {
  CHECK_EQUAL(actual.size(), expected.size());
  int wrong = 0;
  for (std::size_t i = 0; i < std::min(actual.size(), expected.size()); i++) {
    const auto got = static_cast<double>(actual[i]);
    const auto wanted = static_cast<double>(static_cast<A>(expected[i])); // infinite where A overflows
    const bool same = got == wanted || (std::isnan(got) && std::isnan(wanted));
    if (!same && !(std::fabs(got - wanted) <= absolute + relative * std::fabs(wanted)) && ++wrong <= 3) {
      fail(__FILE__, __LINE__, what + "[" + std::to_string(i) + "] is " + show(got) + ", expected " + show(wanted));
    }
  }
  if (wrong > 3) {
    fail(__FILE__, __LINE__, what + ": " + std::to_string(wrong) + " values differ");
  }
}

template <class T>
void expectSame(const std::vector<T>& actual, const std::vector<T>& expected, const std::string& what) {
  CHECK_EQUAL(actual.size(), expected.size());
  int wrong = 0;
  for (std::size_t i = 0; i < std::min(actual.size(), expected.size()); i++) {
    if (!(actual[i] == expected[i]) && ++wrong <= 3) {
      fail(__FILE__, __LINE__,
           what + "[" + std::to_string(i) + "] is " + show(actual[i]) + ", expected " + show(expected[i]));
    }
  }
  if (wrong > 3) {
    fail(__FILE__, __LINE__, what + ": " + std::to_string(wrong) + " values differ");
  }
}

/** C[M][N] = A[M][K] * B[N][K]^T in double, the layout tensor-core GEMMs use. */
template <class T>
std::vector<double> referenceGemm(const std::vector<T>& a, const std::vector<T>& b, int m, int n, int k) {
  std::vector<double> c(static_cast<std::size_t>(m) * static_cast<std::size_t>(n));
  for (int row = 0; row < m; row++) {
    for (int column = 0; column < n; column++) {
      double sum = 0;
      for (int i = 0; i < k; i++) {
        sum += static_cast<double>(a[static_cast<std::size_t>(row * k + i)]) *
               static_cast<double>(b[static_cast<std::size_t>(column * k + i)]);
      }
      c[static_cast<std::size_t>(row * n + column)] = sum;
    }
  }
  return c;
}

} // namespace simgpu::testing
