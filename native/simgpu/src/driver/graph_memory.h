// Memory that a graph allocates: its address is known when the node is added, and each launch makes it live anew.
#pragma once

#include "driver/driver.h"

#include <memory>

namespace simgpu::driver {

/** The addresses of one allocation node, kept for as long as the node or an executable graph with it is there. */
struct GraphMemory {
  DeviceMemory& memory;
  CUdeviceptr address;
  std::size_t bytes;
  std::weak_ptr<GraphExec> exec; // at most one executable graph may hold it

  GraphMemory(DeviceMemory& of, CUdeviceptr at, std::size_t size) : memory(of), address(at), bytes(size) {}
  ~GraphMemory() { memory.release(address); }
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;
};

/** The work of a new allocation node; notes why there is none. */
CUresult allocationNode(Driver& driver, const Context& context, std::size_t bytes, AllocateWork& work);

/** Whether memory can be freed by a graph's node. */
CUresult freeNode(Driver& driver, CUdeviceptr address, FreeWork& work);

/** Refuses what graphs with allocations must not be part of: clones, child graphs. */
CUresult refuseAllocations(Driver& driver, const Graph& graph);
CUresult refuseAllocations(Driver& driver, const GraphExec& exec);

/** Ties the allocations of `exec` to it: another executable graph of the same nodes is refused. */
CUresult claimAllocations(Driver& driver, const std::shared_ptr<GraphExec>& exec);

/**
 * Makes the graph's allocations live for a launch. What an earlier launch left behind is freed if the graph was
 * instantiated so, and otherwise an error.
 */
CUresult reviveAllocations(Driver& driver, Context& context, const GraphExec& exec);

} // namespace simgpu::driver
