// Devices, contexts, host threads, occupancy, and faults on demand.
#include "program.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

using namespace simgpu::testing;

namespace {

int attribute(int number) {
  int value = -1;
  CHECK_EQUAL(cuDeviceGetAttribute(&value, number, 0), CUDA_SUCCESS);
  return value;
}

int blocksPerMultiprocessor(CUfunction function, int threads, std::size_t shared) {
  int blocks = -1;
  CHECK_EQUAL(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, threads, shared), CUDA_SUCCESS);
  return blocks;
}

/** One launch of scale on one number. */
CUresult scaleOnce(CUfunction function, CUdeviceptr data, CUstream stream = nullptr) {
  float factor = 2;
  unsigned count = 1;
  return launch(function, count, stream, {&data, &factor, &count});
}

} // namespace

TEST("the devices have the numbers of their data sheets") {
  struct Device {
    const char* setting;
    const char* name;
    int multiprocessors, threads, blocks, sharedPerMultiprocessor, sharedPerBlock, major, minor, l2, doubleRatio;
    std::size_t gigabytes;
  };
  for (const Device& each :
       {Device{"device=a100", "A100", 108, 2048, 32, 167936, 166912, 8, 0, 41943040, 2, 40},
        Device{"device=a10", "A10", 72, 1536, 16, 102400, 101376, 8, 6, 6291456, 64, 24},
        Device{"device=rtx3090", "RTX 3090", 82, 1536, 16, 102400, 101376, 8, 6, 6291456, 64, 24},
        Device{"device=rtx5090", "RTX 5090", 170, 1536, 24, 102400, 101376, 12, 0, 100663296, 64, 32}}) {
    simgpuEndContexts();
    CHECK_EQUAL(simgpuConfigure((std::string("report=off ") + each.setting).c_str()), 0);
    CHECK_EQUAL(cuInit(0), CUDA_SUCCESS);
    char name[64];
    CHECK_EQUAL(cuDeviceGetName(name, sizeof name, 0), CUDA_SUCCESS);
    CHECK(std::strstr(name, each.name) != nullptr);
    CHECK_EQUAL(attribute(16), each.multiprocessors);
    CHECK_EQUAL(attribute(39), each.threads);
    CHECK_EQUAL(attribute(106), each.blocks);
    CHECK_EQUAL(attribute(81), each.sharedPerMultiprocessor);
    CHECK_EQUAL(attribute(97), each.sharedPerBlock);
    CHECK_EQUAL(attribute(8), 49152);
    CHECK_EQUAL(attribute(75), each.major);
    CHECK_EQUAL(attribute(76), each.minor);
    CHECK_EQUAL(attribute(38), each.l2);
    CHECK_EQUAL(attribute(87), each.doubleRatio);
    CHECK_EQUAL(attribute(12), 65536);
    CHECK_EQUAL(attribute(10), 32);
    CHECK_EQUAL(attribute(95), 1);
    std::size_t bytes = 0;
    CHECK_EQUAL(cuDeviceTotalMem_v2(&bytes, 0), CUDA_SUCCESS);
    CHECK_EQUAL(bytes >> 30, each.gigabytes);
  }
  CHECK_EQUAL(simgpuConfigure("report=off"), 0);
  int value = 0;
  CHECK_EQUAL(cuDeviceGetAttribute(&value, 16, 1), CUDA_ERROR_INVALID_DEVICE);
  CHECK_EQUAL(cuDeviceGetAttribute(&value, 9999, 0), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuDeviceGetAttribute(nullptr, 16, 0), CUDA_ERROR_INVALID_VALUE);
  CUdevice device = 0;
  CHECK_EQUAL(cuDeviceGet(&device, 3), CUDA_ERROR_INVALID_DEVICE);
  CHECK_EQUAL(simgpuConfigure("device=h100"), 1);
}

TEST("in a rehearsal the device does not call itself simulated, and its name still says what it is") {
  CHECK_EQUAL(simgpuConfigure("device=a10 rehearsal=on"), 0);
  char name[64];
  CHECK_EQUAL(cuDeviceGetName(name, sizeof name, 0), CUDA_SUCCESS);
  CHECK_EQUAL(std::string(name), "Rehearsal on a Simulated NVIDIA A10");
  CHECK_EQUAL(simgpuConfigure("device=a10"), 0);
  CHECK_EQUAL(cuDeviceGetName(name, sizeof name, 0), CUDA_SUCCESS);
  CHECK_EQUAL(std::string(name), "Simulated NVIDIA A10");
  CHECK_EQUAL(simgpuConfigure("rehearsal=maybe"), 1);
}

TEST("occupancy follows threads, blocks and shared memory of the device") {
  for (const bool large : {true, false}) {
    const Program program(large ? "device=a100" : "device=a10");
    const CUfunction scale = program.function(scaleKernel, "scale"); // few registers, no shared memory
    CHECK_EQUAL(blocksPerMultiprocessor(scale, 1024, 0), large ? 2 : 1);
    CHECK_EQUAL(blocksPerMultiprocessor(scale, 256, 0), large ? 8 : 6);
    CHECK_EQUAL(blocksPerMultiprocessor(scale, 32, 0), large ? 32 : 16);
    CHECK_EQUAL(blocksPerMultiprocessor(scale, 33, 0), large ? 32 : 16); // two warps
    CHECK_EQUAL(blocksPerMultiprocessor(scale, 128, 40 * 1024), large ? 4 : 2); // and 1 KB reserved for each
    CHECK_EQUAL(cuFuncSetAttribute(scale, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 99 * 1024), CUDA_SUCCESS);
    CHECK_EQUAL(blocksPerMultiprocessor(scale, 128, 99 * 1024), 1);
    int blocks = 0;
    CHECK_EQUAL(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scale, 0, 0), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(cuOccupancyMaxActiveBlocksPerMultiprocessor(nullptr, scale, 32, 0), CUDA_ERROR_INVALID_VALUE);
    CHECK_EQUAL(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, nullptr, 32, 0), CUDA_ERROR_INVALID_HANDLE);
    int grid = 0;
    int block = 0;
    CHECK_EQUAL(cuOccupancyMaxPotentialBlockSize(&grid, &block, scale, nullptr, 0, 0), CUDA_SUCCESS);
    CHECK_EQUAL(grid * block, (large ? 108 * 2048 : 72 * 1536));
  }
}

TEST("a cooperative grid is as large as the device holds and not a block larger") {
  const Program program("device=a10");
  const CUfunction scale = program.function(scaleKernel, "scale");
  CUdeviceptr data = program.upload({1});
  float factor = 2;
  unsigned n = 1;
  void* arguments[] = {&data, &factor, &n};
  CHECK_EQUAL(cuLaunchCooperativeKernel(scale, 72, 1, 1, 1024, 1, 1, 0, nullptr, arguments), CUDA_SUCCESS);
  CHECK_EQUAL(cuLaunchCooperativeKernel(scale, 73, 1, 1, 1024, 1, 1, 0, nullptr, arguments),
              CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
  CUlaunchAttribute cooperative{};
  cooperative.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
  cooperative.value.cooperative = 1;
  CUlaunchConfig config{73, 1, 1, 1024, 1, 1, 0, nullptr, &cooperative, 1};
  CHECK_EQUAL(cuLaunchKernelEx(&config, scale, arguments, nullptr), CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
  config.gridDimX = 72;
  CHECK_EQUAL(cuLaunchKernelEx(&config, scale, arguments, nullptr), CUDA_SUCCESS);
  config.attrs = nullptr;
  CHECK_EQUAL(cuLaunchKernelEx(&config, scale, arguments, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(program.download(data, 1)[0], 4.0F);
}

TEST("several threads work in one context, each with streams of its own") {
  const Program program;
  constexpr int threads = 4;
  constexpr int rounds = 25;
  const CUfunction scale = program.function(scaleKernel, "scale");
  std::atomic<int> failures{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      const auto expect = [&](CUresult result) { failures += result == CUDA_SUCCESS ? 0 : 1; };
      expect(cuCtxSetCurrent(program.context()));
      CUstream stream = nullptr;
      expect(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
      for (int round = 0; round < rounds; ++round) {
        CUdeviceptr data = 0;
        const float start = static_cast<float>(t * rounds + round);
        float end = -1;
        expect(cuMemAlloc_v2(&data, 4));
        expect(cuMemcpyHtoDAsync_v2(data, &start, 4, stream));
        expect(scaleOnce(scale, data, stream));
        expect(cuMemcpyDtoHAsync_v2(&end, data, 4, stream));
        expect(cuStreamSynchronize(stream));
        expect(cuMemFree_v2(data));
        failures += end == 2 * start ? 0 : 1;
      }
      expect(cuStreamDestroy_v2(stream));
    });
  }
  for (std::thread& thread : all) thread.join();
  CHECK_EQUAL(failures.load(), 0);
  CHECK_EQUAL(findings(), std::string(R"({"findings":[],"dropped":0})"));
}

TEST("contexts do not see each other's work, and a fault spoils one of them only") {
  const Program program;
  const CUfunction scale = program.function(scaleKernel, "scale");
  const CUdeviceptr data = program.upload({1});
  const CUstream stream = program.stream();
  const CUevent event = program.event();
  CUcontext other = nullptr;
  CHECK_EQUAL(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  // a stream of another context can be waited for, but takes no work of this one
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemsetD8Async(data, 0, 4, stream), CUDA_ERROR_INVALID_HANDLE);
  CHECK_EQUAL(cuEventRecord(event, nullptr), CUDA_ERROR_INVALID_HANDLE);
  float factor = 2;
  unsigned n = 1024;
  CUdeviceptr small = program.upload({1});
  CHECK_EQUAL(launch(program.function(scaleKernel, "scale"), n, nullptr, {&small, &factor, &n}), CUDA_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  CHECK_EQUAL(cuCtxSetCurrent(program.context()), CUDA_SUCCESS);
  CHECK_EQUAL(scaleOnce(scale, data), CUDA_SUCCESS);
  CHECK_EQUAL(program.download(data, 1)[0], 2.0F);
  // a context that another thread destroyed
  std::thread([&] { CHECK_EQUAL(cuCtxDestroy_v2(program.context()), CUDA_SUCCESS); }).join();
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  CHECK_EQUAL(cuCtxSetCurrent(program.context()), CUDA_ERROR_INVALID_CONTEXT);
  CHECK_EQUAL(cuCtxDestroy_v2(program.context()), CUDA_ERROR_INVALID_CONTEXT);
}

TEST("each thread has a default stream of its own") {
  const Program program;
  const CUfunction scale = program.function(scaleKernel, "scale");
  const CUdeviceptr data = program.upload({1});
  unsigned long long ids[2] = {};
  CHECK_EQUAL(cuStreamGetId(CU_STREAM_PER_THREAD, &ids[0]), CUDA_SUCCESS);
  CHECK_EQUAL(scaleOnce(scale, data, CU_STREAM_PER_THREAD), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamQuery(CU_STREAM_PER_THREAD), CUDA_ERROR_NOT_READY);
  std::thread([&] {
    CHECK_EQUAL(cuCtxSetCurrent(program.context()), CUDA_SUCCESS);
    CHECK_EQUAL(cuStreamQuery(CU_STREAM_PER_THREAD), CUDA_SUCCESS); // nothing waits there
  }).join();
  CHECK_EQUAL(cuStreamSynchronize(CU_STREAM_PER_THREAD), CUDA_SUCCESS);
  CHECK_EQUAL(program.download(data, 1)[0], 2.0F);
}

TEST("every fault strikes the call it names and no other") {
  {
    const Program program("faults=alloc=3");
    CUdeviceptr data = 0;
    void* pinned = nullptr;
    CHECK_EQUAL(cuMemAlloc_v2(&data, 4), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 4), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemAllocAsync(&data, 4, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
    CHECK_EQUAL(cuMemAllocManaged(&data, 4, CU_MEM_ATTACH_GLOBAL), CUDA_SUCCESS);
  }
  {
    const Program program("faults=launch=2");
    const CUfunction scale = program.function(scaleKernel, "scale");
    const CUdeviceptr data = program.upload({1});
    CHECK_EQUAL(scaleOnce(scale, data), CUDA_SUCCESS);
    CHECK_EQUAL(program.download(data, 1)[0], 2.0F);
    CHECK_EQUAL(scaleOnce(scale, data), CUDA_SUCCESS);
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
    CHECK_EQUAL(scaleOnce(scale, data), CUDA_ERROR_LAUNCH_FAILED);
    CHECK(found("the launch of scale fails, as demanded"));
  }
  {
    const Program program("faults=copy=2");
    const CUdeviceptr data = program.upload({1});
    float value = 5;
    CHECK_EQUAL(cuMemcpyDtoH_v2(&value, data, 0), CUDA_SUCCESS); // of no bytes, and none
    CHECK_EQUAL(cuMemcpyDtoH_v2(&value, data, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
    CHECK_EQUAL(value, 5.0F);
    CHECK(found("the copy of 4 bytes fails, as demanded"));
    CHECK_EQUAL(cuMemcpyDtoH_v2(&value, data, 4), CUDA_ERROR_ILLEGAL_ADDRESS); // the context is lost
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    CUcontext other = nullptr;
    CHECK_EQUAL(cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
    const CUdeviceptr more = program.upload({2});
    CHECK_EQUAL(program.download(more, 1)[0], 2.0F);
    CHECK_EQUAL(cuCtxDestroy_v2(other), CUDA_SUCCESS);
  }
  {
    const Program program("faults=copy-delay=20000");
    const CUdeviceptr data = program.upload({1});
    const auto start = std::chrono::steady_clock::now();
    CHECK_EQUAL(program.download(data, 1)[0], 1.0F);
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(20));
  }
  {
    const Program program("faults=lost=6");
    const CUdeviceptr data = program.upload({1}); // two calls and the context's
    const CUfunction scale = program.function(scaleKernel, "scale");
    CHECK_EQUAL(scaleOnce(scale, data), CUDA_SUCCESS);
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_UNKNOWN);
    CUdeviceptr more = 0;
    CHECK_EQUAL(cuMemAlloc_v2(&more, 4), CUDA_ERROR_UNKNOWN);
    int count = -1;
    CHECK_EQUAL(cuDeviceGetCount(&count), CUDA_ERROR_UNKNOWN);
    CHECK_EQUAL(cuInit(0), CUDA_ERROR_NO_DEVICE);
    const char* text = nullptr;
    CHECK_EQUAL(cuGetErrorString(CUDA_ERROR_UNKNOWN, &text), CUDA_SUCCESS);
    CHECK_EQUAL(std::string(text), std::string("unknown error"));
  }
  CHECK_EQUAL(simgpuConfigure("report=off faults=alloc=0"), 1);
  CHECK_EQUAL(simgpuConfigure("report=off faults=fire=1"), 1);
  CHECK(std::string(simgpuMessage()).find("alloc, launch, copy, ecc, lost and copy-delay") != std::string::npos);
}

namespace {

/** A copy the fault strikes: what the call answers, and what waiting for the device answers. */
struct FailedCopy {
  const char* direction;
  CUresult call;
  CUresult (*copy)(CUdeviceptr to, CUdeviceptr from, float* pageable, float* pinned);
};

const FailedCopy failedCopies[] = {
    {"to the device", CUDA_ERROR_ILLEGAL_ADDRESS,
     [](CUdeviceptr to, CUdeviceptr, float* host, float*) { return cuMemcpyHtoD_v2(to, host, 4); }},
    {"from the device", CUDA_ERROR_ILLEGAL_ADDRESS,
     [](CUdeviceptr, CUdeviceptr from, float* host, float*) { return cuMemcpyDtoH_v2(host, from, 4); }},
    {"within the device", CUDA_SUCCESS,
     [](CUdeviceptr to, CUdeviceptr from, float*, float*) { return cuMemcpyDtoD_v2(to, from, 4); }},
    {"within the host", CUDA_ERROR_ILLEGAL_ADDRESS,
     [](CUdeviceptr, CUdeviceptr, float* host, float* pinned) {
       return cuMemcpy(reinterpret_cast<CUdeviceptr>(host), reinterpret_cast<CUdeviceptr>(pinned), 4);
     }},
    {"of pageable memory, later", CUDA_SUCCESS,
     [](CUdeviceptr to, CUdeviceptr, float* host, float*) { return cuMemcpyHtoDAsync_v2(to, host, 4, nullptr); }},
    {"of pinned memory, later", CUDA_SUCCESS,
     [](CUdeviceptr to, CUdeviceptr, float*, float* pinned) { return cuMemcpyHtoDAsync_v2(to, pinned, 4, nullptr); }},
    {"into pageable memory, later", CUDA_ERROR_ILLEGAL_ADDRESS,
     [](CUdeviceptr, CUdeviceptr from, float* host, float*) { return cuMemcpyDtoHAsync_v2(host, from, 4, nullptr); }},
    {"into pinned memory, later", CUDA_SUCCESS,
     [](CUdeviceptr, CUdeviceptr from, float*, float* pinned) {
       return cuMemcpyDtoHAsync_v2(pinned, from, 4, nullptr);
     }},
    {"within the device, later", CUDA_SUCCESS,
     [](CUdeviceptr to, CUdeviceptr from, float*, float*) { return cuMemcpyDtoDAsync_v2(to, from, 4, nullptr); }},
    {"of a rectangle", CUDA_ERROR_ILLEGAL_ADDRESS,
     [](CUdeviceptr to, CUdeviceptr, float* host, float*) {
       CUDA_MEMCPY2D rows{};
       rows.srcMemoryType = CU_MEMORYTYPE_HOST;
       rows.srcHost = host;
       rows.dstMemoryType = CU_MEMORYTYPE_DEVICE;
       rows.dstDevice = to;
       rows.WidthInBytes = 4;
       rows.Height = 1;
       return cuMemcpy2D_v2(&rows);
     }},
};

} // namespace

TEST("a copy fails in every direction, at once or when it is waited for, and moves nothing") {
  for (const FailedCopy& each : failedCopies) {
    const Program program("faults=copy=3");
    const CUdeviceptr from = program.upload({1});
    const CUdeviceptr to = program.upload({2});
    void* memory = nullptr;
    CHECK_EQUAL(cuMemAllocHost_v2(&memory, 4), CUDA_SUCCESS);
    auto* pinned = static_cast<float*>(memory);
    *pinned = 3;
    float pageable = 4;
    CHECK_EQUAL(each.copy(to, from, &pageable, pinned), each.call);
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    CHECK_EQUAL(pageable, 4.0F);
    CHECK(*pinned != 1.0F); // its own, or meaningless
    CHECK(found("injected fault"));
  }
}

TEST("a copy that fails in a graph fails its launch") {
  const Program program("faults=copy=4");
  const CUdeviceptr from = program.upload({1});
  const CUdeviceptr to = program.upload({2});
  const CUstream stream = program.stream();
  CHECK_EQUAL(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoDAsync_v2(to, from, 4, stream), CUDA_SUCCESS);
  CUgraph graph = nullptr;
  CHECK_EQUAL(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  CUgraphExec exec = nullptr;
  CHECK_EQUAL(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(exec, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuGraphLaunch(exec, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST("event times are projected device times when a setting says so") {
  const Program program("times=projected");
  const CUfunction scale = program.function(scaleKernel, "scale");
  const CUdeviceptr data = program.upload(std::vector<float>(1 << 16, 1));
  const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
  const CUevent events[] = {program.event(), program.event(), program.event()};
  CHECK_EQUAL(cuEventRecord(events[0], stream), CUDA_SUCCESS);
  CHECK_EQUAL(scaleOnce(scale, data, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventRecord(events[1], stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyDtoDAsync_v2(data + (1 << 17), data, 1 << 17, stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventRecord(events[2], stream), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_SUCCESS);
  float kernel = 0;
  float copy = 0;
  CHECK_EQUAL(cuEventElapsedTime(&kernel, events[0], events[1]), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventElapsedTime(&copy, events[1], events[2]), CUDA_SUCCESS);
  // one warp: hardly more than a launch; 256 KB moved at 1555 GB/s and the launch
  CHECK(kernel >= 0.0024F && kernel < 0.01F);
  CHECK(copy > 0.0026F && copy < 0.0028F);
  // a stream that waits for an event starts no earlier
  const CUstream second = program.stream(CU_STREAM_NON_BLOCKING);
  CHECK_EQUAL(cuStreamWaitEvent(second, events[2], 0), CUDA_SUCCESS);
  CHECK_EQUAL(cuEventRecord(events[1], second), CUDA_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(second), CUDA_SUCCESS);
  float both = 0;
  CHECK_EQUAL(cuEventElapsedTime(&both, events[0], events[1]), CUDA_SUCCESS);
  CHECK_EQUAL(both, kernel + copy);
}
