#include "driver/fat_binary.h"

#include "driver/host_memory.h"

#include <cstring>

namespace simgpu::driver {
namespace {

constexpr std::uint32_t containerMagic = 0xBA55ED50;
constexpr std::uint32_t wrapperMagic = 0x466243B1; // the structure nvcc embeds; a pointer to the container follows it

struct ContainerHeader {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t headerBytes;
  std::uint64_t bytes; // of all entries
};

struct EntryHeader {
  std::uint16_t kind; // 1 is PTX, 2 machine code
  std::uint16_t version;
  std::uint32_t headerBytes;
  std::uint64_t bytes; // of what follows the header
  std::uint32_t compressedBytes;
  std::uint32_t optionsOffset;
  std::uint32_t ptxVersion;
  std::uint32_t target;
};

template <class Header> bool read(const char* at, Header& header) {
  if (!hostMapped(at, sizeof header)) return false;
  std::memcpy(&header, at, sizeof header);
  return true;
}

} // namespace

bool isFatBinary(std::uint32_t magic) { return magic == containerMagic || magic == wrapperMagic; }

std::string_view fatBinaryText(const void* image, std::uint32_t target, std::string& problem) {
  const char* start = static_cast<const char*>(image);
  ContainerHeader container{};
  problem = "the fat binary is damaged";
  if (!read(start, container)) return {};
  if (container.magic == wrapperMagic) {
    std::memcpy(&start, start + 8, sizeof start);
    if (!read(start, container)) return {};
  }
  if (container.magic != containerMagic || container.bytes > std::uint64_t{1} << 40 ||
      !hostMapped(start, container.headerBytes + container.bytes)) {
    return {};
  }
  const char* at = start + container.headerBytes;
  const char* const end = at + container.bytes;
  constexpr std::uint16_t ptxKind = 1;
  std::string_view best;
  std::uint32_t bestTarget = 0;
  bool compressed = false;
  while (static_cast<std::size_t>(end - at) >= sizeof(EntryHeader)) {
    EntryHeader entry{};
    std::memcpy(&entry, at, sizeof entry);
    const auto left = static_cast<std::uint64_t>(end - at);
    if (entry.headerBytes < sizeof entry || entry.headerBytes > left || entry.bytes > left - entry.headerBytes) {
      return {};
    }
    const std::string_view content(at + entry.headerBytes, entry.bytes);
    at += entry.headerBytes + entry.bytes;
    if (entry.kind != ptxKind) continue;
    const std::string_view text = content.substr(0, content.find('\0'));
    if (text.find(".version") == std::string_view::npos) {
      compressed = true;
    } else if (entry.target <= target && entry.target >= bestTarget) {
      best = text;
      bestTarget = entry.target;
    }
  }
  problem = compressed ? "the PTX in the fat binary is compressed; build it with nvcc --no-compress, or load PTX text"
                       : "the fat binary has no PTX for sm_" + std::to_string(target) +
                             " or before; build it with -gencode arch=compute_80,code=compute_80, or load PTX text";
  return best;
}

} // namespace simgpu::driver
