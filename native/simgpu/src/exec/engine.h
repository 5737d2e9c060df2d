// The engine: compiles PTX text into modules and launches their kernels on the simulated device. This header is all
// that the driver, the libraries and the tests need.
#pragma once

#include "check/finding.h"
#include "count/counters.h"
#include "exec/device_model.h"
#include "exec/texture.h"
#include "memory/device_memory.h"
#include "memory/footprint.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace simgpu {

struct Dim3 {
  std::uint32_t x = 1;
  std::uint32_t y = 1;
  std::uint32_t z = 1;

  std::uint64_t volume() const { return std::uint64_t{x} * y * z; }
};

struct Settings {
  /** Uninitialised reads, races, pending copies, metadata. Bounds and alignment are checked always. */
  bool checks = true;
  /**
   * Lanes of a warp that run together are in lock step, as they are on devices in practice. Otherwise a lane that uses
   * what another wrote in shared memory must have met it, as CUDA demands since sm_70.
   */
  bool lockStep = true;
  /** Round fp16/bf16 tensor-core sums as measured A100 hardware does, instead of in fp32. */
  bool exactTensor = false;
  /** Fill in the memory counters; costs time. */
  bool countTraffic = false;
  /** Threads that run blocks; 0 means one per core. */
  std::uint32_t workers = 0;
  /**
   * Warp instructions during which no block comes to its end, after which a launch is stopped with launchTimeout; 0
   * means never. Counted from block to block, so that long launches of many blocks go on; the default is minutes of
   * simulation. DeviceSettings.DEFAULT_WATCHDOG is the same number.
   */
  std::uint64_t watchdog = 2'000'000'000;
  /** Distinct findings kept per launch; further ones are only counted. */
  std::uint32_t findingLimit = 64;
};

/** Limits a context can set (cuCtxSetLimit). */
struct Limits {
  std::uint64_t stackBytes = 1024;   // per thread, for calls
  std::uint64_t heapBytes = 8 << 20; // what device malloc can hand out
};

struct KernelParameter {
  std::string name;
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t alignment = 1;
};

/** What cuFuncGetAttribute reports and a launch is checked against. */
struct KernelInfo {
  std::string name;
  std::int64_t line = 0;
  std::vector<KernelParameter> parameters;
  std::uint32_t parameterBytes = 0; // end of the last parameter
  std::uint32_t staticSharedBytes = 0;
  std::uint32_t localBytes = 0; // per thread
  std::uint32_t constBytes = 0;
  std::uint32_t registers = 0; // estimated: the largest number of live 32-bit values, at most 255
  std::uint32_t maxThreads = 1024;
  Dim3 requiredBlock{0, 0, 0}; // .reqntid, zeros when absent
  std::string refusal; // why no launch is possible: it contains, or calls, what is not simulated; empty if it is
  std::uint32_t ptxVersion = 0;    // 71 for .version 7.1
  std::uint32_t targetVersion = 0; // 80 for sm_80
};

struct GlobalInfo {
  std::string name;
  DeviceAddress address = 0;
  std::uint64_t size = 0;
};

class LaunchContext;
class Module;

/** A kernel of a module; valid while the module lives. */
struct Kernel {
  const Module* module = nullptr;
  std::uint32_t index = 0;
  KernelInfo info;
};

/** A compiled PTX text. Its variables live in device memory until it is destroyed. */
class Module {
public:
  struct Content; // exec/module_content.h
  explicit Module(std::unique_ptr<Content> content);
  ~Module();

  /** Null when there is no such .entry. */
  const Kernel* kernel(std::string_view name) const;
  std::span<const Kernel> kernels() const;
  const GlobalInfo* global(std::string_view name) const;
  std::span<const GlobalInfo> globals() const;
  /** Every opcode string the module contains, sorted. */
  std::vector<std::string> opcodes() const;
  const Content& content() const { return *content_; }

private:
  std::unique_ptr<Content> content_;
};

struct Diagnostic {
  std::int64_t line = 0; // 1-based
  std::string message;
};

struct CompileResult {
  std::unique_ptr<Module> module; // null when there are errors
  Status status = Status::success;
  std::vector<Diagnostic> errors;

  /** "line 12: unknown modifier .foo", one a line, in the driver's error log. */
  std::string log() const;
};

struct LaunchConfig {
  Dim3 grid;
  Dim3 block;
  std::uint32_t dynamicShared = 0;
  bool cooperative = false;
  /** Upper limit of dynamicShared set with cuFuncSetAttribute; 0 means the default of 48 KB less static shared. */
  std::uint32_t maxDynamicShared = 0;
  /** Where the global bytes the launch touches are noted; null when nobody asks. */
  Footprint* footprint = nullptr;
};

struct LaunchResult {
  Status status = Status::success;
  std::vector<Finding> findings; // the most serious first
  Counters counters;

  /** All findings, one a line. */
  std::string report() const;
};

/**
 * Compiles and launches. compile() may be called from any thread; launches of one engine run one after the other, each
 * spread over the engine's worker threads.
 */
class Engine {
public:
  Engine(DeviceModel model, DeviceMemory& memory, Settings settings = {});
  ~Engine();

  /** Compiles PTX text; allocates and fills the module's variables. `owner` is noted in their allocations. */
  CompileResult compile(std::string_view ptx, std::uint64_t owner = 0);

  /**
   * Runs a kernel to its end. `parameters` is the parameter block, laid out as the kernel's info says; its size must
   * be parameterBytes (a smaller or larger one is an invalidLaunch finding with status invalidValue).
   */
  LaunchResult launch(const Kernel& kernel, const LaunchConfig& config, std::span<const std::byte> parameters);

  /** Blocks of `threads` threads that fit on one SM at a time; 0 when not even one does. */
  std::uint32_t occupancy(const KernelInfo& kernel, std::uint32_t threads, std::uint32_t dynamicShared) const;

  /** Where device printf goes; standard output when not set. Called at the end of a launch, from its thread. */
  void setPrintfSink(std::function<void(std::string_view)> sink);

  const DeviceModel& model() const { return model_; }
  DeviceMemory& memory() { return memory_; }
  Settings settings() const;
  void setSettings(const Settings& settings);
  /** The texture objects that kernels may fetch from. */
  TextureTable& textures() { return textures_; }
  Limits limits() const;
  void setLimits(const Limits& limits);

private:
  DeviceAddress prepareGridWorkspace();
  void execute(LaunchContext& context, std::uint64_t resident, Footprint* footprint, LaunchResult& result);

  DeviceModel model_;
  DeviceMemory& memory_;
  TextureTable textures_;
  mutable std::mutex settingsMutex_;
  Settings settings_;
  Limits limits_;
  std::function<void(std::string_view)> printfSink_;
  std::mutex launchMutex_;
  std::uint32_t launchCount_ = 0;
  DeviceAddress gridWorkspace_ = 0;
};

} // namespace simgpu
