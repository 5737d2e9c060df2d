// Nodes of graphs: adding them, reading and changing their parameters.
#include "driver/call.h"
#include "driver/cuda_api.h"
#include "driver/graph.h"
#include "driver/graph_memory.h"
#include "driver/node_arguments.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

/** Adds a node whose work `make` builds. */
template <class Make>
CUresult add(const char* name, CUgraphNode* node, CUgraph handle, const CUgraphNode* after, std::size_t count,
             CUgraphNodeType type, Make make) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<Graph> graph = driver.graphs.find(handle);
    if (graph == nullptr) return badHandle(driver, "graph", handle);
    if (node == nullptr || (count > 0 && after == nullptr)) return nullArgument(driver, "node or dependencies");
    WorkPointer work;
    if (const CUresult bad = make(driver, work)) return bad;
    const auto added = addNode(driver, graph, {after, count}, type, work);
    if (added == nullptr) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a dependency is no node of the graph");
    *node = added->handle;
    return CUDA_SUCCESS;
  });
}

/** Calls `body` with the node's work of one kind. */
template <class Kind, class Body> CUresult withWork(const char* name, CUgraphNode handle, Body body) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<GraphNode> node = driver.graphNodes.find(handle);
    if (node == nullptr) return badHandle(driver, "graph node", handle);
    const Kind* work = node->work == nullptr ? nullptr : std::get_if<Kind>(&node->work->any());
    if (work == nullptr) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the node is of another type");
    return body(driver, *node, *work);
  });
}

CUresult empty(Driver&, WorkPointer& work) {
  work = std::make_shared<const Work>(EmptyWork{});
  return CUDA_SUCCESS;
}

template <class Kind> auto ofEvent(CUevent handle) {
  return [handle](Driver& driver, WorkPointer& work) { return eventNode<Kind>(driver, handle, work); };
}

template <class Kind> CUresult getEvent(const char* name, CUgraphNode node, CUevent* event) {
  return withWork<Kind>(name, node, [&](Driver& driver, GraphNode&, const Kind& work) -> CUresult {
    if (event == nullptr) return nullArgument(driver, "event");
    *event = work.event->handle;
    return CUDA_SUCCESS;
  });
}

template <class Kind> CUresult setEvent(const char* name, CUgraphNode node, CUevent event) {
  return withWork<Kind>(name, node, [&](Driver& driver, GraphNode& found, const Kind&) {
    return eventNode<Kind>(driver, event, found.work);
  });
}

/** Attributes of launches that a kernel node can have; only one of them means anything to the simulation. */
bool isLaunchAttribute(unsigned attribute) {
  return attribute == CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW || attribute == CU_LAUNCH_ATTRIBUTE_COOPERATIVE ||
         attribute == CU_LAUNCH_ATTRIBUTE_PRIORITY;
}

} // namespace

CUresult cuGraphAddEmptyNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count) {
  return add("cuGraphAddEmptyNode", node, graph, after, count, CU_GRAPH_NODE_TYPE_EMPTY, empty);
}

CUresult cuGraphAddKernelNode_v2(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                                 const CUDA_KERNEL_NODE_PARAMS* parameters) {
  return add("cuGraphAddKernelNode", node, graph, after, count, CU_GRAPH_NODE_TYPE_KERNEL,
             [&](Driver& driver, WorkPointer& work) { return kernelNode(driver, parameters, work); });
}

CUresult cuGraphAddMemcpyNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                              const CUDA_MEMCPY3D* copy, CUcontext) {
  return add("cuGraphAddMemcpyNode", node, graph, after, count, CU_GRAPH_NODE_TYPE_MEMCPY,
             [&](Driver& driver, WorkPointer& work) { return copyNode(driver, copy, work); });
}

CUresult cuGraphAddMemsetNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                              const CUDA_MEMSET_NODE_PARAMS* fill, CUcontext) {
  return add("cuGraphAddMemsetNode", node, graph, after, count, CU_GRAPH_NODE_TYPE_MEMSET,
             [&](Driver& driver, WorkPointer& work) { return fillNode(driver, fill, work); });
}

CUresult cuGraphAddHostNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                            const CUDA_HOST_NODE_PARAMS* host) {
  return add("cuGraphAddHostNode", node, graph, after, count, CU_GRAPH_NODE_TYPE_HOST,
             [&](Driver& driver, WorkPointer& work) { return hostNode(driver, host, work); });
}

CUresult cuGraphAddEventRecordNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                                   CUevent event) {
  return add("cuGraphAddEventRecordNode", node, graph, after, count, CU_GRAPH_NODE_TYPE_EVENT_RECORD,
             ofEvent<EventRecordWork>(event));
}

CUresult cuGraphAddEventWaitNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                                 CUevent event) {
  return add("cuGraphAddEventWaitNode", node, graph, after, count, CU_GRAPH_NODE_TYPE_WAIT_EVENT,
             ofEvent<EventWaitWork>(event));
}

CUresult cuGraphAddChildGraphNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, std::size_t count,
                                  CUgraph childHandle) {
  std::shared_ptr<Graph> child;
  const CUresult result =
      add("cuGraphAddChildGraphNode", node, graph, after, count, CU_GRAPH_NODE_TYPE_GRAPH,
          [&](Driver& driver, WorkPointer& work) -> CUresult {
            const std::shared_ptr<Graph> original = driver.graphs.find(childHandle);
            if (original == nullptr) return badHandle(driver, "child graph", childHandle);
            if (const CUresult bad = refuseAllocations(driver, *original)) return bad;
            if (childHandle == graph) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a graph cannot contain itself");
            child = cloneGraph(driver, *original);
            child->nested = true;
            return empty(driver, work);
          });
  if (child == nullptr) return result;
  return callInContext("cuGraphAddChildGraphNode", [&](Driver& driver, Context&) -> CUresult {
    if (result != CUDA_SUCCESS) {
      destroyGraph(driver, child);
    } else if (const auto added = driver.graphNodes.find(*node)) {
      added->child = child;
    }
    return result;
  });
}

CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode handle, CUgraph* graph) {
  return callInContext("cuGraphChildGraphNodeGetGraph", [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<GraphNode> node = driver.graphNodes.find(handle);
    if (node == nullptr) return badHandle(driver, "graph node", handle);
    if (graph == nullptr) return nullArgument(driver, "graph");
    if (node->child == nullptr) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the node is of another type");
    *graph = node->child->handle;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS* parameters) {
  return withWork<KernelWork>("cuGraphKernelNodeGetParams", node,
                              [&](Driver& driver, GraphNode&, const KernelWork& kernel) -> CUresult {
                                if (parameters == nullptr) return nullArgument(driver, "parameters");
                                *parameters = asNodeParameters(kernel);
                                return CUDA_SUCCESS;
                              });
}

CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS* parameters) {
  return withWork<KernelWork>("cuGraphKernelNodeSetParams", node,
                              [&](Driver& driver, GraphNode& found, const KernelWork&) {
                                return kernelNode(driver, parameters, found.work);
                              });
}

CUresult cuGraphMemcpyNodeGetParams(CUgraphNode node, CUDA_MEMCPY3D* copy) {
  return withWork<CopyWork>("cuGraphMemcpyNodeGetParams", node,
                            [&](Driver& driver, GraphNode&, const CopyWork& work) -> CUresult {
                              if (copy == nullptr) return nullArgument(driver, "copy");
                              *copy = asNodeParameters(work);
                              return CUDA_SUCCESS;
                            });
}

CUresult cuGraphMemcpyNodeSetParams(CUgraphNode node, const CUDA_MEMCPY3D* copy) {
  return withWork<CopyWork>("cuGraphMemcpyNodeSetParams", node, [&](Driver& driver, GraphNode& found, const CopyWork&) {
    return copyNode(driver, copy, found.work);
  });
}

CUresult cuGraphMemsetNodeGetParams(CUgraphNode node, CUDA_MEMSET_NODE_PARAMS* fill) {
  return withWork<FillWork>("cuGraphMemsetNodeGetParams", node,
                            [&](Driver& driver, GraphNode&, const FillWork& work) -> CUresult {
                              if (fill == nullptr) return nullArgument(driver, "fill");
                              *fill = {work.to, work.pitch, work.value, work.elementBytes, work.width, work.height};
                              return CUDA_SUCCESS;
                            });
}

CUresult cuGraphMemsetNodeSetParams(CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS* fill) {
  return withWork<FillWork>("cuGraphMemsetNodeSetParams", node, [&](Driver& driver, GraphNode& found, const FillWork&) {
    return fillNode(driver, fill, found.work);
  });
}

CUresult cuGraphHostNodeGetParams(CUgraphNode node, CUDA_HOST_NODE_PARAMS* host) {
  return withWork<HostWork>("cuGraphHostNodeGetParams", node,
                            [&](Driver& driver, GraphNode&, const HostWork& work) -> CUresult {
                              if (host == nullptr) return nullArgument(driver, "host");
                              *host = {work.function, work.userData};
                              return CUDA_SUCCESS;
                            });
}

CUresult cuGraphHostNodeSetParams(CUgraphNode node, const CUDA_HOST_NODE_PARAMS* host) {
  return withWork<HostWork>("cuGraphHostNodeSetParams", node, [&](Driver& driver, GraphNode& found, const HostWork&) {
    return hostNode(driver, host, found.work);
  });
}

CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode node, CUevent* event) {
  return getEvent<EventRecordWork>("cuGraphEventRecordNodeGetEvent", node, event);
}

CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event) {
  return setEvent<EventRecordWork>("cuGraphEventRecordNodeSetEvent", node, event);
}

CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode node, CUevent* event) {
  return getEvent<EventWaitWork>("cuGraphEventWaitNodeGetEvent", node, event);
}

CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event) {
  return setEvent<EventWaitWork>("cuGraphEventWaitNodeSetEvent", node, event);
}

CUresult cuGraphKernelNodeGetAttribute(CUgraphNode node, unsigned attribute, CUlaunchAttributeValue* value) {
  return withWork<KernelWork>("cuGraphKernelNodeGetAttribute", node,
                              [&](Driver& driver, GraphNode&, const KernelWork& kernel) -> CUresult {
                                if (value == nullptr || !isLaunchAttribute(attribute)) {
                                  return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such attribute, or no place");
                                }
                                *value = {};
                                const auto set = kernel.attributes.find(attribute);
                                if (set != kernel.attributes.end()) *value = set->second;
                                return CUDA_SUCCESS;
                              });
}

CUresult cuGraphKernelNodeSetAttribute(CUgraphNode node, unsigned attribute, const CUlaunchAttributeValue* value) {
  return withWork<KernelWork>("cuGraphKernelNodeSetAttribute", node,
                              [&](Driver& driver, GraphNode& found, const KernelWork& kernel) -> CUresult {
                                if (value == nullptr || !isLaunchAttribute(attribute)) {
                                  return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such attribute, or no value");
                                }
                                std::map<unsigned, CUlaunchAttributeValue> attributes = kernel.attributes;
                                attributes[attribute] = *value;
                                return withAttributes(driver, kernel, std::move(attributes), found.work);
                              });
}

CUresult cuGraphKernelNodeCopyAttributes(CUgraphNode to, CUgraphNode from) {
  std::map<unsigned, CUlaunchAttributeValue> attributes;
  const CUresult read = withWork<KernelWork>("cuGraphKernelNodeCopyAttributes", from,
                                             [&](Driver&, GraphNode&, const KernelWork& kernel) -> CUresult {
                                               attributes = kernel.attributes;
                                               return CUDA_SUCCESS;
                                             });
  if (read != CUDA_SUCCESS) return read;
  return withWork<KernelWork>("cuGraphKernelNodeCopyAttributes", to,
                              [&](Driver& driver, GraphNode& found, const KernelWork& kernel) {
                                return withAttributes(driver, kernel, attributes, found.work);
                              });
}
