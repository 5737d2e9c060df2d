// What a stream or a graph node can do.
#pragma once

#include "driver/clock.h"
#include "driver/cuda_types.h"
#include "driver/host_guard.h"
#include "exec/engine.h"
#include "memory/footprint.h"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace simgpu::driver {

struct Event;
struct EventRecord;
struct Function;
struct GraphMemory;
struct Work;

struct KernelWork {
  std::shared_ptr<Function> function;
  LaunchConfig config;
  std::vector<std::byte> parameters; // the parameter block
  std::vector<void*> pointers;       // to each parameter in the block, for programs that ask a graph node
  std::map<unsigned, CUlaunchAttributeValue> attributes; // of a graph node
};

/** One end of a copy: rows of a box, `pitch` bytes apart, in slices `slice` bytes apart. */
struct CopySide {
  bool device = false;
  std::uint64_t address = 0;
  std::size_t pitch = 0;
  std::size_t slice = 0;
};

struct CopyWork {
  CopySide from;
  CopySide to;
  std::size_t width = 0; // bytes
  std::size_t height = 1;
  std::size_t depth = 1;
  /** The program goes on with the destination, host memory, when the call returns. */
  bool readByHost = false;
  /** Of the destination, while it is pinned memory the host must not touch; null otherwise. */
  std::shared_ptr<HostGuard> guard;
  /** The source's bytes where it was pageable memory, which the driver reads before the call returns. */
  std::vector<std::byte> staged;

  std::size_t bytes() const { return width * height * depth; }
};

struct FillWork {
  CUdeviceptr to = 0;
  std::size_t pitch = 0;
  std::uint32_t value = 0;
  std::uint32_t elementBytes = 1;
  std::size_t width = 0; // elements
  std::size_t height = 1;
};

/** A function of the program; one of the two forms. */
struct HostWork {
  CUhostFn function = nullptr;
  CUstreamCallback callback = nullptr;
  CUstream stream = nullptr; // handed to the callback
  void* userData = nullptr;
};

struct FreeWork {
  CUdeviceptr address = 0;
};

/** The place in a stream from which on an allocation may be used; it was made when the call was. */
struct AllocateWork {
  CUdeviceptr address = 0;
  std::size_t bytes = 0;
  /** Of an allocation node: made live by each launch of the graph. */
  std::shared_ptr<GraphMemory> memory;
};

/** A call of cuBLAS or cuSPARSE. */
struct LibraryWork {
  std::string name;
  std::function<CUresult()> run;
  Footprint footprint;
};

/** Without a record the event gets a new one at each execution, as in a graph. */
struct EventRecordWork {
  std::shared_ptr<Event> event;
  std::shared_ptr<EventRecord> record;
};

/** Without a record it is the event's latest at execution. */
struct EventWaitWork {
  std::shared_ptr<Event> event;
  std::shared_ptr<EventRecord> record;
};

struct EmptyWork {};

/** The nodes of a graph in an order that respects its edges. */
struct GraphWork {
  struct Node {
    std::shared_ptr<const Work> work;
    std::vector<std::size_t> after; // the nodes it depends on
  };

  std::vector<Node> nodes;
};

using AnyWork = std::variant<EmptyWork, KernelWork, CopyWork, FillWork, HostWork, FreeWork, AllocateWork,
                             LibraryWork, EventRecordWork, EventWaitWork, GraphWork>;

struct Work : AnyWork {
  using AnyWork::AnyWork;

  const AnyWork& any() const { return *this; }
};

} // namespace simgpu::driver
