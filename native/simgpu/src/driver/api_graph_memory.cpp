// Allocation and free nodes of graphs.
#include "driver/call.h"
#include "driver/cuda_api.h"
#include "driver/graph.h"
#include "driver/graph_memory.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

CUresult addMemoryNode(Driver& driver, CUgraphNode* node, CUgraph handle, const CUgraphNode* after, std::size_t count,
                       Work work) {
  const std::shared_ptr<Graph> graph = driver.graphs.find(handle);
  if (graph == nullptr) return badHandle(driver, "graph", handle);
  if (node == nullptr || (count > 0 && after == nullptr)) return nullArgument(driver, "node or dependencies");
  if (graph->nested) {
    return driver.refuse(CUDA_ERROR_NOT_SUPPORTED, "a child graph cannot have allocation or free nodes");
  }
  const CUgraphNodeType type = nodeType(work);
  const auto added = addNode(driver, graph, {after, count}, type, std::make_shared<const Work>(std::move(work)));
  if (added == nullptr) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a dependency is no node of the graph");
  *node = added->handle;
  return CUDA_SUCCESS;
}

/** Calls `body` with the node's work of one kind. */
template <class Kind, class Body> CUresult withMemoryNode(const char* name, CUgraphNode handle, Body body) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<GraphNode> node = driver.graphNodes.find(handle);
    if (node == nullptr) return badHandle(driver, "graph node", handle);
    const Kind* work = node->work == nullptr ? nullptr : std::get_if<Kind>(&node->work->any());
    if (work == nullptr) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the node is of another type");
    return body(driver, *work);
  });
}

} // namespace

CUresult cuGraphAddMemAllocNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                                CUDA_MEM_ALLOC_NODE_PARAMS* allocation) {
  return callInContext("cuGraphAddMemAllocNode", [&](Driver& driver, Context& context) -> CUresult {
    if (allocation == nullptr) return nullArgument(driver, "parameters");
    allocation->dptr = 0;
    constexpr unsigned pinnedType = 1; // CU_MEM_ALLOCATION_TYPE_PINNED
    if (allocation->poolProps.allocType != pinnedType || allocation->poolProps.locationId != 0) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a graph allocates pinned memory of device 0");
    }
    AllocateWork work;
    if (const CUresult failed = allocationNode(driver, context, allocation->bytesize, work)) return failed;
    const CUdeviceptr address = work.address;
    if (const CUresult failed = addMemoryNode(driver, node, graph, after, count, std::move(work))) return failed;
    allocation->dptr = address;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphAddMemFreeNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                               CUdeviceptr address) {
  return callInContext("cuGraphAddMemFreeNode", [&](Driver& driver, Context&) -> CUresult {
    FreeWork work;
    if (const CUresult bad = freeNode(driver, address, work)) return bad;
    return addMemoryNode(driver, node, graph, after, count, work);
  });
}

CUresult cuGraphMemAllocNodeGetParams(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS* allocation) {
  return withMemoryNode<AllocateWork>("cuGraphMemAllocNodeGetParams", node,
                                      [&](Driver& driver, const AllocateWork& work) -> CUresult {
                                        if (allocation == nullptr) return nullArgument(driver, "parameters");
                                        *allocation = {};
                                        allocation->poolProps.allocType = 1; // pinned
                                        allocation->poolProps.locationType = 1; // device 0
                                        allocation->bytesize = work.bytes;
                                        allocation->dptr = work.address;
                                        return CUDA_SUCCESS;
                                      });
}

CUresult cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr* address) {
  return withMemoryNode<FreeWork>("cuGraphMemFreeNodeGetParams", node,
                                  [&](Driver& driver, const FreeWork& work) -> CUresult {
                                    if (address == nullptr) return nullArgument(driver, "address");
                                    *address = work.address;
                                    return CUDA_SUCCESS;
                                  });
}
