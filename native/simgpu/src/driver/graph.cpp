#include "driver/graph.h"

#include <algorithm>
#include <map>
#include <set>

namespace simgpu::driver {

CUgraphNodeType nodeType(const Work& work) {
  if (std::holds_alternative<KernelWork>(work.any())) return CU_GRAPH_NODE_TYPE_KERNEL;
  // a library call stands for kernels whose parameters nobody may touch
  if (std::holds_alternative<LibraryWork>(work.any())) return CU_GRAPH_NODE_TYPE_KERNEL;
  if (std::holds_alternative<CopyWork>(work.any())) return CU_GRAPH_NODE_TYPE_MEMCPY;
  if (std::holds_alternative<FillWork>(work.any())) return CU_GRAPH_NODE_TYPE_MEMSET;
  if (std::holds_alternative<HostWork>(work.any())) return CU_GRAPH_NODE_TYPE_HOST;
  if (std::holds_alternative<AllocateWork>(work.any())) return CU_GRAPH_NODE_TYPE_MEM_ALLOC;
  if (std::holds_alternative<FreeWork>(work.any())) return CU_GRAPH_NODE_TYPE_MEM_FREE;
  if (std::holds_alternative<EventRecordWork>(work.any())) return CU_GRAPH_NODE_TYPE_EVENT_RECORD;
  if (std::holds_alternative<EventWaitWork>(work.any())) return CU_GRAPH_NODE_TYPE_WAIT_EVENT;
  if (std::holds_alternative<GraphWork>(work.any())) return CU_GRAPH_NODE_TYPE_GRAPH;
  return CU_GRAPH_NODE_TYPE_EMPTY;
}

std::shared_ptr<Graph> createGraph(Driver& driver, const Context& context) {
  auto graph = std::make_shared<Graph>();
  graph->owner = context.id;
  driver.graphs.add(graph);
  return graph;
}

std::shared_ptr<GraphNode> addNode(Driver& driver, const std::shared_ptr<Graph>& graph,
                                   std::span<const CUgraphNode> after, CUgraphNodeType type,
                                   std::shared_ptr<const Work> work) {
  for (const CUgraphNode dependency : after) {
    const std::shared_ptr<GraphNode> found = driver.graphNodes.find(dependency);
    if (found == nullptr || found->graph.lock() != graph) return nullptr;
  }
  auto node = std::make_shared<GraphNode>();
  node->owner = graph->owner;
  node->type = type;
  node->graph = graph;
  node->work = std::move(work);
  node->dependencies.assign(after.begin(), after.end());
  driver.graphNodes.add(node);
  graph->nodes.push_back(node);
  return node;
}

void destroyGraph(Driver& driver, const std::shared_ptr<Graph>& graph) {
  for (const auto& node : graph->nodes) {
    if (node->child != nullptr) destroyGraph(driver, node->child);
    driver.graphNodes.remove(node->handle);
  }
  driver.graphs.remove(graph->handle);
}

std::shared_ptr<Graph> cloneGraph(Driver& driver, const Graph& graph) {
  auto clone = std::make_shared<Graph>();
  clone->owner = graph.owner;
  driver.graphs.add(clone);
  std::map<CUgraphNode, CUgraphNode> cloned;
  for (const auto& node : graph.nodes) {
    const std::shared_ptr<GraphNode> copy = addNode(driver, clone, {}, node->type, node->work);
    copy->original = node->handle;
    if (node->child != nullptr) {
      copy->child = cloneGraph(driver, *node->child);
      copy->child->nested = true;
    }
    cloned[node->handle] = copy->handle;
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const CUgraphNode dependency : graph.nodes[i]->dependencies) {
      clone->nodes[i]->dependencies.push_back(cloned.at(dependency));
    }
  }
  return clone;
}

bool dependsOn(const Driver& driver, const GraphNode& node, CUgraphNode on) {
  std::set<CUgraphNode> seen;
  std::vector<CUgraphNode> todo = node.dependencies;
  while (!todo.empty()) {
    const CUgraphNode next = todo.back();
    todo.pop_back();
    if (next == on) return true;
    if (!seen.insert(next).second) continue;
    const std::shared_ptr<GraphNode> found = driver.graphNodes.find(next);
    if (found != nullptr) todo.insert(todo.end(), found->dependencies.begin(), found->dependencies.end());
  }
  return false;
}

namespace {

/** Appends a graph whose roots come after `entry`; gives the nodes that what follows the graph has to come after. */
std::vector<std::size_t> append(const Graph& graph, const std::vector<std::size_t>& entry,
                                std::vector<GraphExec::Node>& order) {
  std::map<CUgraphNode, std::vector<std::size_t>> placed; // by node, what stands for its end
  std::set<CUgraphNode> leaves;
  for (const auto& node : graph.nodes) leaves.insert(node->handle);
  // edges cannot form a circle, so every pass places a node
  while (placed.size() < graph.nodes.size()) {
    for (const auto& node : graph.nodes) {
      if (placed.contains(node->handle)) continue;
      const bool ready = std::all_of(node->dependencies.begin(), node->dependencies.end(),
                                     [&](CUgraphNode dependency) { return placed.contains(dependency); });
      if (!ready) continue;
      std::vector<std::size_t> after = node->dependencies.empty() ? entry : std::vector<std::size_t>{};
      for (const CUgraphNode dependency : node->dependencies) {
        leaves.erase(dependency);
        after.insert(after.end(), placed[dependency].begin(), placed[dependency].end());
      }
      std::sort(after.begin(), after.end());
      after.erase(std::unique(after.begin(), after.end()), after.end());
      if (node->child != nullptr) {
        placed[node->handle] = append(*node->child, after, order);
      } else {
        placed[node->handle] = {order.size()};
        order.push_back({node->handle, node->type, node->work, std::move(after)});
      }
    }
  }
  if (graph.nodes.empty()) return entry;
  std::vector<std::size_t> exits;
  for (const CUgraphNode leaf : leaves) exits.insert(exits.end(), placed[leaf].begin(), placed[leaf].end());
  return exits;
}

} // namespace

std::vector<GraphExec::Node> flatten(const Graph& graph) {
  std::vector<GraphExec::Node> order;
  append(graph, {}, order);
  return order;
}

} // namespace simgpu::driver
