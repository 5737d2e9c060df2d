// Streams, events, captures and graphs.
#include "program.h"

#include <chrono>
#include <future>
#include <thread>

using namespace simgpu::testing;

namespace {

struct Scaling {
  explicit Scaling(const Program& program)
      : function(program.function(scaleKernel, "scale")), data(program.upload({1, 2, 3, 4})) {}

  CUresult submit(CUstream stream, float by = 2) {
    factor = by;
    return launch(function, n, stream, {&data, &factor, &n});
  }

  CUfunction function;
  CUdeviceptr data;
  float factor = 2;
  unsigned n = 4;
};

} // namespace

TEST("work on a stream is invisible until it was waited for, and reading too early is found") {
  const Program program;
  Scaling scaling(program);
  const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
  CHECK_EQUAL(scaling.submit(stream), CUDA_SUCCESS);
  CHECK(program.download(scaling.data, 4) == (std::vector<float>{1, 2, 3, 4}));
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  CHECK(program.download(scaling.data, 4) == (std::vector<float>{2, 4, 6, 8}));
  CHECK(findings().find("read before synchronised") != std::string::npos);
}

TEST("a blocking stream is waited for by the default stream") {
  const Program program;
  Scaling scaling(program);
  CHECK_EQUAL(scaling.submit(program.stream()), CUDA_SUCCESS);
  CHECK(program.download(scaling.data, 4) == (std::vector<float>{2, 4, 6, 8}));
  CHECK(findings().find("read before synchronised") == std::string::npos);
}

TEST("a pinned destination is meaningless until its stream was waited for") {
  const Program program;
  const CUdeviceptr data = program.upload({7});
  void* pinned = nullptr;
  CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 4), CUDA_SUCCESS);
  auto* number = static_cast<float*>(pinned);
  *number = 1;
  const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
  CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, data, 4, stream), CUDA_SUCCESS);
  CHECK(*number != *number);
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  CHECK_EQUAL(*number, 7.0F);
  CHECK(found("the host touched pinned memory"));
}

TEST("a host function is called although the program only waits for what it tells") {
  const Program program;
  Scaling scaling(program);
  const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
  for (const bool fromGraph : {false, true}) {
    std::promise<void> told;
    const CUhostFn tell = [](void* promise) { static_cast<std::promise<void>*>(promise)->set_value(); };
    if (fromGraph) CHECK_EQUAL(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
    CHECK_EQUAL(scaling.submit(stream), CUDA_SUCCESS);
    CHECK_EQUAL(cuLaunchHostFunc(stream, tell, &told), CUDA_SUCCESS);
    if (fromGraph) {
      CUgraph graph = nullptr;
      CUgraphExec exec = nullptr;
      CHECK_EQUAL(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
      CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
      CHECK_EQUAL(cuGraphLaunch(exec, stream), CUDA_SUCCESS);
    }
    CHECK(told.get_future().wait_for(std::chrono::minutes(1)) == std::future_status::ready);
  }
  CHECK(program.download(scaling.data, 4) == (std::vector<float>{4, 8, 12, 16}));
}

TEST("a pinned buffer reaches the device whole though the copy back into it is queued too") {
  for (const bool guard : {true, false}) {
    const Program program(guard ? "guard=on" : "guard=off");
    void* pinned = nullptr;
    CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 16), CUDA_SUCCESS);
    auto* numbers = static_cast<volatile float*>(pinned);
    for (int i = 0; i < 4; ++i) numbers[i] = static_cast<float>(i);
    Scaling scaling(program);
    const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
    CHECK_EQUAL(cuMemcpyHtoDAsync_v2(scaling.data, pinned, 16, stream), CUDA_SUCCESS);
    CHECK_EQUAL(scaling.submit(stream), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, scaling.data, 16, stream), CUDA_SUCCESS);
    CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
    CHECK_EQUAL(numbers[3], 3 * 2.0F);

    CUdeviceptr mapped = 0;
    CHECK_EQUAL(cuMemHostGetDevicePointer_v2(&mapped, pinned, 0), CUDA_SUCCESS);
    float factor = 2;
    unsigned n = 4;
    CHECK_EQUAL(launch(scaling.function, n, stream, {&mapped, &factor, &n}), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemcpyDtoDAsync_v2(scaling.data, mapped, 16, stream), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, scaling.data, 16, stream), CUDA_SUCCESS);
    CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
    CHECK_EQUAL(numbers[3], 12.0F);
    CHECK(!found("the host touched"));
    CHECK_EQUAL(cuMemFreeHost(pinned), CUDA_SUCCESS);
  }
}

TEST("a host that waits before it reads pinned memory, or reads other parts of it, has done nothing wrong") {
  const Program program;
  const CUdeviceptr data = program.upload(std::vector<float>(4096, 7));
  void* pinned = nullptr;
  CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 16384), CUDA_SUCCESS);
  auto* numbers = static_cast<volatile float*>(pinned);
  const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
  const CUstream other = program.stream(CU_STREAM_NON_BLOCKING);
  for (int round = 0; round < 3; ++round) {
    // pages 0 to 2 and the beginning of the last page, of which the rest stays the host's
    CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, data, 3 * 4096 + 100, stream), CUDA_SUCCESS);
    numbers[4095] = 1;
    CHECK_EQUAL(numbers[4095], 1.0F);
    CHECK_EQUAL(cuStreamSynchronize(other), CUDA_SUCCESS);
    CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
    CHECK_EQUAL(numbers[0], 7.0F);
    CHECK_EQUAL(numbers[3071], 7.0F);
  }
  // the device may use it in stream order: nothing here touches it from the host
  CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, data, 16384, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, data, 16384, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyHtoDAsync_v2(data, pinned, 16384, stream), CUDA_SUCCESS);
  CUdeviceptr mapped = 0;
  CHECK_EQUAL(cuMemHostGetDevicePointer_v2(&mapped, pinned, 0), CUDA_SUCCESS);
  float factor = 2;
  unsigned n = 4096;
  CHECK_EQUAL(launch(program.function(scaleKernel, "scale"), n, stream, {&mapped, &factor, &n}), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  CHECK_EQUAL(numbers[4095], 14.0F);
  CHECK(!found("the host touched"));
  CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, data, 16384, stream), CUDA_SUCCESS);
  numbers[2000] = 1; // so is writing there
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  CHECK(found("the host touched"));
}

TEST("without guards the early read goes unnoticed, and a failed context gives its pages back") {
  for (const bool guard : {true, false}) {
    const Program program(guard ? "guard=on" : "guard=off");
    const CUdeviceptr data = program.upload(std::vector<float>(1024, 7));
    void* pinned = nullptr;
    CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 4096), CUDA_SUCCESS);
    auto* numbers = static_cast<volatile float*>(pinned);
    const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
    CUdeviceptr small = program.upload({1});
    float factor = 2;
    unsigned n = 4096;
    CHECK_EQUAL(launch(program.function(scaleKernel, "scale"), n, stream, {&small, &factor, &n}), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, data, 4096, stream), CUDA_SUCCESS);
    if (!guard) CHECK(numbers[5] != numbers[5]);
    CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
    numbers[5] = 3;
    CHECK_EQUAL(numbers[5], 3.0F);
    CHECK(!found("the host touched"));
  }
}

TEST("an event orders streams and has a time") {
  const Program program;
  Scaling scaling(program);
  const CUstream first = program.stream(CU_STREAM_NON_BLOCKING);
  const CUstream second = program.stream(CU_STREAM_NON_BLOCKING);
  CUevent start = nullptr;
  CUevent end = nullptr;
  CHECK_EQUAL(cuEventCreate(&start, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventCreate(&end, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventRecord(start, first), CUDA_SUCCESS);
  CHECK_EQUAL(scaling.submit(first, 10), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventRecord(end, first), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamWaitEvent(second, end, 0), CUDA_SUCCESS);
  CHECK_EQUAL(scaling.submit(second, 3), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventQuery(end), CUDA_ERROR_NOT_READY);
  CHECK_EQUAL(cuStreamSynchronize(second), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventQuery(end), CUDA_SUCCESS);
  CHECK(program.download(scaling.data, 4) == (std::vector<float>{30, 60, 90, 120}));
  float milliseconds = -1;
  CHECK_EQUAL(cuEventElapsedTime(&milliseconds, start, end), CUDA_SUCCESS);
  CHECK(milliseconds >= 0);
}

TEST("a program that polls a stream comes to its end") {
  const Program program;
  Scaling scaling(program);
  const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
  for (int i = 0; i < 3; ++i) CHECK_EQUAL(scaling.submit(stream), CUDA_SUCCESS);
  int polls = 0;
  while (cuStreamQuery(stream) == CUDA_ERROR_NOT_READY) ++polls;
  CHECK_EQUAL(polls, 3);
  CHECK_EQUAL(program.download(scaling.data, 1)[0], 8.0F);
}

TEST("a host function runs in order and may not call the driver") {
  const Program program;
  Scaling scaling(program);
  const CUstream stream = program.stream();
  static CUresult answer;
  static std::thread::id thread;
  const CUhostFn function = [](void* userData) {
    int count = 0;
    answer = cuDeviceGetCount(&count);
    thread = std::this_thread::get_id();
    *static_cast<int*>(userData) += 1;
  };
  int calls = 0;
  CHECK_EQUAL(cuLaunchHostFunc(stream, function, &calls), CUDA_SUCCESS);
  CHECK_EQUAL(calls, 0);
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  CHECK_EQUAL(calls, 1);
  CHECK_EQUAL(answer, CUDA_ERROR_NOT_PERMITTED);
  CHECK(thread != std::this_thread::get_id());
}

TEST("a captured stream becomes a graph that can be launched, changed and launched again") {
  const Program program;
  Scaling scaling(program);
  const CUstream stream = program.stream();
  CHECK_EQUAL(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
  CHECK_EQUAL(scaling.submit(stream, 2), CUDA_SUCCESS);
  CHECK_EQUAL(scaling.submit(stream, 5), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  CHECK(program.download(scaling.data, 1) == std::vector<float>{1});
  CUgraphNode nodes[2];
  std::size_t count = 2;
  CHECK_EQUAL(cuGraphGetNodes(graph, nodes, &count), CUDA_SUCCESS);
  CHECK_EQUAL(count, std::size_t{2});
  CUgraphExec exec = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(exec, stream), CUDA_SUCCESS);
  CUDA_KERNEL_NODE_PARAMS parameters{};
  CHECK_EQUAL(cuGraphKernelNodeGetParams_v2(nodes[1], &parameters), CUDA_SUCCESS);
  CHECK_EQUAL(*static_cast<float*>(parameters.kernelParams[1]), 5.0F);
  float factor = 7;
  void* changed[] = {&scaling.data, &factor, &scaling.n};
  parameters.kernelParams = changed;
  CHECK_EQUAL(cuGraphExecKernelNodeSetParams_v2(exec, nodes[1], &parameters), CUDA_SUCCESS);
  // the first launch, still waiting, keeps what it was submitted with
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  CHECK_EQUAL(program.download(scaling.data, 1)[0], 10.0F);
  CHECK_EQUAL(cuGraphLaunch(exec, stream), CUDA_SUCCESS);
  CHECK_EQUAL(program.download(scaling.data, 1)[0], 140.0F);
  CHECK_EQUAL(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST("a call that waits spoils a capture") {
  const Program program;
  Scaling scaling(program);
  const CUstream stream = program.stream();
  CHECK_EQUAL(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  CHECK(graph == nullptr);
}

TEST("a second stream joins a capture by an event and must be joined back") {
  const Program program;
  Scaling scaling(program);
  const CUstream first = program.stream();
  const CUstream second = program.stream();
  CUevent event = nullptr;
  CHECK_EQUAL(cuEventCreate(&event, 0), CUDA_SUCCESS);
  for (const bool joinBack : {true, false}) {
    CHECK_EQUAL(cuStreamBeginCapture_v2(first, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
    CHECK_EQUAL(scaling.submit(first), CUDA_SUCCESS);
    CHECK_EQUAL(cuEventRecord(event, first), CUDA_SUCCESS);
    CHECK_EQUAL(cuStreamWaitEvent(second, event, 0), CUDA_SUCCESS);
    CHECK_EQUAL(scaling.submit(second, 3), CUDA_SUCCESS);
    if (joinBack) {
      CHECK_EQUAL(cuEventRecord(event, second), CUDA_SUCCESS);
      CHECK_EQUAL(cuStreamWaitEvent(first, event, 0), CUDA_SUCCESS);
    }
    CUgraph graph = nullptr;
    CHECK_EQUAL(cuStreamEndCapture(first, &graph),
                joinBack ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
  }
}

TEST("nodes added by hand run in the order of their edges") {
  const Program program;
  CUdeviceptr data = program.upload({0, 0, 0, 0});
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  float factor = 3;
  unsigned n = 4;
  void* arguments[] = {&data, &factor, &n};
  CUDA_KERNEL_NODE_PARAMS kernel{program.function(scaleKernel, "scale"), 1, 1, 1, 32, 1, 1, 0, arguments, nullptr,
                                 nullptr, nullptr};
  const CUDA_MEMSET_NODE_PARAMS fill{data, 0, 0x40000000, 4, 4, 1}; // 2.0
  CUgraphNode scaled = nullptr;
  CUgraphNode filled = nullptr;
  CHECK_EQUAL(cuGraphAddKernelNode_v2(&scaled, graph, nullptr, 0, &kernel), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphAddMemsetNode(&filled, graph, nullptr, 0, &fill, program.context()), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphAddDependencies(graph, &filled, &scaled, 1), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphAddDependencies(graph, &scaled, &filled, 1), CUDA_ERROR_INVALID_VALUE);
  CUgraphExec exec = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  CHECK(program.download(data, 4) == (std::vector<float>{6, 6, 6, 6}));
}
