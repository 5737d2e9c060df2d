// Graphs of work.
#pragma once

#include "driver/driver.h"

#include <span>

namespace simgpu::driver {

CUgraphNodeType nodeType(const Work& work);

std::shared_ptr<Graph> createGraph(Driver& driver, const Context& context);

/** Adds a node after the given ones, which must be of the same graph; null when they are not. */
std::shared_ptr<GraphNode> addNode(Driver& driver, const std::shared_ptr<Graph>& graph,
                                   std::span<const CUgraphNode> after, CUgraphNodeType type,
                                   std::shared_ptr<const Work> work);

void destroyGraph(Driver& driver, const std::shared_ptr<Graph>& graph);

std::shared_ptr<Graph> cloneGraph(Driver& driver, const Graph& graph);

/** Whether `node` depends on `on`, at any distance. */
bool dependsOn(const Driver& driver, const GraphNode& node, CUgraphNode on);

/** The graph's nodes, each after those it depends on, the nodes of child graphs in their parents' places. */
std::vector<GraphExec::Node> flatten(const Graph& graph);

} // namespace simgpu::driver
