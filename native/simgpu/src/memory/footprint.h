// The bytes an operation reads and writes, so that two operations nothing orders can be compared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace simgpu {

/** A set of addresses, as intervals; added to first, then `settle`d, then compared. */
class ByteRanges {
public:
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  void add(std::uint64_t begin, std::uint64_t bytes) {
    if (bytes == 0) return;
    if (!ranges_.empty() && ranges_.back().end == begin) {
      ranges_.back().end += bytes;
    } else {
      ranges_.push_back({begin, begin + bytes});
    }
  }

  /** Sorts and joins what was added. */
  void settle();

  /** The first interval both contain; both must be settled. */
  std::optional<Range> firstCommon(const ByteRanges& other) const;

  bool empty() const { return ranges_.empty(); }
  std::size_t count() const { return ranges_.size(); }

private:
  std::vector<Range> ranges_;
};

/** How an operation touches memory. Atomic accesses of two operations do not disturb each other. */
enum class Touch : std::uint8_t { read, write, atomic };

struct Footprint {
  /** Where two operations meet, and how each of them touches the place. */
  struct Overlap {
    ByteRanges::Range bytes;
    Touch first;
    Touch second;
  };

  std::array<ByteRanges, 3> touched; // by Touch

  ByteRanges& of(Touch touch) { return touched[static_cast<std::size_t>(touch)]; }
  const ByteRanges& of(Touch touch) const { return touched[static_cast<std::size_t>(touch)]; }

  /** `rows` rows of `bytes` bytes, `pitch` bytes apart. */
  void add(Touch touch, std::uint64_t address, std::uint64_t bytes, std::uint64_t rows = 1, std::uint64_t pitch = 0) {
    for (std::uint64_t row = 0; row < rows; ++row) of(touch).add(address + row * pitch, bytes);
  }

  void settle() {
    for (ByteRanges& ranges : touched) ranges.settle();
  }

  /** A place at which the order of the two operations matters; both must be settled. */
  std::optional<Overlap> conflict(const Footprint& other) const;

  std::size_t bytesHeld() const;
};

/** Notes single accesses, byte by byte, in little time; one per thread. */
class AccessRecorder {
public:
  void note(Touch touch, std::uint64_t address, std::uint64_t bytes) {
    while (bytes > 0) {
      const std::uint64_t offset = address % pageBytes;
      const std::uint64_t here = bytes < pageBytes - offset ? bytes : pageBytes - offset;
      mark(pageAt(address / pageBytes).bits[static_cast<std::size_t>(touch)], offset, here);
      address += here;
      bytes -= here;
    }
  }

  /** Adds what was noted to a footprint, which is then to be settled. */
  void addTo(Footprint& footprint) const;

private:
  static constexpr std::uint64_t pageBytes = 4096;
  using Bits = std::array<std::uint64_t, pageBytes / 64>;
  struct Page {
    std::array<Bits, 3> bits{};
  };

  static void mark(Bits& bits, std::uint64_t offset, std::uint64_t bytes) {
    while (bytes > 0) {
      const std::uint64_t first = offset % 64;
      const std::uint64_t here = bytes < 64 - first ? bytes : 64 - first;
      bits[offset / 64] |= (here == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << here) - 1) << first;
      offset += here;
      bytes -= here;
    }
  }

  Page& pageAt(std::uint64_t number) {
    if (last_ == nullptr || lastNumber_ != number) {
      std::unique_ptr<Page>& page = pages_[number];
      if (page == nullptr) page = std::make_unique<Page>();
      last_ = page.get();
      lastNumber_ = number;
    }
    return *last_;
  }

  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
  std::uint64_t lastNumber_ = 0;
  Page* last_ = nullptr;
};

} // namespace simgpu
