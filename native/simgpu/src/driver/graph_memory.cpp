#include "driver/graph_memory.h"

#include "driver/call.h"
#include "driver/executor.h"

namespace simgpu::driver {
namespace {

constexpr const char* graphLabel = "graph memory";

GraphMemory* memoryOf(const std::shared_ptr<const Work>& work) {
  const auto* allocation = work == nullptr ? nullptr : std::get_if<AllocateWork>(&work->any());
  return allocation == nullptr ? nullptr : allocation->memory.get();
}

bool isMemoryNode(CUgraphNodeType type) {
  return type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || type == CU_GRAPH_NODE_TYPE_MEM_FREE;
}

CUresult refuse(Driver& driver) {
  return driver.refuse(CUDA_ERROR_NOT_SUPPORTED,
                       "a graph with allocation or free nodes cannot be cloned or be a child");
}

bool live(const Driver&, const GraphMemory& memory) {
  return memory.memory.check(memory.address, memory.bytes) == MemoryStatus::ok;
}

} // namespace

CUresult allocationNode(Driver& driver, const Context& context, std::size_t bytes, AllocateWork& work) {
  if (bytes == 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "an allocation of 0 bytes");
  const DeviceAddress address = driver.memory().reserveAddresses(bytes, context.id, graphLabel);
  if (address == 0) {
    return driver.refuse(CUDA_ERROR_OUT_OF_MEMORY, "the device has no " + std::to_string(bytes) + " bytes for a graph");
  }
  work = {address, bytes, std::make_shared<GraphMemory>(driver.memory(), address, bytes)};
  return CUDA_SUCCESS;
}

CUresult freeNode(Driver& driver, CUdeviceptr address, FreeWork& work) {
  const std::optional<Allocation> found = driver.memory().find(address);
  MemoryStatus status = MemoryStatus::ok;
  if (!found || found->kind != AllocationKind::user) {
    status = MemoryStatus::unknown;
  } else if (found->base != address) {
    status = MemoryStatus::notBase;
  } else if (found->freed && !found->reserved) {
    status = MemoryStatus::freed;
  }
  work = {address};
  return explain(driver, status, "a free", address, 0);
}

CUresult refuseAllocations(Driver& driver, const Graph& graph) {
  for (const auto& node : graph.nodes) {
    if (isMemoryNode(node->type)) return refuse(driver);
  }
  return CUDA_SUCCESS;
}

CUresult refuseAllocations(Driver& driver, const GraphExec& exec) {
  for (const GraphExec::Node& node : exec.nodes) {
    if (isMemoryNode(node.type)) return refuse(driver);
  }
  return CUDA_SUCCESS;
}

CUresult claimAllocations(Driver& driver, const std::shared_ptr<GraphExec>& exec) {
  for (const GraphExec::Node& node : exec->nodes) {
    const GraphMemory* memory = memoryOf(node.work);
    if (memory != nullptr && !memory->exec.expired()) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                           "a graph with allocations can have one executable graph at a time");
    }
  }
  for (const GraphExec::Node& node : exec->nodes) {
    if (GraphMemory* memory = memoryOf(node.work)) memory->exec = exec;
  }
  return CUDA_SUCCESS;
}

CUresult reviveAllocations(Driver& driver, Context& context, const GraphExec& exec) {
  bool waited = false;
  for (const GraphExec::Node& node : exec.nodes) {
    const GraphMemory* memory = memoryOf(node.work);
    if (memory == nullptr) continue;
    if (live(driver, *memory) && !waited) {
      // its free may be queued still
      if (const CUresult failed = driver.scheduler.synchronize(context)) return failed;
      waited = true;
    }
    if (live(driver, *memory)) {
      if (!exec.freesOnLaunch) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                             "memory of an earlier launch of the graph has not been freed: " +
                                 driver.memory().find(memory->address)->describe());
      }
      driver.memory().free(memory->address);
    }
    if (!driver.configuration.faults.countAllocation() || !driver.memory().revive(memory->address)) {
      return driver.refuse(CUDA_ERROR_OUT_OF_MEMORY,
                           std::to_string(memory->bytes) + " bytes wanted by an allocation node of the graph");
    }
  }
  return CUDA_SUCCESS;
}

} // namespace simgpu::driver
