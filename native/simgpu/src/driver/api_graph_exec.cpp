// Executable graphs: instantiation, launch, and changing the parameters of their nodes.
#include "driver/call.h"
#include "driver/cuda_api.h"
#include "driver/graph.h"
#include "driver/node_arguments.h"

#include <algorithm>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

/** Replaces the work of a node; launches submitted before keep what they were submitted with. */
template <class Make>
CUresult change(const char* name, CUgraphExec handle, CUgraphNode origin, CUgraphNodeType type, Make make) {
  return callInContext(name, [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<GraphExec> exec = driver.graphExecs.find(handle);
    if (exec == nullptr) return badHandle(driver, "executable graph", handle);
    const auto node = std::find_if(exec->nodes.begin(), exec->nodes.end(),
                                   [&](const GraphExec::Node& each) { return each.origin == origin; });
    if (node == exec->nodes.end() || node->type != type) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the executable graph was made without such a node");
    }
    return make(driver, node->work);
  });
}

} // namespace

CUresult cuGraphInstantiateWithFlags(CUgraphExec* handle, CUgraph graphHandle, unsigned long long flags) {
  return callInContext("cuGraphInstantiate", [&](Driver& driver, Context& context) -> CUresult {
    if (handle == nullptr) return nullArgument(driver, "exec");
    const std::shared_ptr<Graph> graph = driver.graphs.find(graphHandle);
    if (graph == nullptr) return badHandle(driver, "graph", graphHandle);
    constexpr unsigned long long knownFlags = 1 | 2 | 8; // auto free, upload, node priority; not device launch
    if ((flags & ~knownFlags) != 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such instantiation flags");
    auto exec = std::make_shared<GraphExec>();
    exec->owner = context.id;
    flatten(driver, *graph, exec->nodes);
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
    GraphWork work;
    for (const GraphExec::Node& node : exec->nodes) work.nodes.push_back(node.work);
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
