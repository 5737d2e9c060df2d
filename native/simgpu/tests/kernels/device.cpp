#include "device.h"

#include "arith/half_arithmetic.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace simgpu::testing {

std::set<std::string>& launchedKernels() {
  static std::set<std::string> kernels;
  return kernels;
}

std::string fixtureText(const std::string& name) {
  std::ifstream file(std::string(SIMGPU_FIXTURES) + "/ptx/" + name + ".ptx");
  if (!file) {
    throw std::runtime_error("no fixture " + name);
  }
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> fixtureNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SIMGPU_FIXTURES) + "/ptx")) {
    if (entry.path().extension() == ".ptx") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

constexpr std::uint64_t deviceBytes = std::uint64_t{256} << 20;

Settings withWatchdog(Settings settings) {
  if (settings.watchdog == 0) {
    settings.watchdog = 200'000'000; // a hang is a failure, not a stuck build
  }
  return settings;
}

} // namespace

Device::Device(Settings settings)
    : memory_(deviceBytes), engine_(DeviceModel::a100(), memory_, withWatchdog(settings)) {
  engine_.setPrintfSink([this](std::string_view text) { printed_ += text; });
}

void Device::check(MemoryStatus status) {
  if (status != MemoryStatus::ok) {
    throw std::runtime_error("device memory access failed");
  }
}

DeviceAddress Device::allocate(std::size_t bytes) {
  const DeviceAddress address = memory_.allocate(bytes, AllocationKind::user);
  if (address == 0) {
    throw std::runtime_error("device memory is used up");
  }
  return address;
}

const Module& Device::module(const std::string& file) {
  auto& module = modules_[file];
  if (!module) {
    CompileResult compiled = engine_.compile(fixtureText(file));
    if (!compiled.module) {
      throw std::runtime_error(file + ".ptx does not compile:\n" + compiled.log());
    }
    module = std::move(compiled.module);
  }
  return *module;
}

LaunchResult Device::launch(const std::string& file, const std::string& name, Dim3 grid, Dim3 block,
                            const std::vector<Argument>& arguments, std::uint32_t dynamicShared, bool cooperative) {
  const Kernel* kernel = module(file).kernel(name);
  if (kernel == nullptr) {
    throw std::runtime_error(file + ".ptx has no kernel " + name);
  }
  launchedKernels().insert(file + "/" + name);
  if (arguments.size() != kernel->info.parameters.size()) {
    throw std::runtime_error(name + " takes " + std::to_string(kernel->info.parameters.size()) + " arguments");
  }
  std::vector<std::byte> block_(kernel->info.parameterBytes);
  for (std::size_t i = 0; i < arguments.size(); i++) {
    const KernelParameter& parameter = kernel->info.parameters[i];
    if (arguments[i].bytes().size() != parameter.size) {
      throw std::runtime_error(name + ": argument " + std::to_string(i) + " has the wrong size");
    }
    std::copy(arguments[i].bytes().begin(), arguments[i].bytes().end(), block_.begin() + parameter.offset);
  }
  LaunchConfig config{grid, block, dynamicShared, cooperative, dynamicShared};
  LaunchResult result = engine_.launch(*kernel, config, block_);
  if (result.status != Status::success || !result.findings.empty()) {
    fail(__FILE__, __LINE__, file + "/" + name + ": " + statusName(result.status) + "\n" + result.report());
  }
  return result;
}

std::vector<float> Inputs::reals(std::size_t count, float low, float high) {
  std::vector<float> values(count);
  std::generate(values.begin(), values.end(), [&] { return real(low, high); });
  return values;
}

std::vector<double> Inputs::doubles(std::size_t count, double low, double high) {
  std::vector<double> values(count);
  std::uniform_real_distribution<double> range(low, high);
  std::generate(values.begin(), values.end(), [&] { return range(random_); });
  return values;
}

std::vector<std::uint16_t> Inputs::f16s(std::size_t count, float low, float high) {
  std::vector<std::uint16_t> values(count);
  std::generate(values.begin(), values.end(), [&] { return toF16(real(low, high)); });
  return values;
}

std::vector<std::uint16_t> Inputs::bf16s(std::size_t count, float low, float high) {
  std::vector<std::uint16_t> values(count);
  std::generate(values.begin(), values.end(), [&] { return toBf16(real(low, high)); });
  return values;
}

float fromF16(std::uint16_t bits) { return arith::f16ToFloat(bits); }
float fromBf16(std::uint16_t bits) { return arith::bf16ToFloat(bits); }
std::uint16_t toF16(float value) { return arith::floatToF16(value); }
std::uint16_t toBf16(float value) { return arith::floatToBf16(value); }

std::vector<float> fromF16(const std::vector<std::uint16_t>& bits) {
  std::vector<float> values(bits.size());
  std::transform(bits.begin(), bits.end(), values.begin(), [](std::uint16_t b) { return fromF16(b); });
  return values;
}

std::vector<float> fromBf16(const std::vector<std::uint16_t>& bits) {
  std::vector<float> values(bits.size());
  std::transform(bits.begin(), bits.end(), values.begin(), [](std::uint16_t b) { return fromBf16(b); });
  return values;
}

} // namespace simgpu::testing
