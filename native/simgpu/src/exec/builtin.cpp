#include "exec/builtin.h"

#include "exec/access.h"
#include "exec/block.h"

#include <cstdio>
#include <cstring>
#include <string>

namespace simgpu {

namespace {

constexpr std::size_t longestText = 1 << 16;

template <class T> T argument(Warp& warp, const Op& op, int lane, std::size_t index) {
  const CallSite& site = warp.launch.code->calls[op.target];
  T value{};
  if (index < site.arguments.size()) {
    const LocalRange range = site.arguments[index];
    std::memcpy(&value, warp.local(lane) + warp.frame().localBase + range.offset,
                std::min<std::size_t>(sizeof value, range.size));
  }
  return value;
}

template <class T> void setResult(Warp& warp, const Op& op, int lane, T value) {
  const CallSite& site = warp.launch.code->calls[op.target];
  if (!site.returns.empty()) {
    const LocalRange range = site.returns.front();
    const std::size_t bytes = std::min<std::size_t>(sizeof value, range.size);
    const std::uint32_t place = warp.frame().localBase + range.offset;
    std::memcpy(warp.local(lane) + place, &value, bytes);
    if (std::uint8_t* written = warp.localWritten(lane)) {
      std::memset(written + place, localByteWritten, bytes);
    }
  }
}

template <class T> T readGeneric(Warp& warp, const Op& op, int lane, std::uint64_t address) {
  LaneAddresses addresses{};
  LanePointers pointers{};
  addresses[static_cast<std::size_t>(lane)] = address;
  resolve(warp, op, 1u << lane, ptx::Space::generic, addresses, {Intent::read, true, sizeof(T), 1, 0}, pointers);
  T value;
  std::memcpy(&value, pointers[static_cast<std::size_t>(lane)], sizeof value);
  return value;
}

std::string readText(Warp& warp, const Op& op, int lane, std::uint64_t address) {
  std::string text;
  while (address != 0 && text.size() < longestText) {
    const char c = readGeneric<char>(warp, op, lane, address++);
    if (c == '\0') {
      break;
    }
    text += c;
  }
  return text;
}

/** The arguments of a printf, packed with their natural alignment. */
class ArgumentReader {
public:
  ArgumentReader(Warp& warp, const Op& op, int lane, std::uint64_t address)
      : warp_(warp), op_(op), lane_(lane), base_(address) {}

  template <class T> T next() {
    offset_ = (offset_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    const T value = readGeneric<T>(warp_, op_, lane_, base_ + offset_);
    offset_ += sizeof(T);
    return value;
  }

private:
  Warp& warp_;
  const Op& op_;
  int lane_;
  std::uint64_t base_;
  std::uint64_t offset_ = 0;
};

template <class T> void append(std::string& out, const std::string& conversion, T value) {
  char buffer[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  // the conversion was taken apart and put together again below: it matches the value's type
  std::snprintf(buffer, sizeof buffer, conversion.c_str(), value);
#pragma GCC diagnostic pop
  out += buffer;
}

/** One conversion of a format, from '%' on; moves `position` past it. */
void convert(Warp& warp, const Op& op, int lane, const std::string& format, std::size_t& position,
             ArgumentReader& arguments, std::string& out) {
  std::string flags = "%";
  std::size_t at = position + 1;
  while (at < format.size() && std::strchr("-+ #0123456789.*", format[at]) != nullptr && flags.size() < 32) {
    flags += format[at] == '*' ? std::to_string(arguments.next<std::int32_t>()) : std::string(1, format[at]);
    at++;
  }
  std::size_t longs = 0;
  while (at < format.size() && std::strchr("lhjztL", format[at]) != nullptr) {
    longs += format[at] == 'l' || format[at] == 'z' || format[at] == 'j' || format[at] == 't';
    at++;
  }
  const char kind = at < format.size() ? format[at] : '%';
  position = at + 1;
  switch (kind) {
  case 'd':
  case 'i':
    longs > 0 ? append(out, flags + "lld", arguments.next<long long>()) : append(out, flags + "d", arguments.next<std::int32_t>());
    break;
  case 'u':
  case 'o':
  case 'x':
  case 'X':
    longs > 0 ? append(out, flags + "ll" + kind, arguments.next<unsigned long long>())
              : append(out, flags + kind, arguments.next<std::uint32_t>());
    break;
  case 'c':
    append(out, flags + "c", arguments.next<std::int32_t>());
    break;
  case 'e':
  case 'E':
  case 'f':
  case 'F':
  case 'g':
  case 'G':
  case 'a':
  case 'A':
    append(out, flags + kind, arguments.next<double>());
    break;
  case 'p':
    append(out, flags + "p", reinterpret_cast<const void*>(arguments.next<std::uint64_t>()));
    break;
  case 's':
    append(out, flags + "s", readText(warp, op, lane, arguments.next<std::uint64_t>()).c_str());
    break;
  default:
    out += '%';
  }
}

void printFormatted(Warp& warp, const Op& op, std::uint32_t mask) {
  forEachLane(mask, [&](int lane) {
    const std::string format = readText(warp, op, lane, argument<std::uint64_t>(warp, op, lane, 0));
    ArgumentReader arguments(warp, op, lane, argument<std::uint64_t>(warp, op, lane, 1));
    std::string out;
    for (std::size_t position = 0; position < format.size();) {
      if (format[position] == '%') {
        convert(warp, op, lane, format, position, arguments, out);
      } else {
        out += format[position++];
      }
    }
    warp.launch.print(out);
    setResult(warp, op, lane, static_cast<std::uint32_t>(out.size()));
  });
}

void allocate(Warp& warp, const Op& op, std::uint32_t mask) {
  LaunchContext& launch = warp.launch;
  forEachLane(mask, [&](int lane) {
    const auto size = argument<std::uint64_t>(warp, op, lane, 0);
    DeviceAddress address = 0;
    if (size != 0 && launch.heapUsed.fetch_add(size) + size <= launch.limits.heapBytes) {
      address = launch.memory.allocate(size, AllocationKind::heap, launch.heapOwner);
    }
    if (address == 0) {
      launch.heapUsed.fetch_sub(size);
    }
    setResult(warp, op, lane, address);
  });
}

void release(Warp& warp, const Op& op, std::uint32_t mask) {
  LaunchContext& launch = warp.launch;
  forEachLane(mask, [&](int lane) {
    const auto address = argument<std::uint64_t>(warp, op, lane, 0);
    if (address == 0) {
      return;
    }
    const auto allocation = launch.memory.find(address);
    const bool isHeap = allocation && allocation->kind == AllocationKind::heap;
    if (!isHeap || launch.memory.free(address) != MemoryStatus::ok) {
      const bool twice = allocation && allocation->freed;
      Finding finding = launch.locate(twice ? FindingKind::useAfterFree : FindingKind::outOfBounds,
                                      Status::illegalAddress, warp, op, lane);
      finding.address = address;
      finding.detail = twice ? "freed twice" : "free of something malloc did not return";
      finding.allocation = launch.describeAddress(address);
      launch.fail(std::move(finding));
    }
    launch.heapUsed.fetch_sub(allocation->size);
  });
}

/** __assertfail(message, file, line, function, character size). */
void assertFailed(Warp& warp, const Op& op, std::uint32_t mask) {
  const int lane = __builtin_ctz(mask);
  const std::string file = readText(warp, op, lane, argument<std::uint64_t>(warp, op, lane, 1));
  const std::string function = readText(warp, op, lane, argument<std::uint64_t>(warp, op, lane, 3));
  Finding finding = warp.launch.locate(FindingKind::assertionFailed, Status::assertion, warp, op, lane);
  finding.detail = file + ":" + std::to_string(argument<std::uint32_t>(warp, op, lane, 2)) + ": " + function +
                   ": assertion `" + readText(warp, op, lane, argument<std::uint64_t>(warp, op, lane, 0)) + "` failed";
  warp.launch.fail(std::move(finding));
}

} // namespace

Handler findBuiltin(std::string_view name) {
  return name == "vprintf"        ? printFormatted
         : name == "malloc"       ? allocate
         : name == "free"         ? release
         : name == "__assertfail" ? assertFailed
                                  : nullptr;
}

} // namespace simgpu
