// The test harness: TEST registers a case under its source file's name; CHECK and CHECK_EQUAL report and go on.
//
//   TEST("freed memory is not readable") { CHECK_EQUAL(memory.check(a, 4), MemoryStatus::freed); }
//
// A program runs all its cases, or those of the files named on its command line (by stem, as ctest does).
#pragma once

#include <concepts>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

namespace simgpu::testing {

struct Case {
  const char* file;
  int line;
  const char* sentence;
  void (*body)();
};

/** Adds a case before main runs. */
bool registerCase(const Case& testCase);

/** Notes a failure of the running case and prints it. */
void fail(const char* file, int line, const std::string& message);

template <typename T> std::string show(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_enum_v<T>) {
    out << static_cast<long long>(value);
  } else if constexpr (std::same_as<T, std::uint8_t> || std::same_as<T, std::int8_t>) {
    out << static_cast<int>(value);
  } else {
    out << value;
  }
  return out.str();
}

template <typename A, typename B>
void checkEqual(const A& actual, const B& expected, const char* text, const char* file, int line) {
  if (!(actual == expected)) {
    fail(file, line, std::string(text) + " is " + show(actual) + ", expected " + show(expected));
  }
}

} // namespace simgpu::testing

#define SIMGPU_JOIN2(a, b) a##b
#define SIMGPU_JOIN(a, b) SIMGPU_JOIN2(a, b)

// numbered by the compiler, not by line: several files may be compiled as one
#define TEST(sentence) SIMGPU_TEST(sentence, SIMGPU_JOIN(testBody, __COUNTER__))
#define SIMGPU_TEST(sentence, body)                                                                                    \
  static void body();                                                                                                  \
  [[maybe_unused]] static const bool SIMGPU_JOIN(body, Registered) =                                                   \
      simgpu::testing::registerCase({__FILE__, __LINE__, sentence, body});                                             \
  static void body()

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      simgpu::testing::fail(__FILE__, __LINE__, #condition " is false");                                               \
    }                                                                                                                  \
  } while (false)

#define CHECK_EQUAL(actual, expected) simgpu::testing::checkEqual((actual), (expected), #actual, __FILE__, __LINE__)
