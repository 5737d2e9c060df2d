// Changing graphs: parameters of nodes, executable graphs, and captures of everything a stream can do.
#include "program.h"

#include <cstring>

using namespace simgpu::testing;

namespace {

/** A graph that fills 4 numbers with `value` and scales them by `factor`. */
class FillAndScale {
public:
  FillAndScale(const Program& program, CUdeviceptr data, float value, float factor)
      : data_(data), factor_(factor), context_(program.context()), function_(program.function(scaleKernel, "scale")) {
    CHECK_EQUAL(cuGraphCreate(&graph, 0), CUDA_SUCCESS);
    const CUDA_MEMSET_NODE_PARAMS filling = fillOf(value);
    CHECK_EQUAL(cuGraphAddMemsetNode(&fill, graph, nullptr, 0, &filling, context_), CUDA_SUCCESS);
    const CUDA_KERNEL_NODE_PARAMS scaling = launchOf(factor);
    CHECK_EQUAL(cuGraphAddKernelNode_v2(&kernel, graph, &fill, 1, &scaling), CUDA_SUCCESS);
  }

  CUDA_MEMSET_NODE_PARAMS fillOf(float value) const {
    std::uint32_t bits;
    static_assert(sizeof bits == sizeof value);
    std::memcpy(&bits, &value, sizeof bits);
    return {data_, 0, bits, 4, 4, 1};
  }

  /** Valid until the next call. */
  CUDA_KERNEL_NODE_PARAMS launchOf(float factor) {
    factor_ = factor;
    arguments_[0] = &data_;
    arguments_[1] = &factor_;
    arguments_[2] = &count_;
    return {function_, 1, 1, 1, 32, 1, 1, 0, arguments_, nullptr, nullptr, nullptr};
  }

  CUgraphExec instantiate() const {
    CUgraphExec exec = nullptr;
    CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
    return exec;
  }

  CUgraph graph = nullptr;
  CUgraphNode fill = nullptr;
  CUgraphNode kernel = nullptr;

private:
  CUdeviceptr data_;
  float factor_;
  unsigned count_ = 4;
  void* arguments_[3] = {};
  CUcontext context_;
  CUfunction function_;
};

float runs(const Program& program, CUgraphExec exec, CUdeviceptr data) {
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  return program.download(data, 1)[0];
}

} // namespace

TEST("an executable graph takes over a graph of the same shape") {
  const Program program;
  const CUdeviceptr data = program.upload({0, 0, 0, 0});
  const FillAndScale before(program, data, 2, 3);
  const FillAndScale now(program, data, 5, 7);
  const CUgraphExec exec = before.instantiate();
  CHECK_EQUAL(runs(program, exec, data), 6.0F);
  CUgraphExecUpdateResultInfo info{CU_GRAPH_EXEC_UPDATE_ERROR, nullptr, nullptr};
  CHECK_EQUAL(cuGraphExecUpdate_v2(exec, now.graph, &info), CUDA_SUCCESS);
  CHECK_EQUAL(info.result, CU_GRAPH_EXEC_UPDATE_SUCCESS);
  CHECK_EQUAL(runs(program, exec, data), 35.0F);
}

TEST("an executable graph refuses a graph of another shape and stays as it was") {
  const Program program;
  const CUdeviceptr data = program.upload({0, 0, 0, 0});
  const FillAndScale before(program, data, 2, 3);
  const CUgraphExec exec = before.instantiate();
  CUgraphExecUpdateResultInfo info{};

  const FillAndScale larger(program, data, 5, 7);
  CUgraphNode empty = nullptr;
  CHECK_EQUAL(cuGraphAddEmptyNode(&empty, larger.graph, nullptr, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphExecUpdate_v2(exec, larger.graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  CHECK_EQUAL(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);

  const FillAndScale loose(program, data, 5, 7);
  CHECK_EQUAL(cuGraphRemoveDependencies(loose.graph, &loose.fill, &loose.kernel, 1), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphExecUpdate_v2(exec, loose.graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  CHECK_EQUAL(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
  CHECK_EQUAL(info.errorNode, loose.kernel);

  CUgraph others = nullptr;
  CHECK_EQUAL(cuGraphCreate(&others, 0), CUDA_SUCCESS);
  CUgraphNode nodes[2];
  CHECK_EQUAL(cuGraphAddEmptyNode(&nodes[0], others, nullptr, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphAddEmptyNode(&nodes[1], others, &nodes[0], 1), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphExecUpdate_v2(exec, others, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  CHECK_EQUAL(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED);
  CHECK_EQUAL(info.errorNode, nodes[0]);

  const FillAndScale tall(program, data, 5, 7);
  const CUDA_MEMSET_NODE_PARAMS rows{data, 8, 0, 4, 1, 2};
  CHECK_EQUAL(cuGraphMemsetNodeSetParams(tall.fill, &rows), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphExecUpdate_v2(exec, tall.graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  CHECK_EQUAL(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED);
  CHECK_EQUAL(info.errorNode, tall.fill);

  CHECK_EQUAL(runs(program, exec, data), 6.0F);
}

TEST("every kind of node can be changed in an executable graph") {
  const Program program;
  CUdeviceptr data = program.upload({0, 0, 0, 0});
  FillAndScale work(program, data, 2, 3);
  const CUgraphExec exec = work.instantiate();
  const CUDA_MEMSET_NODE_PARAMS filling = work.fillOf(10);
  const CUDA_KERNEL_NODE_PARAMS scaling = work.launchOf(4);
  CHECK_EQUAL(cuGraphExecMemsetNodeSetParams(exec, work.fill, &filling, program.context()), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphExecKernelNodeSetParams_v2(exec, work.kernel, &scaling), CUDA_SUCCESS);
  CHECK_EQUAL(runs(program, exec, data), 40.0F);
  CHECK_EQUAL(cuGraphExecKernelNodeSetParams_v2(exec, work.fill, &scaling), CUDA_ERROR_INVALID_VALUE);
  CUDA_KERNEL_NODE_PARAMS absurd = scaling;
  absurd.blockDimX = 5000;
  CHECK_EQUAL(cuGraphExecKernelNodeSetParams_v2(exec, work.kernel, &absurd), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(runs(program, exec, data), 40.0F);

  CUgraph graph = nullptr;
  CHECK_EQUAL(cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  std::vector<float> first(4, 1);
  std::vector<float> second(4, 2);
  const auto copyFrom = [&](const std::vector<float>& from) {
    CUDA_MEMCPY3D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = from.data();
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = data;
    copy.WidthInBytes = 16;
    copy.Height = 1;
    copy.Depth = 1;
    return copy;
  };
  int calls = 0;
  CUDA_HOST_NODE_PARAMS host{[](void* count) { *static_cast<int*>(count) += 1; }, &calls};
  CUDA_MEMCPY3D copy = copyFrom(first);
  CUgraphNode copyNode = nullptr;
  CUgraphNode hostNode = nullptr;
  CUgraphNode recordNode = nullptr;
  const CUevent events[] = {program.event(), program.event()};
  CHECK_EQUAL(cuGraphAddMemcpyNode(&copyNode, graph, nullptr, 0, &copy, program.context()), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphAddHostNode(&hostNode, graph, &copyNode, 1, &host), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphAddEventRecordNode(&recordNode, graph, &hostNode, 1, events[0]), CUDA_SUCCESS);
  CUgraphExec mixed = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&mixed, graph, 0), CUDA_SUCCESS);
  CHECK_EQUAL(runs(program, mixed, data), 1.0F);
  CHECK_EQUAL(calls, 1);
  CHECK_EQUAL(cuEventQuery(events[0]), CUDA_SUCCESS);
  copy = copyFrom(second);
  int others = 0;
  host.userData = &others;
  CHECK_EQUAL(cuGraphExecMemcpyNodeSetParams(mixed, copyNode, &copy, program.context()), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphExecHostNodeSetParams(mixed, hostNode, &host), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphExecEventRecordNodeSetEvent(mixed, recordNode, events[1]), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(mixed, program.stream(CU_STREAM_NON_BLOCKING)), CUDA_SUCCESS);
  CHECK_EQUAL(others, 0);
  CHECK_EQUAL(cuEventSynchronize(events[1]), CUDA_SUCCESS); // the recording waits for what comes before it
  CHECK_EQUAL(others, 1);
  CHECK_EQUAL(calls, 1);
  CHECK_EQUAL(program.download(data, 1)[0], 2.0F);
  // a copy that goes the other way is another node
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = data;
  CHECK_EQUAL(cuGraphExecMemcpyNodeSetParams(mixed, copyNode, &copy, program.context()), CUDA_ERROR_INVALID_VALUE);
}

TEST("a child graph is changed as a whole") {
  const Program program;
  const CUdeviceptr data = program.upload({0, 0, 0, 0});
  const FillAndScale child(program, data, 2, 3);
  const FillAndScale now(program, data, 4, 5);
  CUgraph parent = nullptr;
  CUgraphNode node = nullptr;
  CHECK_EQUAL(cuGraphCreate(&parent, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphAddChildGraphNode(&node, parent, nullptr, 0, child.graph), CUDA_SUCCESS);
  CUgraphExec exec = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, parent, 0), CUDA_SUCCESS);
  CHECK_EQUAL(runs(program, exec, data), 6.0F);
  CHECK_EQUAL(cuGraphExecChildGraphNodeSetParams(exec, node, now.graph), CUDA_SUCCESS);
  CHECK_EQUAL(runs(program, exec, data), 20.0F);
  CUgraph empty = nullptr;
  CHECK_EQUAL(cuGraphCreate(&empty, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphExecChildGraphNodeSetParams(exec, node, empty), CUDA_ERROR_INVALID_VALUE);
}

TEST("a node of a graph tells and changes its parameters, events and attributes") {
  const Program program;
  const CUdeviceptr data = program.upload({0, 0, 0, 0});
  FillAndScale work(program, data, 2, 3);
  CUDA_MEMSET_NODE_PARAMS filling{};
  CHECK_EQUAL(cuGraphMemsetNodeGetParams(work.fill, &filling), CUDA_SUCCESS);
  CHECK_EQUAL(filling.value, 0x40000000U);
  const CUDA_KERNEL_NODE_PARAMS scaling = work.launchOf(8);
  CHECK_EQUAL(cuGraphKernelNodeSetParams_v2(work.kernel, &scaling), CUDA_SUCCESS);
  CHECK_EQUAL(runs(program, work.instantiate(), data), 16.0F);
  const CUevent events[] = {program.event(), program.event()};
  CUgraphNode wait = nullptr;
  CUevent event = nullptr;
  CHECK_EQUAL(cuGraphAddEventWaitNode(&wait, work.graph, nullptr, 0, events[0]), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphEventWaitNodeGetEvent(wait, &event), CUDA_SUCCESS);
  CHECK_EQUAL(event, events[0]);
  CHECK_EQUAL(cuGraphEventWaitNodeSetEvent(wait, events[1]), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphEventWaitNodeGetEvent(wait, &event), CUDA_SUCCESS);
  CHECK_EQUAL(event, events[1]);
  CHECK_EQUAL(cuGraphEventRecordNodeGetEvent(wait, &event), CUDA_ERROR_INVALID_VALUE);

  CUlaunchAttributeValue value{};
  value.cooperative = 1;
  CHECK_EQUAL(cuGraphKernelNodeSetAttribute(work.kernel, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value), CUDA_SUCCESS);
  value.cooperative = 0;
  CHECK_EQUAL(cuGraphKernelNodeGetAttribute(work.kernel, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value), CUDA_SUCCESS);
  CHECK_EQUAL(value.cooperative, 1);
  CHECK_EQUAL(cuGraphKernelNodeGetAttribute(work.kernel, 77, &value), CUDA_ERROR_INVALID_VALUE);
  const FillAndScale other(program, data, 1, 1);
  CHECK_EQUAL(cuGraphKernelNodeCopyAttributes(other.kernel, work.kernel), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphKernelNodeGetAttribute(other.kernel, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value), CUDA_SUCCESS);
  CHECK_EQUAL(value.cooperative, 1);
}

TEST("copies, fills, host functions, other graphs and a second stream are captured in their order") {
  const Program program;
  CUdeviceptr data = program.upload({0, 0, 0, 0});
  CUdeviceptr copied = program.upload({0, 0, 0, 0});
  void* pinned = nullptr;
  CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 16), CUDA_SUCCESS);
  const FillAndScale inner(program, data, 2, 3);
  const CUgraphExec innerExec = inner.instantiate();
  const CUstream first = program.stream();
  const CUstream second = program.stream();
  const CUevent fork = program.event();
  const CUevent join = program.event();
  int calls = 0;
  CHECK_EQUAL(cuStreamBeginCapture_v2(first, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(innerExec, first), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventRecord(fork, first), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamWaitEvent(second, fork, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoDAsync_v2(copied, data, 8, second), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemsetD32Async(copied + 8, 0x3F800000, 2, first), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventRecord(join, second), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamWaitEvent(first, join, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, copied, 16, first), CUDA_SUCCESS);
  CHECK_EQUAL(cuLaunchHostFunc(first, [](void* count) { *static_cast<int*>(count) += 1; }, &calls), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuStreamEndCapture(first, &graph), CUDA_SUCCESS);
  CUgraphNode nodes[8];
  std::size_t count = 8;
  CHECK_EQUAL(cuGraphGetNodes(graph, nodes, &count), CUDA_SUCCESS);
  CHECK_EQUAL(count, std::size_t{5});
  constexpr CUgraphNodeType wanted[] = {CU_GRAPH_NODE_TYPE_GRAPH, CU_GRAPH_NODE_TYPE_MEMCPY, CU_GRAPH_NODE_TYPE_MEMSET,
                                        CU_GRAPH_NODE_TYPE_MEMCPY, CU_GRAPH_NODE_TYPE_HOST};
  for (std::size_t i = 0; i < 5; ++i) {
    CUgraphNodeType type{};
    CHECK_EQUAL(cuGraphNodeGetType(nodes[i], &type), CUDA_SUCCESS);
    CHECK_EQUAL(type, wanted[i]);
  }
  CUgraphExec exec = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  CHECK_EQUAL(calls, 0);
  for (int launch = 1; launch <= 2; ++launch) {
    CHECK_EQUAL(cuGraphLaunch(exec, first), CUDA_SUCCESS);
    CHECK_EQUAL(cuStreamSynchronize(first), CUDA_SUCCESS);
    CHECK_EQUAL(calls, launch);
    const auto* numbers = static_cast<const float*>(pinned);
    CHECK(std::vector<float>(numbers, numbers + 4) == (std::vector<float>{6, 6, 1, 1}));
  }
  CHECK(!found("unordered streams"));
  // an event of a capture that is over never happens
  CHECK_EQUAL(cuEventSynchronize(join), CUDA_ERROR_CAPTURED_EVENT);
  CHECK_EQUAL(cuStreamWaitEvent(second, join, 0), CUDA_ERROR_CAPTURED_EVENT);
}
