// What is known of a piece of work beside its effect: its name, the bytes it touches, the time a device may need.
#include "driver/executor.h"

#include <algorithm>
#include <cstring>

namespace simgpu::driver {
namespace {

std::string at(std::uint64_t address) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  return text;
}

struct Namer {
  std::string operator()(const KernelWork& kernel) { return "kernel " + kernel.function->kernel->info.name; }
  std::string operator()(const CopyWork& copy) {
    const auto side = [](bool device) { return device ? "device" : "host"; };
    return std::string("a copy of ") + std::to_string(copy.bytes()) + " bytes from " + side(copy.from.device) + " to " +
           side(copy.to.device);
  }
  std::string operator()(const FillWork& fill) {
    return "a fill of " + std::to_string(fill.width * fill.height * fill.elementBytes) + " bytes";
  }
  std::string operator()(const FreeWork& free) { return "the free of " + at(free.address); }
  std::string operator()(const AllocateWork& allocation) { return "the allocation of " + at(allocation.address); }
  std::string operator()(const LibraryWork& library) { return library.name; }
  std::string operator()(const auto&) { return "work"; }
};

void addSide(Driver& driver, Footprint& footprint, Touch touch, const CopySide& side, const CopyWork& copy) {
  // pageable memory was copied aside, or is waited for
  if (!side.device && driver.pinned(side.address, 1) == nullptr) return;
  for (std::size_t z = 0; z < copy.depth; ++z) {
    footprint.add(touch, side.address + z * side.slice, copy.width, copy.height, side.pitch);
  }
}

struct Measurer {
  Driver& driver;
  Footprint& footprint;

  void operator()(const CopyWork& copy) {
    if (copy.staged.empty()) addSide(driver, footprint, Touch::read, copy.from, copy);
    addSide(driver, footprint, Touch::write, copy.to, copy);
  }
  void operator()(const FillWork& fill) {
    footprint.add(Touch::write, fill.to, fill.width * fill.elementBytes, fill.height, fill.pitch);
  }
  void operator()(const FreeWork& free) {
    const std::optional<Allocation> found = driver.memory().find(free.address);
    if (found) footprint.add(Touch::write, found->base, found->size);
  }
  void operator()(const AllocateWork& allocation) {
    footprint.add(Touch::write, allocation.address, allocation.bytes);
  }
  void operator()(const LibraryWork& library) { footprint = library.footprint; }
  void operator()(const auto&) {}
};

/** Whether a piece of work may read host bytes in [begin, end), which lie in a pinned range. */
struct Reader {
  const HostRange& range;
  std::uint64_t begin;
  std::uint64_t end;

  bool operator()(const CopyWork& copy) {
    const CopySide& from = copy.from;
    const std::uint64_t extent = (copy.depth - 1) * from.slice + (copy.height - 1) * from.pitch + copy.width;
    return copy.staged.empty() && from.address < end && from.address + extent > begin;
  }
  bool operator()(const KernelWork& kernel) {
    // through a pointer among its parameters, to wherever in the range
    for (std::size_t at = 0; at + 8 <= kernel.parameters.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, kernel.parameters.data() + at, 8);
      if (range.contains(word, 1)) return true;
    }
    return false;
  }
  bool operator()(const LibraryWork& library) {
    Footprint there;
    there.add(Touch::write, begin, end - begin);
    Footprint used = library.footprint;
    used.settle();
    return used.conflict(there).has_value();
  }
  bool operator()(const HostWork&) { return true; } // nobody knows what it reads
  bool operator()(const GraphWork& graph) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                       [&](const GraphWork::Node& node) { return std::visit(*this, node.work->any()); });
  }
  bool operator()(const auto&) { return false; }
};

// Published rates of the buses, in bytes a millisecond, and what an operation costs beside its bytes.
constexpr double pinnedBusRate = 25e6; // PCIe 4.0 x16, of which about four fifths are reached
constexpr double operationMilliseconds = 2.5e-3;

double transferMilliseconds(const Driver& driver, double bytes, bool overBus) {
  const double rate = overBus ? pinnedBusRate : peaksOf(driver.configuration.model).dramBytesPerSecond / 1e3;
  return operationMilliseconds + bytes / rate;
}

} // namespace

double projectedMilliseconds(const Driver& driver, const Work& work) {
  if (const auto* copy = std::get_if<CopyWork>(&work.any())) {
    const auto bytes = static_cast<double>(copy->bytes());
    const bool overBus = !copy->from.device || !copy->to.device;
    return transferMilliseconds(driver, overBus ? bytes : 2 * bytes, overBus);
  }
  if (const auto* fill = std::get_if<FillWork>(&work.any())) {
    return transferMilliseconds(driver, static_cast<double>(fill->width * fill->height * fill->elementBytes), false);
  }
  // a library's kernels are not known: the launch alone
  return std::holds_alternative<LibraryWork>(work.any()) ? operationMilliseconds : 0;
}

bool touchesMemory(const Work& work) {
  return std::holds_alternative<KernelWork>(work.any()) || std::holds_alternative<CopyWork>(work.any()) ||
         std::holds_alternative<FillWork>(work.any()) || std::holds_alternative<FreeWork>(work.any()) ||
         std::holds_alternative<AllocateWork>(work.any()) || std::holds_alternative<LibraryWork>(work.any());
}

Footprint footprintOf(Driver& driver, const Work& work) {
  Footprint footprint;
  std::visit(Measurer{driver, footprint}, work.any());
  return footprint;
}

bool pendingWorkMayRead(const Driver& driver, const Context& context, std::uint64_t address, std::size_t bytes) {
  const HostRange* range = driver.pinned(address, bytes);
  if (range == nullptr) return false;
  const Reader reader{*range, address, address + bytes};
  const auto reads = [&](const std::shared_ptr<Stream>& stream) {
    return std::any_of(stream->pending.begin(), stream->pending.end(),
                       [&](const Task& task) { return std::visit(Reader(reader), task.work->any()); });
  };
  const auto streams = driver.streamsOf(context);
  return reads(context.legacy) || std::any_of(streams.begin(), streams.end(), reads);
}

OperationName nameOf(const Work& work, const Stream& stream) {
  OperationName name{std::visit(Namer{}, work.any()), "the default stream"};
  if (stream.handle == CU_STREAM_PER_THREAD) {
    name.stream = "a per-thread default stream";
  } else if (!stream.legacy) {
    name.stream = "stream " + at(reinterpret_cast<std::uint64_t>(stream.handle));
  }
  if (const auto* copy = std::get_if<CopyWork>(&work.any())) name.readByHost = copy->readByHost;
  return name;
}

} // namespace simgpu::driver
