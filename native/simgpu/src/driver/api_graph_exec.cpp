// Executable graphs: instantiation, launch, and changing the parameters of their nodes.
#include "driver/call.h"
#include "driver/capture.h"
#include "driver/cuda_api.h"
#include "driver/graph.h"
#include "driver/graph_memory.h"
#include "driver/node_arguments.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

GraphExec::Node* find(GraphExec& exec, CUgraphNode origin) {
  const auto node = std::find_if(exec.nodes.begin(), exec.nodes.end(),
                                 [&](const GraphExec::Node& each) { return each.origin == origin; });
  return node == exec.nodes.end() ? nullptr : &*node;
}

/** Replaces the work of a node; launches submitted before keep what they were submitted with. */
template <class Make>
CUresult change(const char* name, CUgraphExec handle, CUgraphNode origin, CUgraphNodeType type, Make make) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<GraphExec> exec = driver.graphExecs.find(handle);
    if (exec == nullptr) return badHandle(driver, "executable graph", handle);
    GraphExec::Node* node = find(*exec, origin);
    if (node == nullptr || node->type != type) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the executable graph was made without such a node");
    }
    WorkPointer work;
    if (const CUresult bad = make(driver, work)) return bad;
    const std::string problem = changeProblem(*node->work, *work);
    if (!problem.empty()) return driver.refuse(CUDA_ERROR_INVALID_VALUE, problem);
    node->work = work;
    return CUDA_SUCCESS;
  });
}

/** What distinguishes a graph from the one an executable graph was made from, if that forbids an update. */
CUgraphExecUpdateResultInfo compare(const std::vector<GraphExec::Node>& before,
                                    const std::vector<GraphExec::Node>& now, std::string& problem) {
  if (before.size() != now.size()) {
    problem = std::to_string(now.size()) + " nodes where there were " + std::to_string(before.size());
    return {CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, nullptr, nullptr};
  }
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (before[i].type != now[i].type) {
      problem = "node " + std::to_string(i) + " is of another type";
      return {CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED, now[i].origin, nullptr};
    }
    if (before[i].after != now[i].after) {
      problem = "node " + std::to_string(i) + " depends on other nodes";
      const auto added = std::find_if(now[i].after.begin(), now[i].after.end(), [&](std::size_t index) {
        return std::find(before[i].after.begin(), before[i].after.end(), index) == before[i].after.end();
      });
      return {CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, now[i].origin,
              added == now[i].after.end() ? nullptr : now[*added].origin};
    }
    problem = changeProblem(*before[i].work, *now[i].work);
    if (!problem.empty()) return {CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED, now[i].origin, nullptr};
  }
  return {CU_GRAPH_EXEC_UPDATE_SUCCESS, nullptr, nullptr};
}

/** The graph as one launch of it: events are recorded and waited for as they stand now. */
GraphWork launchOf(GraphExec& exec, const std::shared_ptr<Stream>& stream) {
  GraphWork work;
  for (const GraphExec::Node& node : exec.nodes) {
    std::shared_ptr<const Work> each = node.work;
    if (const auto* recording = std::get_if<EventRecordWork>(&each->any())) {
      recording->event->last = std::make_shared<EventRecord>();
      recording->event->last->stream = stream;
      each = std::make_shared<const Work>(EventRecordWork{recording->event, recording->event->last});
    } else if (const auto* wait = std::get_if<EventWaitWork>(&each->any())) {
      each = std::make_shared<const Work>(EventWaitWork{wait->event, wait->event->last});
    }
    work.nodes.push_back({each, node.after});
  }
  return work;
}

} // namespace

CUresult cuGraphInstantiateWithFlags(CUgraphExec* handle, CUgraph graphHandle, unsigned long long flags) {
  return callInContext("cuGraphInstantiate", [&](Driver& driver, Context& context) -> CUresult {
    if (handle == nullptr) return nullArgument(driver, "exec");
    const std::shared_ptr<Graph> graph = driver.graphs.find(graphHandle);
    if (graph == nullptr) return badHandle(driver, "graph", graphHandle);
    constexpr unsigned long long autoFree = 1;
    constexpr unsigned long long knownFlags = autoFree | 2 | 8; // upload, node priority; not device launch
    if ((flags & ~knownFlags) != 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such instantiation flags");
    auto exec = std::make_shared<GraphExec>();
    exec->owner = context.id;
    exec->nodes = flatten(*graph);
    exec->freesOnLaunch = (flags & autoFree) != 0;
    if (const CUresult bad = claimAllocations(driver, exec)) return bad;
    *handle = driver.graphExecs.add(exec);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphExecDestroy(CUgraphExec handle) {
  return callInContext("cuGraphExecDestroy", [&](Driver& driver, Context&) -> CUresult {
    return driver.graphExecs.remove(handle) ? CUDA_SUCCESS : badHandle(driver, "executable graph", handle);
  });
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream streamHandle) {
  return callInContext("cuGraphLaunch", [&](Driver& driver, Context& context) -> CUresult {
    const std::shared_ptr<GraphExec> exec = driver.graphExecs.find(handle);
    if (exec == nullptr) return badHandle(driver, "executable graph", handle);
    const std::shared_ptr<Stream> stream = driver.stream(context, streamHandle);
    if (stream == nullptr) return badHandle(driver, "stream", streamHandle);
    if (stream->capture != nullptr) {
      if (const CUresult bad = refuseAllocations(driver, *exec)) return bad;
      return captureGraph(driver, context, *stream, *exec);
    }
    if (const CUresult failed = reviveAllocations(driver, context, *exec)) return failed;
    // launches of one executable graph run one after the other, whatever their streams
    if (exec->lastLaunch != nullptr && exec->lastLaunch->stream.lock() != stream) {
      const CUresult failed = driver.scheduler.submit(context, stream, EventWaitWork{nullptr, exec->lastLaunch});
      if (failed != CUDA_SUCCESS) return failed;
    }
    GraphWork work = launchOf(*exec, stream);
    auto end = std::make_shared<EventRecord>();
    end->stream = stream;
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < work.nodes.size(); ++i) all.push_back(i);
    work.nodes.push_back({std::make_shared<const Work>(EventRecordWork{nullptr, end}), std::move(all)});
    exec->lastLaunch = end;
    return driver.scheduler.submit(context, stream, std::move(work));
  });
}

CUresult cuGraphUpload(CUgraphExec handle, CUstream streamHandle) {
  return callInContext("cuGraphUpload", [&](Driver& driver, Context& context) -> CUresult {
    if (driver.graphExecs.find(handle) == nullptr) return badHandle(driver, "executable graph", handle);
    if (driver.stream(context, streamHandle) == nullptr) return badHandle(driver, "stream", streamHandle);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS* parameters) {
  return change("cuGraphExecKernelNodeSetParams", exec, node, CU_GRAPH_NODE_TYPE_KERNEL,
                [&](Driver& driver, WorkPointer& work) { return kernelNode(driver, parameters, work); });
}

CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D* copy, CUcontext) {
  return change("cuGraphExecMemcpyNodeSetParams", exec, node, CU_GRAPH_NODE_TYPE_MEMCPY,
                [&](Driver& driver, WorkPointer& work) { return copyNode(driver, copy, work); });
}

CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS* fill,
                                        CUcontext) {
  return change("cuGraphExecMemsetNodeSetParams", exec, node, CU_GRAPH_NODE_TYPE_MEMSET,
                [&](Driver& driver, WorkPointer& work) { return fillNode(driver, fill, work); });
}

CUresult cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_HOST_NODE_PARAMS* host) {
  return change("cuGraphExecHostNodeSetParams", exec, node, CU_GRAPH_NODE_TYPE_HOST,
                [&](Driver& driver, WorkPointer& work) { return hostNode(driver, host, work); });
}

CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  return change("cuGraphExecEventRecordNodeSetEvent", exec, node, CU_GRAPH_NODE_TYPE_EVENT_RECORD,
                [&](Driver& driver, WorkPointer& work) { return eventNode<EventRecordWork>(driver, event, work); });
}

CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  return change("cuGraphExecEventWaitNodeSetEvent", exec, node, CU_GRAPH_NODE_TYPE_WAIT_EVENT,
                [&](Driver& driver, WorkPointer& work) { return eventNode<EventWaitWork>(driver, event, work); });
}

CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec handle, CUgraphNode origin, CUgraph childHandle) {
  return callInContext("cuGraphExecChildGraphNodeSetParams", [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<GraphExec> exec = driver.graphExecs.find(handle);
    if (exec == nullptr) return badHandle(driver, "executable graph", handle);
    const std::shared_ptr<Graph> child = driver.graphs.find(childHandle);
    if (child == nullptr) return badHandle(driver, "child graph", childHandle);
    const std::shared_ptr<GraphNode> node = driver.graphNodes.find(origin);
    if (node == nullptr || node->child == nullptr) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the node is no child graph");
    }
    const std::vector<GraphExec::Node> before = flatten(*node->child);
    const std::vector<GraphExec::Node> now = flatten(*child);
    std::string problem;
    if (compare(before, now, problem).result != CU_GRAPH_EXEC_UPDATE_SUCCESS) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, problem);
    }
    for (const GraphExec::Node& each : before) {
      if (find(*exec, each.origin) == nullptr) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the executable graph was made without such a node");
      }
    }
    for (std::size_t i = 0; i < now.size(); ++i) find(*exec, before[i].origin)->work = now[i].work;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphExecUpdate_v2(CUgraphExec handle, CUgraph graphHandle, CUgraphExecUpdateResultInfo* info) {
  return callInContext("cuGraphExecUpdate", [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<GraphExec> exec = driver.graphExecs.find(handle);
    if (exec == nullptr) return badHandle(driver, "executable graph", handle);
    const std::shared_ptr<Graph> graph = driver.graphs.find(graphHandle);
    if (graph == nullptr) return badHandle(driver, "graph", graphHandle);
    if (info == nullptr) return nullArgument(driver, "info");
    const std::vector<GraphExec::Node> now = flatten(*graph);
    std::string problem;
    *info = compare(exec->nodes, now, problem);
    if (info->result != CU_GRAPH_EXEC_UPDATE_SUCCESS) {
      return driver.refuse(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, "the graph cannot replace the one before: " + problem);
    }
    for (std::size_t i = 0; i < now.size(); ++i) exec->nodes[i].work = now[i].work;
    return CUDA_SUCCESS;
  });
}
