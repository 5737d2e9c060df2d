// Malformed PTX is an error with a line, never a crash: mutations of real texts, bounded in number and seeded.
#include "exec/engine.h"

#include "check.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace simgpu::testing {

namespace {

constexpr std::uint64_t seed = 20261125;
constexpr int mutationsPerText = 40;
constexpr std::size_t longestText = 40000; // the whole fixtures would take minutes under the sanitizers

std::vector<std::string> texts() {
  std::vector<std::string> result;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(SIMGPU_FIXTURE_PTX)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    // up to the end of a whole function, so that what is left would compile as it is
    const std::string whole = text.str();
    const std::size_t end = whole.size() <= longestText ? std::string::npos : whole.rfind("\n}\n", longestText);
    result.push_back(whole.substr(0, end == std::string::npos ? longestText : end + 3));
  }
  return result;
}

std::string mutated(const std::string& original, std::mt19937_64& random) {
  static const std::vector<std::string> pieces{"{",
                                               "}",
                                               "(",
                                               ")",
                                               "[",
                                               "]",
                                               ";",
                                               ",",
                                               ".",
                                               "%r1",
                                               "%rd1",
                                               "%p1",
                                               "%f1",
                                               "_",
                                               "0x",
                                               "-1",
                                               "99999999999999999999999",
                                               "0f3f800000",
                                               "0dz",
                                               "\"",
                                               "@%p1 ",
                                               "@!",
                                               ".v4",
                                               ".f64",
                                               ".b8",
                                               ".align 3",
                                               "<4000000000>",
                                               "[1099511627776]",
                                               "/*",
                                               "$L__BB0_1:",
                                               "call ",
                                               "bra ",
                                               ".param .b64 x",
                                               ".local .align 8 .b8 d[99999999];",
                                               ".reg .pred %q<5>;",
                                               "mma.sp.sync.aligned",
                                               ".func f()",
                                               "\x01",
                                               "\xff",
                                               "|"};
  std::string text = original;
  const int edits = 1 + static_cast<int>(random() % 4);
  for (int i = 0; i < edits && !text.empty(); i++) {
    const std::size_t at = random() % text.size();
    switch (random() % 5) {
    case 0:
      text.erase(at, 1 + random() % 40);
      break;
    case 1:
      text.insert(at, pieces[random() % pieces.size()]);
      break;
    case 2:
      text[at] = static_cast<char>(random());
      break;
    case 3:
      text.insert(at, text.substr(random() % text.size(), random() % 200));
      break;
    default:
      text.resize(at);
      break;
    }
  }
  return text;
}

} // namespace

TEST("mutated texts compile or are refused with a line") {
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  DeviceMemory memory(std::uint64_t{1} << 30);
  Engine engine(DeviceModel::a100(), memory);
  int refused = 0;
  int compiled = 0;
  for (const std::string& text : texts()) {
    for (int i = 0; i < mutationsPerText; i++) {
      const std::string mutation = mutated(text, random);
      const CompileResult result = engine.compile(mutation);
      const bool consistent = (result.module != nullptr) == (result.status == Status::success);
      CHECK(consistent);
      if (result.module == nullptr) {
        refused++;
        CHECK(!result.errors.empty() && !result.errors.front().message.empty());
        CHECK(result.errors.front().line >= 0);
      } else {
        compiled++;
      }
    }
  }
  // both happen, or the mutations are too tame or too wild to test anything
  CHECK(refused > 100);
  CHECK(compiled > 0);
  CHECK_EQUAL(memory.live().size(), std::size_t{0});
}

TEST("texts that are no PTX at all are refused") {
  DeviceMemory memory(std::uint64_t{1} << 30);
  Engine engine(DeviceModel::a100(), memory);
  const std::string deep = ".version 7.0 .target sm_80 .address_size 64 .entry k() { mov.b32 ";
  for (const std::string& text :
       {std::string(), std::string("\0\0\0", 3), std::string("ELF"), std::string(".version"),
        std::string(".version 7.0"), deep + std::string(100000, '{'), deep + std::string(100000, '!'),
        deep + std::string(100000, '-'),
        ".version 7.0 .target sm_80 .address_size 64 .entry k() " + std::string(200000, '{'),
        std::string(".version 7.0 .target sm_80 .address_size 32"), std::string(".version 7.0 .target sm_90")}) {
    const CompileResult result = engine.compile(text);
    CHECK(result.module == nullptr);
    CHECK(result.status != Status::success);
  }
}

} // namespace simgpu::testing
