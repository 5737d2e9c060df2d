// How long a forward pass of a small sentence encoder takes on the simulated device: 6 layers, hidden size 384, 12
// heads of 32, feed-forward size 1536, 128 tokens (the shape of all-MiniLM-L6), all weights 2:4 sparse fp16.
//
//   forward_benchmark [rounds]
//
// One layer is computed on the CPU too and compared before anything is measured. Printed are medians of the processor
// time of whole passes on one worker, unchecked, with every check, and with the memory counters too.
#include "measurement.h"

#include <array>
#include <bit>
#include <cmath>
#include <random>

namespace {

using namespace simgpu;
using namespace simgpu::benchmark;

constexpr int tokens = 128;
constexpr int hidden = 384;
constexpr int inner = 4 * hidden;
constexpr int heads = 12;
constexpr int headSize = hidden / heads;
constexpr int layers = 6;
constexpr int tile = 64;
constexpr std::uint32_t gemmShared = 3 * tile * (tile / 2 + 8 + tile + 8) * 2; // three stages, padded rows
constexpr double tolerance = 0.02; // of values around 1, after a layer of fp16 roundings

std::uint16_t half(float value) { return std::bit_cast<std::uint16_t>(static_cast<_Float16>(value)); }
float rounded(float value) { return static_cast<float>(static_cast<_Float16>(value)); }

/** A 2:4 matrix, on the device as spgemm.cu wants it and dense for the comparison. */
struct Weights {
  int rows = 0;
  int columns = 0;
  std::vector<float> dense;
  std::vector<float> bias;
  DeviceAddress values = 0;
  DeviceAddress metadata = 0;
  DeviceAddress biasAddress = 0;
};

class Encoder {
public:
  explicit Encoder(Engine& engine)
      : engine_(engine), memory_(engine.memory()), products_(compileFile(engine, SIMGPU_BENCHMARKS "/spgemm.ptx")),
        rest_(compileFile(engine, SIMGPU_BENCHMARKS "/forward.ptx")) {
    qkv_ = makeWeights(3 * hidden, hidden);
    output_ = makeWeights(hidden, hidden);
    up_ = makeWeights(inner, hidden);
    down_ = makeWeights(hidden, inner);
    gain_ = upload(memory_, std::vector<float>(hidden, 1.0f));
    zero_ = upload(memory_, std::vector<float>(hidden, 0.0f));
    input_.resize(tokens * hidden);
    for (float& value : input_) {
      value = rounded(normal_(random_));
    }
    x_ = memory_.allocate(tokens * hidden * 2, AllocationKind::user);
    wide_ = memory_.allocate(tokens * inner * 2, AllocationKind::user);
    narrow_ = memory_.allocate(tokens * hidden * 2, AllocationKind::user);
    other_ = memory_.allocate(tokens * hidden * 2, AllocationKind::user);
  }

  /** Runs `count` layers, all with the same weights; the result and the lane instructions of the pass. */
  double forward(int count) {
    std::vector<std::uint16_t> bits(input_.size());
    std::transform(input_.begin(), input_.end(), bits.begin(), half);
    memory_.copyIn(x_, bits.data(), bits.size() * 2);
    laneInstructions_ = 0;
    for (int layer = 0; layer < count; layer++) {
      product(qkv_, x_, wide_);
      run("attention", {tokens / 64, heads, 1}, Parameters().add(wide_).add(narrow_));
      product(output_, narrow_, other_);
      addNorm();
      product(up_, x_, wide_);
      constexpr int pairs = tokens * inner / 2;
      run("gelu", {pairs / 128, 1, 1}, Parameters().add(pairs).add(wide_));
      product(down_, wide_, other_);
      addNorm();
    }
    return laneInstructions_;
  }

  /** The largest difference between one layer here and on the device. */
  double compare() {
    forward(1);
    std::vector<std::uint16_t> bits(input_.size());
    memory_.copyOut(bits.data(), x_, bits.size() * 2);
    const std::vector<float> attended = norm(input_, apply(output_, attention(apply(qkv_, input_))));
    std::vector<float> wide = apply(up_, attended);
    for (float& value : wide) {
      value = rounded(0.5f * value * (1 + std::erf(value * std::sqrt(0.5f))));
    }
    const std::vector<float> expected = norm(attended, apply(down_, wide));
    double worst = 0;
    for (std::size_t i = 0; i < bits.size(); i++) {
      const auto actual = static_cast<float>(std::bit_cast<_Float16>(bits[i]));
      worst = std::max(worst, static_cast<double>(std::fabs(actual - expected[i])));
    }
    return worst;
  }

private:
  Weights makeWeights(int rows, int columns) {
    // the two kept positions of a group of four, lower first, two bits each
    constexpr std::array<std::uint32_t, 6> kept{0x4, 0x8, 0x9, 0xc, 0xd, 0xe};
    Weights w{rows, columns, std::vector<float>(static_cast<std::size_t>(rows) * columns), std::vector<float>(rows)};
    std::vector<std::uint16_t> values;
    std::vector<std::uint32_t> metadata(static_cast<std::size_t>(rows) * columns / 32);
    const float scale = 1 / std::sqrt(static_cast<float>(columns) / 2);
    for (int row = 0; row < rows; row++) {
      w.bias[row] = 0.1f * normal_(random_);
      for (int group = 0; group < columns / 4; group++) {
        const std::uint32_t nibble = kept[random_() % kept.size()];
        for (const std::uint32_t position : {nibble & 3, nibble >> 2}) {
          const float value = rounded(scale * normal_(random_));
          values.push_back(half(value));
          w.dense[static_cast<std::size_t>(row) * columns + group * 4 + position] = value;
        }
        // mma.sp.m16n8k32: a word has 16 columns of rows r and r + 8; words of a 16x32 tile are in the order 2r + half
        const int word = (row / 16 * (columns / 32) + group / 8) * 16 + row % 8 * 2 + group % 8 / 4;
        metadata[word] |= nibble << (row % 16 / 8 * 16 + group % 4 * 4);
      }
    }
    w.values = upload(memory_, values);
    w.metadata = upload(memory_, metadata);
    w.biasAddress = upload(memory_, w.bias);
    return w;
  }

  void product(const Weights& w, DeviceAddress from, DeviceAddress to) {
    LaunchConfig config;
    config.grid = {tokens / tile, static_cast<std::uint32_t>(w.rows) / tile, 1};
    config.block = {128, 1, 1};
    config.dynamicShared = config.maxDynamicShared = gemmShared;
    Parameters parameters;
    parameters.add(w.values).add(w.metadata).add(from).add(w.biasAddress).add(to);
    parameters.add(w.rows).add(tokens).add(w.columns).add(0);
    laneInstructions_ +=
        static_cast<double>(launch(engine_, *products_, "spgemm_f16", config, parameters).counters.laneInstructions);
  }

  void run(const char* kernel, Dim3 grid, const Parameters& parameters) {
    LaunchConfig config;
    config.grid = grid;
    config.block = {128, 1, 1};
    laneInstructions_ +=
        static_cast<double>(launch(engine_, *rest_, kernel, config, parameters).counters.laneInstructions);
  }

  void addNorm() {
    run("add_norm", {tokens / 4, 1, 1}, Parameters().add(x_).add(other_).add(gain_).add(zero_));
  }

  static std::vector<float> apply(const Weights& w, const std::vector<float>& x) {
    std::vector<float> y(static_cast<std::size_t>(tokens) * w.rows);
    for (int token = 0; token < tokens; token++) {
      for (int row = 0; row < w.rows; row++) {
        float sum = w.bias[row];
        const float* weights = w.dense.data() + static_cast<std::size_t>(row) * w.columns;
        const float* inputs = x.data() + static_cast<std::size_t>(token) * w.columns;
        for (int k = 0; k < w.columns; k++) {
          sum += weights[k] * inputs[k];
        }
        y[static_cast<std::size_t>(token) * w.rows + row] = rounded(sum);
      }
    }
    return y;
  }

  static std::vector<float> attention(const std::vector<float>& qkv) {
    std::vector<float> out(static_cast<std::size_t>(tokens) * hidden);
    const auto at = [&](int token, int which, int column) {
      return qkv[static_cast<std::size_t>(token) * 3 * hidden + which * hidden + column];
    };
    for (int head = 0; head < heads; head++) {
      for (int query = 0; query < tokens; query++) {
        std::array<float, tokens> weight{};
        float total = 0;
        for (int key = 0; key < tokens; key++) {
          float score = 0;
          for (int i = head * headSize; i < (head + 1) * headSize; i++) {
            score += at(query, 0, i) * at(key, 1, i);
          }
          weight[key] = std::exp(score / std::sqrt(static_cast<float>(headSize)));
          total += weight[key];
        }
        for (int i = head * headSize; i < (head + 1) * headSize; i++) {
          float sum = 0;
          for (int key = 0; key < tokens; key++) {
            sum += weight[key] / total * at(key, 2, i);
          }
          out[static_cast<std::size_t>(query) * hidden + i] = rounded(sum);
        }
      }
    }
    return out;
  }

  static std::vector<float> norm(const std::vector<float>& x, const std::vector<float>& residual) {
    std::vector<float> out(x.size());
    for (int token = 0; token < tokens; token++) {
      const auto base = static_cast<std::size_t>(token) * hidden;
      float mean = 0;
      float square = 0;
      for (std::size_t i = base; i < base + hidden; i++) {
        mean += (x[i] + residual[i]) / hidden;
      }
      for (std::size_t i = base; i < base + hidden; i++) {
        square += (x[i] + residual[i] - mean) * (x[i] + residual[i] - mean) / hidden;
      }
      for (std::size_t i = base; i < base + hidden; i++) {
        out[i] = rounded((x[i] + residual[i] - mean) / std::sqrt(square));
      }
    }
    return out;
  }

  Engine& engine_;
  DeviceMemory& memory_;
  std::unique_ptr<Module> products_;
  std::unique_ptr<Module> rest_;
  std::mt19937 random_{1};
  std::normal_distribution<float> normal_;
  Weights qkv_;
  Weights output_;
  Weights up_;
  Weights down_;
  DeviceAddress gain_ = 0;
  DeviceAddress zero_ = 0;
  std::vector<float> input_;
  DeviceAddress x_ = 0;
  DeviceAddress wide_ = 0;
  DeviceAddress narrow_ = 0;
  DeviceAddress other_ = 0;
  double laneInstructions_ = 0;
};

} // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::max(1, std::atoi(arguments[1])) : 5;
  DeviceMemory memory(std::uint64_t{1} << 30);
  Settings settings;
  settings.workers = 1;
  Engine engine(DeviceModel::a100(), memory, settings);
  Encoder encoder(engine);
  const double worst = encoder.compare();
  std::printf("one layer against the CPU: largest difference %.4f\n", worst);
  if (!(worst < tolerance)) {
    std::fprintf(stderr, "the result is wrong\n");
    return 1;
  }
  struct Mode {
    const char* name;
    bool checks;
    bool counts;
    std::vector<double> seconds;
  };
  std::array<Mode, 3> modes{
      Mode{"unchecked", false, false, {}}, {"all checks", true, false, {}}, {"checks and counts", true, true, {}}};
  double laneInstructions = 0;
  for (int round = 0; round < rounds; round++) {
    for (Mode& mode : modes) {
      settings.checks = mode.checks;
      settings.countTraffic = mode.counts;
      engine.setSettings(settings);
      const double begin = cpuSeconds();
      laneInstructions = encoder.forward(layers);
      mode.seconds.push_back(cpuSeconds() - begin);
    }
  }
  std::printf("forward pass       %8.1f M lane instructions\n", laneInstructions / 1e6);
  for (const Mode& mode : modes) {
    std::printf("%-18s %8.2f s of processor time (median of %d)\n", mode.name, median(mode.seconds), rounds);
  }
  return 0;
}
