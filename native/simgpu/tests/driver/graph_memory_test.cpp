// Memory that graphs allocate and free.
#include "program.h"

using namespace simgpu::testing;

namespace {

CUgraphExec instantiate(CUgraph graph, unsigned long long flags = 0) {
  CUgraphExec exec = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, graph, flags), CUDA_SUCCESS);
  return exec;
}

/** What a stream did to a buffer of its own: 4 ones, scaled by 3, copied to `to`, and freed if `freed`. */
CUgraph captured(const Program& program, CUdeviceptr to, bool freed, CUdeviceptr& buffer) {
  const CUfunction scale = program.function(scaleKernel, "scale");
  const CUstream stream = program.stream();
  CHECK_EQUAL(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemAllocAsync(&buffer, 16, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemsetD32Async(buffer, 0x3F800000, 4, stream), CUDA_SUCCESS);
  float factor = 3;
  unsigned count = 4;
  CHECK_EQUAL(launch(scale, 32, stream, {&buffer, &factor, &count}), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoDAsync_v2(to, buffer, 16, stream), CUDA_SUCCESS);
  if (freed) CHECK_EQUAL(cuMemFreeAsync(buffer, stream), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  return graph;
}

std::size_t freeBytes() {
  std::size_t free = 0;
  std::size_t total = 0;
  CHECK_EQUAL(cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  return free;
}

} // namespace

TEST("a captured allocation is made anew by every launch of the graph") {
  const Program program;
  const CUdeviceptr result = program.upload({0, 0, 0, 0});
  CUdeviceptr buffer = 0;
  const CUgraph graph = captured(program, result, true, buffer);
  CHECK_EQUAL(cuMemGetAddressRange_v2(nullptr, nullptr, buffer), CUDA_ERROR_NOT_FOUND); // nothing is there yet
  const std::size_t before = freeBytes();
  const CUgraphExec exec = instantiate(graph);
  for (int i = 0; i < 3; ++i) {
    CHECK_EQUAL(cuMemsetD32_v2(result, 0, 4), CUDA_SUCCESS);
    CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
    CHECK_EQUAL(program.download(result, 4)[3], 3.0F);
  }
  CHECK_EQUAL(freeBytes(), before);
}

TEST("memory that a graph leaves is the program's to free, before the graph is launched again") {
  const Program program;
  const CUdeviceptr result = program.upload({0, 0, 0, 0});
  CUdeviceptr buffer = 0;
  const CUgraphExec exec = instantiate(captured(program, result, false, buffer));
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(program.download(buffer, 4)[0], 3.0F);
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK(found("memory of an earlier launch of the graph has not been freed"));
  CHECK_EQUAL(cuMemFree_v2(buffer), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFree_v2(buffer), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFreeAsync(buffer, nullptr), CUDA_SUCCESS); // queued behind the launch
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxDestroy_v2(program.context()), CUDA_SUCCESS);
  CHECK(found("graph memory (16 bytes")); // the last launch's is a leak
}

TEST("a graph instantiated so frees what its last launch left") {
  const Program program;
  const CUdeviceptr result = program.upload({0, 0, 0, 0});
  CUdeviceptr buffer = 0;
  constexpr unsigned long long autoFree = 1;
  const CUgraphExec exec = instantiate(captured(program, result, false, buffer), autoFree);
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(program.download(buffer, 4)[0], 3.0F);
  CHECK_EQUAL(cuMemFree_v2(buffer), CUDA_SUCCESS);
}

TEST("allocation and free nodes are added by hand, read back, and refused where the driver refuses them") {
  const Program program;
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  CUDA_MEM_ALLOC_NODE_PARAMS wanted{};
  wanted.bytesize = 64;
  CUgraphNode allocation = nullptr;
  CHECK_EQUAL(cuGraphAddMemAllocNode(&allocation, graph, nullptr, 0, &wanted), CUDA_ERROR_INVALID_VALUE); // of no type
  wanted.poolProps.allocType = 1;
  wanted.poolProps.locationType = 1;
  CHECK_EQUAL(cuGraphAddMemAllocNode(&allocation, graph, nullptr, 0, &wanted), CUDA_SUCCESS);
  CUDA_MEM_ALLOC_NODE_PARAMS given{};
  CHECK_EQUAL(cuGraphMemAllocNodeGetParams(allocation, &given), CUDA_SUCCESS);
  CHECK_EQUAL(given.dptr, wanted.dptr);
  CHECK_EQUAL(given.bytesize, std::size_t{64});
  const CUDA_MEMSET_NODE_PARAMS filling{wanted.dptr, 0, 7, 1, 64, 1};
  CUgraphNode fill = nullptr;
  CHECK_EQUAL(cuGraphAddMemsetNode(&fill, graph, &allocation, 1, &filling, program.context()), CUDA_SUCCESS);
  CUgraphNode freeing = nullptr;
  CHECK_EQUAL(cuGraphAddMemFreeNode(&freeing, graph, &fill, 1, wanted.dptr + 8), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuGraphAddMemFreeNode(&freeing, graph, &fill, 1, wanted.dptr), CUDA_SUCCESS);
  CUdeviceptr freed = 0;
  CHECK_EQUAL(cuGraphMemFreeNodeGetParams(freeing, &freed), CUDA_SUCCESS);
  CHECK_EQUAL(freed, wanted.dptr);
  CHECK_EQUAL(cuGraphMemFreeNodeGetParams(allocation, &freed), CUDA_ERROR_INVALID_VALUE);
  CUgraphNodeType type{};
  CHECK_EQUAL(cuGraphNodeGetType(allocation, &type), CUDA_SUCCESS);
  CHECK_EQUAL(type, CU_GRAPH_NODE_TYPE_MEM_ALLOC);

  CUgraph clone = nullptr;
  CHECK_EQUAL(cuGraphClone(&clone, graph), CUDA_ERROR_NOT_SUPPORTED);
  CHECK_EQUAL(cuGraphDestroyNode(freeing), CUDA_ERROR_NOT_SUPPORTED);
  CUgraph parent = nullptr;
  CHECK_EQUAL(cuGraphCreate(&parent, 0), CUDA_SUCCESS);
  CUgraphNode child = nullptr;
  CHECK_EQUAL(cuGraphAddChildGraphNode(&child, parent, nullptr, 0, graph), CUDA_ERROR_NOT_SUPPORTED);
  const CUgraphExec exec = instantiate(graph);
  CUgraphExec second = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&second, graph, 0), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
  // freed by the graph itself: what the program still has is an old address
  CHECK_EQUAL(cuMemFree_v2(wanted.dptr), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  const CUgraphExec third = instantiate(graph);
  CHECK_EQUAL(cuGraphExecDestroy(third), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST("an allocation node fails when the device's memory is used up") {
  const Program program("memory=1048576");
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  CUDA_MEM_ALLOC_NODE_PARAMS wanted{};
  wanted.bytesize = 900000;
  wanted.poolProps.allocType = 1;
  wanted.poolProps.locationType = 1;
  CUgraphNode node = nullptr;
  CHECK_EQUAL(cuGraphAddMemAllocNode(&node, graph, nullptr, 0, &wanted), CUDA_SUCCESS);
  CUdeviceptr other = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&other, 900000), CUDA_SUCCESS);
  const CUgraphExec exec = instantiate(graph);
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
  CHECK_EQUAL(cuMemFree_v2(other), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFree_v2(wanted.dptr), CUDA_SUCCESS);
}
