#include "check.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <vector>

namespace simgpu::testing {

namespace {

std::vector<Case>& cases() {
  static std::vector<Case> registered;
  return registered;
}

bool caseFailed = false;

/** "tests/engine/memory_test.cpp" -> "memory_test". */
std::string_view stem(std::string_view path) {
  path.remove_prefix(path.find_last_of('/') + 1);
  return path.substr(0, path.find('.'));
}

/** coverage_test looks at what the others did, so it comes last, in whatever order the linker has put the files. */
void putCoverageLast() {
  std::stable_partition(cases().begin(), cases().end(),
                        [](const Case& testCase) { return stem(testCase.file) != "coverage_test"; });
}

bool selected(const Case& testCase, int count, char** names) {
  for (int i = 1; i < count; i++) {
    if (stem(testCase.file) == names[i]) {
      return true;
    }
  }
  return count == 1;
}

} // namespace

bool registerCase(const Case& testCase) {
  cases().push_back(testCase);
  return true;
}

void fail(const char* file, int line, const std::string& message) {
  caseFailed = true;
  std::printf("%s:%d: %s\n", file, line, message.c_str());
}

} // namespace simgpu::testing

int main(int count, char** names) {
  using namespace simgpu::testing;
  putCoverageLast();
  int run = 0;
  int failed = 0;
  for (const Case& testCase : cases()) {
    if (!selected(testCase, count, names)) {
      continue;
    }
    run++;
    caseFailed = false;
    try {
      testCase.body();
    } catch (const std::exception& error) {
      fail(testCase.file, testCase.line, std::string("exception: ") + error.what());
    }
    if (caseFailed) {
      failed++;
      std::printf("FAILED: %s\n", testCase.sentence);
    }
  }
  std::printf("%d of %d cases passed\n", run - failed, run);
  return failed == 0 && run > 0 ? 0 : 1; // a selection that matches nothing is a mistake
}
