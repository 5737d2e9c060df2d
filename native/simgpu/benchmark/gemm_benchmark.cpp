// How fast the engine interprets: lane instructions per second and core on a 2:4 GEMM, without and with every check.
//
//   gemm_benchmark [rounds]
//
// The kernel is spgemm_f16 (64x64x64 tiles, three cp.async stages, ldmatrix, mma.sp) of spgemm.ptx at M 384, N 128,
// K 384. Rounds of both modes alternate and the median of each is printed, so a busy machine shifts both alike.
#include "measurement.h"

#include <chrono>
#include <random>

namespace {

using namespace simgpu;
using namespace simgpu::benchmark;

constexpr int rows = 384;
constexpr int tokens = 128;
constexpr int depth = 384;
constexpr std::uint32_t tile = 64;
constexpr std::uint32_t stages = 3;
constexpr std::uint32_t padding = 8; // halves, against bank conflicts
constexpr std::uint32_t dynamicShared = stages * tile * (tile / 2 + padding + tile + padding) * 2;

struct Run {
  double seconds = 0;
  double laneInstructions = 0;
};

} // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::max(1, std::atoi(arguments[1])) : 15;
  DeviceMemory memory(std::uint64_t{1} << 30);
  Settings settings;
  settings.workers = 1;
  Engine engine(DeviceModel::a100(), memory, settings);
  const auto start = std::chrono::steady_clock::now();
  const std::unique_ptr<Module> module = compileFile(engine, SIMGPU_BENCHMARKS "/spgemm.ptx");
  const double compileSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::mt19937 random(1);
  const auto halves = [&](std::size_t size) {
    std::vector<std::uint16_t> values(size);
    for (std::uint16_t& value : values) {
      value = static_cast<std::uint16_t>(0x3000 + random() % 0x800); // 0.125 to 0.5
    }
    return values;
  };
  const DeviceAddress weights = upload(memory, halves(rows * depth / 2));
  const DeviceAddress metadata = upload(memory, std::vector<std::uint16_t>(rows * depth / 16, 0x4444));
  const DeviceAddress inputs = upload(memory, halves(tokens * depth));
  const DeviceAddress outputs = memory.allocate(rows * tokens * 2, AllocationKind::user);
  Parameters parameters;
  parameters.add(weights).add(metadata).add(inputs).add(DeviceAddress{0}).add(outputs);
  parameters.add(rows).add(tokens).add(depth).add(0);
  LaunchConfig config;
  config.grid = {tokens / tile, rows / tile, 1};
  config.block = {128, 1, 1};
  config.dynamicShared = dynamicShared;
  config.maxDynamicShared = dynamicShared;
  const auto measure = [&](bool checks) {
    settings.checks = checks;
    settings.countTraffic = checks;
    engine.setSettings(settings);
    const double begin = cpuSeconds();
    const LaunchResult result = launch(engine, *module, "spgemm_f16", config, parameters);
    const double seconds = cpuSeconds() - begin;
    return Run{seconds, static_cast<double>(result.counters.laneInstructions)};
  };
  std::vector<double> plain;
  std::vector<double> checked;
  for (int i = 0; i < rounds; i++) {
    const Run fast = measure(false);
    const Run careful = measure(true);
    plain.push_back(fast.laneInstructions / fast.seconds);
    checked.push_back(careful.laneInstructions / careful.seconds);
  }
  std::printf("compile            %8.1f ms\n", compileSeconds * 1e3);
  std::printf("unchecked          %8.1f M lane instructions/s per core (median of %d, best %.1f)\n", median(plain) / 1e6,
              rounds, *std::max_element(plain.begin(), plain.end()) / 1e6);
  std::printf("checks and counts  %8.1f M lane instructions/s per core (median of %d, best %.1f)\n",
              median(checked) / 1e6, rounds, *std::max_element(checked.begin(), checked.end()) / 1e6);
  return 0;
}
