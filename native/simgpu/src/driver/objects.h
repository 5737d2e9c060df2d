// What a program holds handles of. Everything here is guarded by the driver's mutex.
#pragma once

#include "driver/cuda_types.h"
#include "driver/work.h"
#include "exec/engine.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace simgpu::driver {

struct Stream;
struct Graph;

struct Context {
  CUcontext handle = nullptr;
  bool primary = false;
  unsigned flags = 0;
  std::uint64_t id = 0; // the owner noted in its allocations
  int cacheConfig = 0;
  int sharedConfig = 0;
  /** The error that made the context unusable; every call in it answers this one from then on. */
  CUresult sticky = CUDA_SUCCESS;
  std::map<int, std::size_t> otherLimits; // those the engine does not know
  std::shared_ptr<Stream> legacy;         // the NULL stream
  std::map<std::thread::id, std::shared_ptr<Stream>> perThread;
  Clock submitted;        // everything so far
  Clock destroyedStreams; // what blocking streams did that are gone
};

/** A text loaded as a module. */
struct LoadedModule {
  CUmodule handle = nullptr;
  std::uint64_t owner = 0;
  std::unique_ptr<Module> code;
  std::map<std::string, CUfunction> functions; // those asked for so far
};

struct Function {
  CUfunction handle = nullptr;
  std::uint64_t owner = 0;
  std::shared_ptr<LoadedModule> module;
  const Kernel* kernel = nullptr;
  std::uint32_t maxDynamicShared = 0; // 0: not set
  int carveout = -1;
  int cacheConfig = 0;
};

/** A sequence of operations being turned into a graph. */
struct Capture {
  std::shared_ptr<Graph> graph;
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
  std::thread::id thread;
  CUstream origin = nullptr;
  bool invalid = false;
  bool ended = false;
};

struct Task {
  std::uint64_t sequence = 0; // across all streams, in order of submission
  std::shared_ptr<const Work> work;
  std::vector<Place> places; // one, or one of each node of a graph
};

/** Of streams: from the most urgent to the least. */
inline constexpr int greatestPriority = -5;
inline constexpr int leastPriority = 0;

struct Stream {
  CUstream handle = nullptr;
  std::uint64_t owner = 0;
  unsigned flags = 0;
  int priority = 0;
  bool legacy = false;
  std::deque<Task> pending;
  std::vector<Lane> lanes; // one, and more for what graphs launched here do in parallel
  Clock clock;             // after its last operation
  double projected = 0;    // milliseconds of a device's time up to the last operation that ran
  std::shared_ptr<Capture> capture;      // null when not capturing
  std::vector<CUgraphNode> captureTail; // what the next captured operation depends on

  bool blocking() const { return !legacy && (flags & CU_STREAM_NON_BLOCKING) == 0; }
};

/** One recording of an event: done when its place in the stream has been reached. */
struct EventRecord {
  std::weak_ptr<Stream> stream;
  bool done = false;
  double milliseconds = 0; // of the process's monotonic clock
  double projected = 0;    // the stream's, when its place was reached
  Clock clock;             // of its place in the stream
};

struct Event {
  CUevent handle = nullptr;
  std::uint64_t owner = 0;
  unsigned flags = 0;
  std::shared_ptr<EventRecord> last; // null: never recorded
  std::shared_ptr<Capture> capture;  // set while the last recording was captured
  std::vector<CUgraphNode> captureTail;
};

struct GraphNode {
  CUgraphNode handle = nullptr;
  std::uint64_t owner = 0;
  CUgraphNodeType type = CU_GRAPH_NODE_TYPE_EMPTY;
  std::weak_ptr<Graph> graph;
  std::shared_ptr<const Work> work;
  std::shared_ptr<Graph> child;
  std::vector<CUgraphNode> dependencies;
  CUgraphNode original = nullptr; // in a clone, the node it was made from
};

struct Graph {
  CUgraph handle = nullptr;
  std::uint64_t owner = 0;
  std::vector<std::shared_ptr<GraphNode>> nodes; // in order of creation
  bool nested = false;                           // the child of a node, which owns it
};

struct GraphExec {
  struct Node {
    CUgraphNode origin = nullptr;
    CUgraphNodeType type = CU_GRAPH_NODE_TYPE_EMPTY;
    std::shared_ptr<const Work> work;
    std::vector<std::size_t> after; // the nodes it depends on, all of them before it
  };

  CUgraphExec handle = nullptr;
  std::uint64_t owner = 0;
  std::vector<Node> nodes; // in an order that respects the edges
  bool freesOnLaunch = false; // CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH
  std::shared_ptr<EventRecord> lastLaunch; // launches of one executable graph never overlap; null before the first
};

/** Texels in memory of the device, row by row without gaps: a device has layouts of its own, which nobody sees. */
struct Array {
  CUarray handle = nullptr;
  std::uint64_t owner = 0;
  CUDA_ARRAY3D_DESCRIPTOR descriptor{};
  CUdeviceptr address = 0;
  std::size_t pitch = 0; // bytes of a row
  std::size_t rows = 1;  // of a slice or layer
  std::size_t slices = 1;
};

struct TextureObject {
  CUarray handle = nullptr; // the number that a program holds, as a pointer
  std::uint64_t owner = 0;
  CUDA_RESOURCE_DESC resource{};
  CUDA_TEXTURE_DESC sampling{};
};

struct Pool {
  CUmemoryPool handle = nullptr;
  std::uint64_t owner = 0;
  std::map<int, std::uint64_t> attributes; // those a program has set; none changes what a pool does here
};

struct LinkState {
  CUlinkState handle = nullptr;
  std::uint64_t owner = 0;
  std::vector<std::string> texts;
  std::string image; // the linked text, handed out by cuLinkComplete
  char* errorLog = nullptr;
  std::size_t errorLogBytes = 0;
};

/** Pinned host memory: from cuMemHostAlloc (device-visible) or registered by the program. */
struct HostRange {
  std::uint64_t owner = 0;
  std::uint64_t address = 0;
  std::size_t bytes = 0;
  unsigned flags = 0;
  bool registered = false;

  bool contains(std::uint64_t at, std::size_t count) const {
    return at >= address && count <= bytes && at - address <= bytes - count;
  }
};

} // namespace simgpu::driver
