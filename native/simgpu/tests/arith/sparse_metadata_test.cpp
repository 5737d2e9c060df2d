#include "arith/sparse_metadata.h"

#include "check.h"

#include <fstream>
#include <map>
#include <set>

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

/** The golden file's entries, read with no more JSON than the file uses. */
struct Golden {
  int columnsPerNibble = 0;
  std::vector<std::string> nibblesByRow;
  struct Words {
    int kStep;
    int firstRow;
    std::vector<std::uint32_t> lanes;
  };
  std::vector<Words> words;
};

std::string fileText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int numberAfter(const std::string& text, const std::string& key) {
  return std::stoi(text.substr(text.find("\"" + key + "\":") + key.size() + 3));
}

Golden golden(const std::string& instruction) {
  const std::string all = fileText(SIMGPU_TEST_DATA "/metadata/fragment-metadata.json");
  const std::size_t start = all.find("\"" + instruction + "\"");
  if (start == std::string::npos) {
    throw std::runtime_error("no golden entry " + instruction);
  }
  const std::size_t next = all.find("\"instruction\"", start);
  std::string text = all.substr(start, next == std::string::npos ? next : next - start);
  Golden result;
  result.columnsPerNibble = numberAfter(text, "columnsPerNibble");
  const std::size_t rows = text.find('[', text.find("logicalNibblesByRow"));
  std::stringstream names(text.substr(rows + 1, text.find(']', rows) - rows - 1));
  for (std::string name; std::getline(names, name, ',');) {
    result.nibblesByRow.push_back(name.substr(name.find('"') + 1, name.rfind('"') - name.find('"') - 1));
  }
  for (std::size_t at = text.find("\"kStep\""); at != std::string::npos; at = text.find("\"kStep\"", at + 1)) {
    const std::string entry = text.substr(at, text.find('}', at) - at);
    Golden::Words words{numberAfter(entry, "kStep"), numberAfter(entry, "firstRow"), {}};
    const std::size_t list = entry.find('[');
    std::stringstream numbers(entry.substr(list + 1, entry.find(']', list) - list - 1));
    for (std::string number; std::getline(numbers, number, ',');) {
      words.lanes.push_back(static_cast<std::uint32_t>(std::stoul(number)));
    }
    result.words.push_back(words);
  }
  return result;
}

/** Reads the golden register words through the layout and compares with the logical nibbles. */
void compareWithGolden(const std::string& instruction, MmaShape shape, Element element, int selectors) {
  const Golden expected = golden(instruction);
  CHECK_EQUAL(expected.nibblesByRow.size(), std::size_t{32});
  int compared = 0;
  for (const Golden::Words& words : expected.words) {
    CHECK_EQUAL(words.lanes.size(), std::size_t{32});
    for (int selector = 0; selector < selectors; selector++) {
      const auto layout = SparseLayout::of(shape, element, selector);
      CHECK(layout.has_value());
      CHECK_EQUAL(layout->elementsPerChunk(), expected.columnsPerNibble);
      for (int row = 0; row < 16; row++) {
        for (int chunk = 0; chunk < layout->chunks(); chunk++) {
          // selector 1 reads the second m-tile of the same words
          const std::string& line =
              expected.nibblesByRow[static_cast<std::size_t>(words.firstRow + 16 * selector + row)];
          const char digit = line[static_cast<std::size_t>(words.kStep * layout->chunks() + chunk)];
          const auto wanted = static_cast<std::uint32_t>(std::stoi(std::string(1, digit), nullptr, 16));
          CHECK_EQUAL(layout->nibble(words.lanes.data(), row, chunk), wanted);
          compared++;
        }
      }
    }
  }
  CHECK_EQUAL(compared, 32 * static_cast<int>(expected.nibblesByRow[0].size()));
}

} // namespace

TEST("metadata of f16 m16n8k32 is where the golden register words have it") {
  compareWithGolden("m16n8k32.f16", {16, 8, 32}, Element::f16, 2);
}

TEST("metadata of s8 m16n8k64 is where the golden register words have it") {
  compareWithGolden("m16n8k64.s8", {16, 8, 64}, Element::s8, 1);
}

TEST("metadata of tf32 m16n8k16 is where the golden register words have it") {
  compareWithGolden("m16n8k16.tf32", {16, 8, 16}, Element::tf32, 2);
}

TEST("the nibbles of all rows and selectors fill the warp's register without overlap") {
  struct Case {
    MmaShape shape;
    Element element;
    int selectors;
  };
  for (const Case& c : {Case{{16, 8, 16}, Element::f16, 4}, Case{{16, 8, 32}, Element::bf16, 2},
                        Case{{16, 8, 8}, Element::tf32, 4}, Case{{16, 8, 16}, Element::tf32, 2},
                        Case{{16, 8, 32}, Element::u8, 2}, Case{{16, 8, 64}, Element::s8, 1},
                        Case{{16, 8, 64}, Element::s4, 2}, Case{{16, 8, 128}, Element::u4, 1}}) {
    std::set<int> used;
    for (int selector = 0; selector < c.selectors; selector++) {
      const auto layout = SparseLayout::of(c.shape, c.element, selector);
      CHECK(layout.has_value());
      for (int row = 0; row < 16; row++) {
        for (int chunk = 0; chunk < layout->chunks(); chunk++) {
          used.insert(layout->lane(row, chunk) * 32 + layout->bit(row, chunk));
        }
      }
    }
    CHECK_EQUAL(used.size(), std::size_t{32 * 8});
    CHECK(!SparseLayout::of(c.shape, c.element, c.selectors).has_value());
  }
  CHECK(!SparseLayout::of({16, 8, 8}, Element::f16, 0).has_value());
  CHECK(!SparseLayout::of({16, 8, 32}, Element::tf32, 0).has_value());
}

TEST("equal indices are illegal, descending ones only where order is promised") {
  for (std::uint32_t nibble = 0; nibble < 16; nibble++) {
    const bool distinct = nibble != 0x0 && nibble != 0x5 && nibble != 0xa && nibble != 0xf;
    const std::set<std::uint32_t> ordered{0x4, 0x8, 0x9, 0xc, 0xd, 0xe};
    CHECK_EQUAL(isLegalNibble(nibble, Element::f16, false), distinct);
    CHECK_EQUAL(isLegalNibble(nibble, Element::s4, true), ordered.contains(nibble));
    CHECK_EQUAL(isLegalNibble(nibble, Element::tf32, false), nibble == 0x4 || nibble == 0xe);
  }
}

TEST("an illegal nibble is reported with its lane, row, chunk and indices") {
  const auto layout = SparseLayout::of({16, 8, 32}, Element::f16, 0);
  std::uint32_t metadata[32];
  for (std::uint32_t& word : metadata) {
    word = 0x44444444;
  }
  CHECK(!findIllegalMetadata(*layout, Element::f16, true, metadata).has_value());
  metadata[4 * 3 + 1] = 0x4a444444; // row 11, chunk 4 + 2: indices 2 and 2
  const auto equal = findIllegalMetadata(*layout, Element::f16, false, metadata);
  CHECK(equal.has_value());
  CHECK_EQUAL(equal->lane, 13);
  CHECK_EQUAL(equal->row, 11);
  CHECK_EQUAL(equal->chunk, 6);
  CHECK_EQUAL(equal->first, 2);
  CHECK_EQUAL(equal->second, 2);
  CHECK(!equal->unordered);
  metadata[4 * 3 + 1] = 0x41444444; // indices 1 and 0
  CHECK(!findIllegalMetadata(*layout, Element::f16, false, metadata).has_value());
  const auto descending = findIllegalMetadata(*layout, Element::f16, true, metadata);
  CHECK(descending.has_value());
  CHECK(descending->unordered);
}
