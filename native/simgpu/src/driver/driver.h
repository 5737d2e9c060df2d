// The state of the simulated driver: one per process.
#pragma once

#include "driver/configuration.h"
#include "driver/finding_log.h"
#include "driver/handle_table.h"
#include "driver/launch_log.h"
#include "driver/objects.h"
#include "driver/scheduler.h"
#include "driver/stream_order.h"

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace simgpu::driver {

/** Owner of what belongs to no context. */
inline constexpr std::uint64_t noOwner = 0;

class Driver {
public:
  /** Never destroyed: other threads may still be in a call when the process ends. */
  static Driver& instance();

  /** Taken by every function of the interface for its whole length; again by libraries whose queued work is run. */
  std::recursive_mutex mutex;

  bool initialised = false;
  Configuration configuration;
  FindingLog findings;
  LaunchLog launches;
  Scheduler scheduler{*this};
  StreamOrder order{*this};

  HandleTable<CUcontext, Context> contexts;
  HandleTable<CUmodule, LoadedModule> modules;
  HandleTable<CUfunction, Function> functions;
  HandleTable<CUstream, Stream> streams;
  HandleTable<CUevent, Event> events;
  HandleTable<CUgraph, Graph> graphs;
  HandleTable<CUgraphNode, GraphNode> graphNodes;
  HandleTable<CUgraphExec, GraphExec> graphExecs;
  HandleTable<CUarray, Array> arrays;
  HandleTable<CUarray, TextureObject> textures;
  HandleTable<CUmemoryPool, Pool> pools;
  HandleTable<CUlinkState, LinkState> links;
  CUmemoryPool devicePool = nullptr; // that of cuMemAllocAsync, once a program has asked for it
  std::map<std::uint64_t, HostRange> hostRanges; // by address
  std::set<CUdeviceptr> queuedFrees;             // by cuMemFreeAsync, not run yet

  std::shared_ptr<Context> primary; // null while nobody retains it
  unsigned primaryUsers = 0;
  unsigned primaryFlags = 0;

  DeviceMemory& memory();
  Engine& engine();

  /** Resets to the environment's settings changed by `words`; false and a `problem` when they cannot be applied. */
  bool configure(std::string_view words, std::string& problem);

  /** Notes why a call answers `result` and gives it back. */
  CUresult refuse(CUresult result, std::string reason);
  /** Notes a finding of the driver that is no answer to a call. */
  void report(std::string kind, CUresult status, std::string text);
  void report(const Finding& finding);

  std::shared_ptr<Context> createContext(unsigned flags, bool isPrimary);
  /** Runs what is pending, reports what was not freed, frees it. */
  void endContext(Context& context);
  void endAllContexts();

  /** The context that owns something; null when it has ended. */
  std::shared_ptr<Context> contextOf(std::uint64_t owner) const;
  /** All streams of a context but the legacy default stream. */
  std::vector<std::shared_ptr<Stream>> streamsOf(const Context& context) const;

  /** The stream of a handle, null being the legacy default stream; null when the context has no such stream. */
  std::shared_ptr<Stream> stream(Context& context, CUstream handle);

  /** The pinned range that contains all of these bytes; null for pageable memory. */
  const HostRange* pinned(std::uint64_t address, std::size_t bytes) const;
  /** Whether the address lies in the device's memory, freed or not, and not in pinned host memory. */
  bool onDevice(std::uint64_t address);

  /** An error if a capture forbids calls that may wait or change the device from the calling thread. */
  CUresult captureForbids(const Context& context);

private:
  Driver();
  void reportLeaks(const Context& context);

  std::unique_ptr<DeviceMemory> memory_;
  std::unique_ptr<Engine> engine_;
  std::uint64_t nextOwner_ = 1;
};

} // namespace simgpu::driver
