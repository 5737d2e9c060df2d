// Graphs: their creation and their edges.
#include "driver/call.h"
#include "driver/cuda_api.h"
#include "driver/graph.h"
#include "driver/graph_memory.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

template <class Body> CUresult withGraph(const char* name, CUgraph handle, Body body) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<Graph> graph = driver.graphs.find(handle);
    if (graph == nullptr) return badHandle(driver, "graph", handle);
    return body(driver, graph);
  });
}

template <class Body> CUresult withNode(const char* name, CUgraphNode handle, Body body) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<GraphNode> node = driver.graphNodes.find(handle);
    if (node == nullptr) return badHandle(driver, "graph node", handle);
    return body(driver, node);
  });
}

/** Fills an array of the program as the interface wants it: with null only the number is asked for. */
CUresult give(Driver& driver, const std::vector<CUgraphNode>& found, CUgraphNode* nodes, std::size_t* count) {
  if (count == nullptr) return nullArgument(driver, "count");
  if (nodes != nullptr) {
    for (std::size_t i = 0; i < *count; ++i) nodes[i] = i < found.size() ? found[i] : nullptr;
  }
  if (nodes == nullptr || *count > found.size()) *count = found.size();
  return CUDA_SUCCESS;
}

std::shared_ptr<GraphNode> nodeOf(Driver& driver, const std::shared_ptr<Graph>& graph, CUgraphNode handle) {
  const std::shared_ptr<GraphNode> node = driver.graphNodes.find(handle);
  return node != nullptr && node->graph.lock() == graph ? node : nullptr;
}

} // namespace

CUresult cuGraphCreate(CUgraph* graph, unsigned flags) {
  return callInContext("cuGraphCreate", [&](Driver& driver, Context& context) -> CUresult {
    if (graph == nullptr) return nullArgument(driver, "graph");
    if (flags != 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "flags must be 0");
    *graph = createGraph(driver, context)->handle;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphDestroy(CUgraph handle) {
  return withGraph("cuGraphDestroy", handle, [](Driver& driver, const auto& graph) -> CUresult {
    if (graph->nested) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a child graph belongs to its node");
    destroyGraph(driver, graph);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphClone(CUgraph* clone, CUgraph original) {
  return withGraph("cuGraphClone", original, [&](Driver& driver, const auto& graph) -> CUresult {
    if (clone == nullptr) return nullArgument(driver, "clone");
    if (const CUresult bad = refuseAllocations(driver, *graph)) return bad;
    *clone = cloneGraph(driver, *graph)->handle;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphNodeFindInClone(CUgraphNode* node, CUgraphNode original, CUgraph clone) {
  return withGraph("cuGraphNodeFindInClone", clone, [&](Driver& driver, const auto& graph) -> CUresult {
    if (node == nullptr) return nullArgument(driver, "node");
    for (const auto& each : graph->nodes) {
      if (each->original != original) continue;
      *node = each->handle;
      return CUDA_SUCCESS;
    }
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the graph has no clone of this node");
  });
}

CUresult cuGraphDestroyNode(CUgraphNode handle) {
  return withNode("cuGraphDestroyNode", handle, [&](Driver& driver, const auto& node) -> CUresult {
    if (node->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || node->type == CU_GRAPH_NODE_TYPE_MEM_FREE) {
      return driver.refuse(CUDA_ERROR_NOT_SUPPORTED, "allocation and free nodes cannot be taken out of a graph");
    }
    const std::shared_ptr<Graph> graph = node->graph.lock();
    for (const auto& other : graph->nodes) std::erase(other->dependencies, handle);
    std::erase(graph->nodes, node);
    if (node->child != nullptr) destroyGraph(driver, node->child);
    driver.graphNodes.remove(handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode* nodes, std::size_t* count) {
  return withGraph("cuGraphGetNodes", handle, [&](Driver& driver, const auto& graph) {
    std::vector<CUgraphNode> found;
    for (const auto& node : graph->nodes) found.push_back(node->handle);
    return give(driver, found, nodes, count);
  });
}

CUresult cuGraphGetRootNodes(CUgraph handle, CUgraphNode* nodes, std::size_t* count) {
  return withGraph("cuGraphGetRootNodes", handle, [&](Driver& driver, const auto& graph) {
    std::vector<CUgraphNode> found;
    for (const auto& node : graph->nodes) {
      if (node->dependencies.empty()) found.push_back(node->handle);
    }
    return give(driver, found, nodes, count);
  });
}

CUresult cuGraphGetEdges(CUgraph handle, CUgraphNode* from, CUgraphNode* to, std::size_t* count) {
  return withGraph("cuGraphGetEdges", handle, [&](Driver& driver, const auto& graph) -> CUresult {
    if (count == nullptr || (from == nullptr) != (to == nullptr)) return nullArgument(driver, "an argument");
    std::vector<CUgraphNode> starts;
    std::vector<CUgraphNode> ends;
    for (const auto& node : graph->nodes) {
      for (const CUgraphNode dependency : node->dependencies) {
        starts.push_back(dependency);
        ends.push_back(node->handle);
      }
    }
    std::size_t room = *count;
    if (const CUresult bad = give(driver, starts, from, &room)) return bad;
    return give(driver, ends, to, count);
  });
}

CUresult cuGraphNodeGetType(CUgraphNode handle, CUgraphNodeType* type) {
  return withNode("cuGraphNodeGetType", handle, [&](Driver& driver, const auto& node) -> CUresult {
    if (type == nullptr) return nullArgument(driver, "type");
    *type = node->type;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphNodeGetDependencies(CUgraphNode handle, CUgraphNode* nodes, std::size_t* count) {
  return withNode("cuGraphNodeGetDependencies", handle, [&](Driver& driver, const auto& node) {
    return give(driver, node->dependencies, nodes, count);
  });
}

CUresult cuGraphNodeGetDependentNodes(CUgraphNode handle, CUgraphNode* nodes, std::size_t* count) {
  return withNode("cuGraphNodeGetDependentNodes", handle, [&](Driver& driver, const auto& node) {
    std::vector<CUgraphNode> found;
    for (const auto& other : node->graph.lock()->nodes) {
      const auto& needed = other->dependencies;
      if (std::find(needed.begin(), needed.end(), handle) != needed.end()) found.push_back(other->handle);
    }
    return give(driver, found, nodes, count);
  });
}

CUresult cuGraphAddDependencies(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to, std::size_t count) {
  return withGraph("cuGraphAddDependencies", handle, [&](Driver& driver, const auto& graph) -> CUresult {
    if (count > 0 && (from == nullptr || to == nullptr)) return nullArgument(driver, "from or to");
    for (std::size_t i = 0; i < count; ++i) {
      const std::shared_ptr<GraphNode> start = nodeOf(driver, graph, from[i]);
      const std::shared_ptr<GraphNode> end = nodeOf(driver, graph, to[i]);
      if (start == nullptr || end == nullptr) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE, "an edge needs two nodes of the graph");
      }
      if (start == end || dependsOn(driver, *start, end->handle)) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the edge would close a circle");
      }
      auto& needed = end->dependencies;
      if (std::find(needed.begin(), needed.end(), from[i]) != needed.end()) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the edge is there already");
      }
      needed.push_back(from[i]);
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphRemoveDependencies(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to,
                                   std::size_t count) {
  return withGraph("cuGraphRemoveDependencies", handle, [&](Driver& driver, const auto& graph) -> CUresult {
    if (count > 0 && (from == nullptr || to == nullptr)) return nullArgument(driver, "from or to");
    for (std::size_t i = 0; i < count; ++i) {
      const std::shared_ptr<GraphNode> end = nodeOf(driver, graph, to[i]);
      if (end == nullptr || std::erase(end->dependencies, from[i]) == 0) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the graph has no such edge");
      }
    }
    return CUDA_SUCCESS;
  });
}
