// The order of streams: what is not ordered is found, what is ordered is not.
#include "program.h"

#include <thread>

using namespace simgpu::testing;

namespace {

constexpr const char* unordered = "unordered streams";
constexpr const char* readEarly = "read before synchronised";

/** Two buffers, two non-blocking streams, and kernels that write one buffer or read it into the other. */
class Work {
public:
  explicit Work(const Program& program, unsigned flags = CU_STREAM_NON_BLOCKING)
      : first(program.stream(flags)), second(program.stream(flags)), event(program.event()),
        source(program.upload({1, 2, 3, 4, 5, 6, 7, 8})), target(program.upload({0, 0, 0, 0, 0, 0, 0, 0})),
        scale_(program.function(scaleKernel, "scale")), add_(program.function(addKernel, "add")) {}

  /** Changes `count` numbers of the source from `at` on. */
  void write(CUstream stream, unsigned at = 0, unsigned count = 4) {
    CUdeviceptr data = source + at * 4;
    float factor = 2;
    CHECK_EQUAL(launch(scale_, count, stream, {&data, &factor, &count}), CUDA_SUCCESS);
  }

  /** target = source + source, for 4 numbers. */
  void read(CUstream stream) {
    unsigned count = 4;
    CHECK_EQUAL(launch(add_, count, stream, {&target, &source, &source, &count}), CUDA_SUCCESS);
  }

  CUstream first;
  CUstream second;
  CUevent event;
  CUdeviceptr source;
  CUdeviceptr target;

private:
  CUfunction scale_;
  CUfunction add_;
};

void finish() { CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS); }

} // namespace

TEST("a kernel that reads what another stream writes is found, with both names, whichever runs first") {
  for (const bool writerFirst : {true, false}) {
    const Program program;
    Work work(program);
    work.write(work.first);
    work.read(work.second);
    CHECK_EQUAL(cuStreamSynchronize(writerFirst ? work.first : work.second), CUDA_SUCCESS);
    CHECK(!found(unordered)); // the other has not run
    finish();
    CHECK(found(unordered));
    CHECK(found("kernel scale on stream 0x"));
    CHECK(found("kernel add on stream 0x"));
    CHECK(found("16 bytes at 0x"));
  }
}

TEST("an event between the two streams orders them") {
  const Program program;
  Work work(program);
  work.write(work.first);
  CHECK_EQUAL(cuEventRecord(work.event, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamWaitEvent(work.second, work.event, 0), CUDA_SUCCESS);
  work.read(work.second);
  finish();
  CHECK(!found(unordered));
  CHECK_EQUAL(program.download(work.target, 1)[0], 4.0F);
}

TEST("an event recorded before the writing kernel orders nothing") {
  const Program program;
  Work work(program);
  CHECK_EQUAL(cuEventRecord(work.event, work.first), CUDA_SUCCESS);
  work.write(work.first);
  CHECK_EQUAL(cuStreamWaitEvent(work.second, work.event, 0), CUDA_SUCCESS);
  work.read(work.second);
  finish();
  CHECK(found(unordered));
}

TEST("an order that leads over a third stream counts") {
  const Program program;
  Work work(program);
  const CUstream third = program.stream(CU_STREAM_NON_BLOCKING);
  const CUevent next = program.event();
  work.write(work.first);
  CHECK_EQUAL(cuEventRecord(work.event, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamWaitEvent(third, work.event, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventRecord(next, third), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamWaitEvent(work.second, next, 0), CUDA_SUCCESS);
  work.read(work.second);
  finish();
  CHECK(!found(unordered));
}

TEST("a host that waits for the first stream, its event or a query before it submits to the second orders them") {
  for (int way = 0; way < 4; ++way) {
    const Program program;
    Work work(program);
    work.write(work.first);
    CHECK_EQUAL(cuEventRecord(work.event, work.first), CUDA_SUCCESS);
    switch (way) {
    case 0: CHECK_EQUAL(cuStreamSynchronize(work.first), CUDA_SUCCESS); break;
    case 1: CHECK_EQUAL(cuEventSynchronize(work.event), CUDA_SUCCESS); break;
    case 2:
      while (cuStreamQuery(work.first) == CUDA_ERROR_NOT_READY) {
      }
      break;
    default:
      while (cuEventQuery(work.event) == CUDA_ERROR_NOT_READY) {
      }
    }
    work.read(work.second);
    finish();
    CHECK(!found(unordered));
  }
}

TEST("work submitted before the host waited is not ordered by the waiting") {
  const Program program;
  Work work(program);
  work.write(work.first);
  work.read(work.second);
  CHECK_EQUAL(cuStreamSynchronize(work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(work.second), CUDA_SUCCESS);
  CHECK(found(unordered));
}

TEST("streams that touch neighbouring bytes do not disturb each other") {
  const Program program;
  Work work(program);
  work.write(work.first, 0, 3);
  work.write(work.second, 3, 3);
  finish();
  CHECK(!found(unordered));
  CHECK(program.download(work.source, 8) == (std::vector<float>{2, 4, 6, 8, 10, 12, 7, 8}));
}

TEST("two streams that write the same byte are found, two that read it are not") {
  const Program program;
  Work work(program);
  work.read(work.first);
  CHECK_EQUAL(cuStreamSynchronize(work.first), CUDA_SUCCESS);
  CUdeviceptr other = program.upload({0, 0, 0, 0});
  CHECK_EQUAL(cuMemcpyDtoDAsync_v2(other, work.source, 16, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoDAsync_v2(work.target, work.source, 16, work.second), CUDA_SUCCESS);
  finish();
  CHECK(!found(unordered));
  work.write(work.first, 0, 4);
  work.write(work.second, 3, 4);
  finish();
  CHECK(found("4 bytes at 0x"));
  CHECK(found("writes"));
}

TEST("blocking streams are ordered by the legacy default stream, non-blocking ones are not") {
  {
    const Program program;
    Work work(program, 0);
    work.write(work.first);
    CHECK_EQUAL(cuMemsetD32_v2(work.target, 0, 4), CUDA_SUCCESS);
    work.read(work.second);
    finish();
    CHECK(!found(unordered));
  }
  const Program program;
  Work work(program);
  CHECK_EQUAL(cuMemsetD32_v2(work.target, 0, 4), CUDA_SUCCESS); // does not make the host wait
  work.read(work.second);
  finish();
  CHECK(found("a fill of 16 bytes on the default stream"));
}

TEST("two blocking streams with nothing between them are found") {
  const Program program;
  Work work(program, 0);
  work.write(work.first);
  work.read(work.second);
  finish();
  CHECK(found(unordered));
}

TEST("per-thread default streams are ordered with the legacy one and not with each other") {
  const Program program;
  Work work(program);
  work.write(CU_STREAM_PER_THREAD);
  work.read(nullptr);
  finish();
  CHECK(!found(unordered));
  work.write(CU_STREAM_PER_THREAD);
  std::thread([&] {
    CHECK_EQUAL(cuCtxSetCurrent(program.context()), CUDA_SUCCESS);
    work.read(CU_STREAM_PER_THREAD);
  }).join();
  finish();
  CHECK(found("a per-thread default stream"));
}

TEST("a destroyed blocking stream's work stays before the default stream's") {
  const Program program;
  Work work(program, 0);
  work.write(work.first);
  CHECK_EQUAL(cuStreamDestroy_v2(work.first), CUDA_SUCCESS);
  work.read(nullptr);
  finish();
  CHECK(!found(unordered));
}

TEST("a copy to the host that does not wait for the writing stream is found") {
  const Program program;
  Work work(program);
  work.write(work.first);
  CHECK_EQUAL(program.download(work.source, 1)[0], 1.0F);
  finish();
  CHECK(found(readEarly));
  CHECK(found("a copy of 4 bytes from device to host on the default stream"));
}

TEST("a copy to the host of bytes another stream does not write is not found") {
  const Program program;
  Work work(program);
  work.write(work.first, 0, 4);
  CHECK(program.download(work.source + 16, 2) == (std::vector<float>{5, 6}));
  finish();
  CHECK(!found(readEarly));
  CHECK(!found(unordered));
}

TEST("a copy into a pinned buffer that another stream reads without waiting is found") {
  const Program program;
  Work work(program);
  void* pinned = nullptr;
  CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 16), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoHAsync_v2(pinned, work.source, 16, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyHtoDAsync_v2(work.target, pinned, 16, work.second), CUDA_SUCCESS);
  finish();
  CHECK(found("a copy of 16 bytes from device to host"));
  CHECK(found("a copy of 16 bytes from host to device"));
}

TEST("memory allocated in one stream and used or freed in another without order is found") {
  const Program program;
  Work work(program);
  CUdeviceptr data = 0;
  CHECK_EQUAL(cuMemAllocAsync(&data, 16, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemsetD32Async(data, 0, 4, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoDAsync_v2(work.target, data, 16, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(work.first), CUDA_SUCCESS);
  CHECK(!found(unordered));
  CHECK_EQUAL(cuMemcpyDtoDAsync_v2(work.target, data, 16, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemFreeAsync(data, work.second), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(work.first), CUDA_SUCCESS);
  finish();
  CHECK(found("the free of 0x"));
}

TEST("what a host function tells another thread is ordered") {
  const Program program;
  Work work(program);
  bool told = false;
  work.write(work.first);
  CHECK_EQUAL(cuLaunchHostFunc(work.first, [](void* flag) { *static_cast<bool*>(flag) = true; }, &told), CUDA_SUCCESS);
  while (!told) cuStreamQuery(work.first);
  work.read(work.second);
  finish();
  CHECK(!found(unordered));
}

TEST("launches of one executable graph never overlap, and parallel branches of a graph may collide") {
  const Program program;
  Work work(program);
  CHECK_EQUAL(cuStreamBeginCapture_v2(work.first, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
  work.write(work.first);
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuStreamEndCapture(work.first, &graph), CUDA_SUCCESS);
  CUgraphExec exec = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(exec, work.first), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(exec, work.second), CUDA_SUCCESS);
  finish();
  CHECK(!found(unordered));
  CHECK_EQUAL(program.download(work.source, 1)[0], 4.0F);

  CUgraph collision = nullptr;
  CHECK_EQUAL(cuGraphCreate(&collision, 0), CUDA_SUCCESS);
  const CUDA_MEMSET_NODE_PARAMS fill{work.target, 0, 1, 4, 4, 1};
  CUgraphNode nodes[3];
  CHECK_EQUAL(cuGraphAddMemsetNode(&nodes[0], collision, nullptr, 0, &fill, program.context()), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphAddMemsetNode(&nodes[1], collision, &nodes[0], 1, &fill, program.context()), CUDA_SUCCESS);
  CUgraphExec ordered = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&ordered, collision, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(ordered, work.first), CUDA_SUCCESS);
  finish();
  CHECK(!found(unordered));
  CHECK_EQUAL(cuGraphAddMemsetNode(&nodes[2], collision, &nodes[0], 1, &fill, program.context()), CUDA_SUCCESS);
  CUgraphExec parallel = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&parallel, collision, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(parallel, work.first), CUDA_SUCCESS);
  finish();
  CHECK(found(unordered));
}

TEST("work that runs at once is watched as well, and nothing is with checks off") {
  for (const bool checks : {true, false}) {
    const Program program(std::string("async=eager checks=") + (checks ? "on" : "off"));
    Work work(program);
    work.write(work.first);
    work.read(work.second);
    finish();
    CHECK_EQUAL(found(unordered), checks);
  }
}

TEST("many unordered launches are reported once for each pair of operations") {
  const Program program;
  Work work(program);
  for (int i = 0; i < 20; ++i) {
    work.write(work.first);
    work.read(work.second);
  }
  finish();
  std::size_t count = 0;
  const std::string all = findings();
  for (std::size_t at = all.find("\"unordered streams\""); at != std::string::npos;
       at = all.find("\"unordered streams\"", at + 1)) {
    ++count;
  }
  CHECK(count >= 1 && count <= 2);
}

TEST("streams created and destroyed without end keep being watched") {
  const Program program;
  Work work(program);
  for (int i = 0; i < 300; ++i) {
    const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
    work.write(stream);
    CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
    CHECK_EQUAL(cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  }
  work.read(work.first);
  CHECK_EQUAL(cuStreamSynchronize(work.first), CUDA_SUCCESS);
  CHECK(!found(unordered));
  work.write(work.first);
  work.read(work.second);
  finish();
  CHECK(found(unordered));
}

TEST("a context that failed leaves nothing that later work could collide with") {
  const Program program;
  Work work(program);
  CUdeviceptr outside = program.upload({1});
  float factor = 2;
  unsigned n = 4096;
  work.write(work.first);
  CHECK_EQUAL(launch(program.function(scaleKernel, "scale"), n, work.second, {&outside, &factor, &n}), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  simgpuEndContexts();
  const Program again("memory=33554432"); // another device: the same addresses
  Work next(again);
  next.read(next.second);
  finish();
  CHECK(!found(unordered));
}

TEST("a finding is made again after the findings were cleared") {
  const Program program;
  Work work(program);
  for (int round = 0; round < 2; ++round) {
    work.write(work.first);
    work.read(work.second);
    finish();
    CHECK(found(unordered));
    simgpuClear();
  }
}
