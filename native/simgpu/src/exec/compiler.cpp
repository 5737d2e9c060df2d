#include "exec/compiler.h"

#include "exec/address_space.h"
#include "exec/decoder.h"
#include "exec/module_content.h"
#include "exec/shared_layout.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <set>

namespace simgpu {

namespace {

using ptx::PtxError;
using ptx::Space;
using ptx::Variable;

constexpr std::uint32_t newestVersion = 99; // PTX ISA 9.9: what is unknown in it fails by itself
constexpr std::uint32_t largestParameters = 32764;

bool inGlobalMemory(const Variable& variable) {
  return variable.space == Space::global || variable.space == Space::constant;
}

class Compiler {
public:
  Compiler(std::string_view text, const DeviceModel& model, DeviceMemory& memory, std::uint64_t owner)
      : module_(ptx::parse(text)), model_(model), memory_(memory),
        content_(std::make_unique<Module::Content>(memory)), owner_(owner) {
    content_->owner = owner;
    content_->code.extended.push_back(0); // Op::ext 0 means there is no list
  }

  std::unique_ptr<Module> run() {
    checkTarget();
    content_->code.files = std::move(module_.files);
    placeVariables();
    initialiseVariables();
    const SharedLayout shared(module_);
    for (std::uint32_t i = 0; i < module_.functions.size(); i++) {
      decode(i, shared.of(i));
    }
    Code& code = content_->code;
    std::sort(code.places.begin(), code.places.end(),
              [](const ptx::SourcePlace& a, const ptx::SourcePlace& b) { return a.ptxLine < b.ptxLine; });
    tellRefusals();
    return std::make_unique<Module>(std::move(content_));
  }

private:
  void checkTarget() const {
    if (module_.version > newestVersion) {
      throw PtxError(1, "PTX version " + std::to_string(module_.version / 10) + "." +
                            std::to_string(module_.version % 10) + " is not supported");
    }
    const std::uint32_t device = model_.computeMajor * 10 + model_.computeMinor;
    if (module_.target > device) {
      throw PtxError(2, "the text is for sm_" + std::to_string(module_.target) + ", the device is sm_" +
                            std::to_string(device));
    }
  }

  void placeVariables() {
    for (const Variable& variable : module_.variables) {
      DeviceAddress address = 0;
      if (inGlobalMemory(variable)) {
        if (variable.linkage == ptx::Linkage::external) {
          throw PtxError(variable.line, "variable '" + variable.name + "' is not defined");
        }
        const AllocationKind kind =
            variable.space == Space::constant ? AllocationKind::constant : AllocationKind::module;
        address = memory_.allocate(std::max<std::uint64_t>(1, variable.size), kind, owner_, variable.name);
        if (address == 0) {
          throw std::bad_alloc();
        }
        content_->allocations.push_back(address);
        content_->globals.push_back({variable.name, address, variable.size});
        memory_.markInitialised(address, std::max<std::uint64_t>(1, variable.size));
      }
      addresses_.push_back(address);
    }
  }

  void initialiseVariables() {
    for (std::size_t i = 0; i < module_.variables.size(); i++) {
      const Variable& variable = module_.variables[i];
      if (!inGlobalMemory(variable) || variable.initial.empty()) {
        continue;
      }
      std::vector<std::uint8_t> bytes = variable.initial;
      for (const ptx::Relocation& relocation : variable.relocations) {
        const std::uint64_t value = symbolAddress(relocation) + static_cast<std::uint64_t>(relocation.addend);
        const std::uint64_t shifted = value >> relocation.shift;
        std::memcpy(bytes.data() + relocation.offset, &shifted, std::min(8u, relocation.size));
      }
      memory_.copyIn(addresses_[i], bytes.data(), std::min<std::uint64_t>(bytes.size(), variable.size));
    }
  }

  std::uint64_t symbolAddress(const ptx::Relocation& relocation) const {
    for (std::size_t i = 0; i < module_.variables.size(); i++) {
      if (module_.variables[i].name == relocation.symbol && inGlobalMemory(module_.variables[i])) {
        return addresses_[i];
      }
    }
    for (std::uint32_t i = 0; i < module_.functions.size(); i++) {
      if (module_.functions[i].name == relocation.symbol) {
        return functionAddress(i);
      }
    }
    throw PtxError(relocation.line, "'" + relocation.symbol + "' is not declared");
  }

  void decode(std::uint32_t index, const SharedLayout::Placement& shared) {
    const ptx::Function& function = module_.functions[index];
    Code& code = content_->code;
    if (!function.defined) {
      FunctionCode undefined;
      undefined.name = function.name;
      code.functions.push_back(std::move(undefined));
      return;
    }
    LinkContext context;
    context.module = &module_;
    context.function = &function;
    context.functionIndex = index;
    context.variableAddresses = addresses_;
    for (const auto& [variable, offset] : shared.moduleVariables) {
      context.variableAddresses[variable] = offset;
    }
    context.sharedAddresses = shared.ownVariables;
    KernelInfo info = describe(function);
    for (const KernelParameter& parameter : info.parameters) {
      context.parameterOffsets.push_back(parameter.offset);
    }
    context.parameterBytes = info.parameterBytes;
    code.functions.push_back(Decoder(context, code).run());
    if (!function.entry) {
      return;
    }
    std::uint32_t alignment = 16;
    for (const Variable& variable : module_.variables) {
      alignment = variable.space == Space::shared && variable.unsized ? std::max(alignment, variable.alignment) : alignment;
    }
    info.staticSharedBytes = shared.bytes;
    info.localBytes = code.functions.back().localBytes;
    info.registers = std::min(code.functions.back().registers, registerLimit(function));
    for (const Variable& variable : module_.variables) {
      info.constBytes += variable.space == Space::constant ? static_cast<std::uint32_t>(variable.size) : 0;
    }
    content_->entries.push_back({index, (shared.bytes + alignment - 1) / alignment * alignment});
    content_->kernels.push_back({nullptr, static_cast<std::uint32_t>(content_->kernels.size()), std::move(info)});
  }

  /** A kernel cannot be launched when it, or a function that it calls, has an instruction that is not simulated. */
  void tellRefusals() {
    const Code& code = content_->code;
    for (std::size_t i = 0; i < content_->kernels.size(); i++) {
      std::vector<std::uint32_t> reached{content_->entries[i].function};
      std::string& refusal = content_->kernels[i].info.refusal;
      for (std::size_t at = 0; at < reached.size() && refusal.empty(); at++) {
        const FunctionCode& function = code.functions[reached[at]];
        refusal = function.refusal;
        for (std::uint32_t op = function.first; op < function.end; op++) {
          if (code.ops[op].kind != OpKind::call) {
            continue;
          }
          const std::uint32_t callee = code.calls[code.ops[op].target].function;
          if (std::find(reached.begin(), reached.end(), callee) == reached.end()) {
            reached.push_back(callee);
          }
        }
      }
    }
  }

  /** What the assembler must do with, by the bounds a kernel declares: a block of the largest size must fit. */
  std::uint32_t registerLimit(const ptx::Function& function) const {
    const auto volume = [](const std::array<std::uint32_t, 3>& d) { return std::uint64_t{d[0]} * d[1] * d[2]; };
    const std::uint64_t threads = std::max(volume(function.maxThreads), volume(function.requiredThreads));
    const std::uint32_t declared = function.maxRegisters != 0 ? function.maxRegisters : 255;
    const std::uint64_t warps = (threads + lanesPerWarp - 1) / lanesPerWarp;
    constexpr std::uint64_t unit = 8; // registers of a thread are given out in these
    const std::uint64_t fitting =
        warps == 0 ? declared : std::max(unit, model_.registersPerSm / (warps * lanesPerWarp) / unit * unit);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(declared, fitting));
  }

  KernelInfo describe(const ptx::Function& function) const {
    KernelInfo info;
    info.name = function.name;
    info.line = function.line;
    info.ptxVersion = module_.version;
    info.targetVersion = module_.target;
    std::uint64_t end = 0;
    for (const Variable& parameter : function.parameters) {
      const std::uint64_t alignment = std::max(1u, parameter.alignment);
      end = (end + alignment - 1) / alignment * alignment;
      if (parameter.size > largestParameters || end + parameter.size > largestParameters) {
        throw PtxError(parameter.line, "the parameters of '" + function.name + "' are larger than 32764 bytes");
      }
      info.parameters.push_back({parameter.name, static_cast<std::uint32_t>(end),
                                 static_cast<std::uint32_t>(parameter.size), static_cast<std::uint32_t>(alignment)});
      end += parameter.size;
    }
    info.parameterBytes = static_cast<std::uint32_t>(end);
    info.requiredBlock = {function.requiredThreads[0], function.requiredThreads[1], function.requiredThreads[2]};
    const auto volume = [](const std::array<std::uint32_t, 3>& d) { return std::uint64_t{d[0]} * d[1] * d[2]; };
    const std::uint64_t limit = std::max(volume(function.maxThreads), volume(function.requiredThreads));
    info.maxThreads =
        limit != 0 ? static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, model_.threadsPerBlock)) : model_.threadsPerBlock;
    return info;
  }

  ptx::Module module_;
  const DeviceModel& model_;
  DeviceMemory& memory_;
  std::unique_ptr<Module::Content> content_;
  std::uint64_t owner_;
  std::vector<std::uint64_t> addresses_; // of module variables; 0 for shared ones
};

} // namespace

CompileResult compileModule(std::string_view ptx, const DeviceModel& model, DeviceMemory& memory,
                            std::uint64_t owner) {
  CompileResult result;
  try {
    result.module = Compiler(ptx, model, memory, owner).run();
  } catch (const PtxError& error) {
    result.status = error.unsupported ? Status::notSupported : Status::invalidPtx;
    result.errors.push_back({error.line, error.what()});
  } catch (const std::bad_alloc&) {
    result.status = Status::outOfMemory;
    result.errors.push_back({0, "out of memory"});
  }
  return result;
}

Module::Content::~Content() {
  for (const DeviceAddress address : allocations) {
    memory.free(address);
  }
}

Module::Module(std::unique_ptr<Content> content) : content_(std::move(content)) {
  for (Kernel& kernel : content_->kernels) {
    kernel.module = this;
  }
}

Module::~Module() = default;

const Kernel* Module::kernel(std::string_view name) const {
  const auto found = std::find_if(content_->kernels.begin(), content_->kernels.end(),
                                  [&](const Kernel& kernel) { return kernel.info.name == name; });
  return found != content_->kernels.end() ? &*found : nullptr;
}

std::span<const Kernel> Module::kernels() const { return content_->kernels; }

const GlobalInfo* Module::global(std::string_view name) const {
  const auto found = std::find_if(content_->globals.begin(), content_->globals.end(),
                                  [&](const GlobalInfo& global) { return global.name == name; });
  return found != content_->globals.end() ? &*found : nullptr;
}

std::span<const GlobalInfo> Module::globals() const { return content_->globals; }

std::vector<std::string> Module::opcodes() const {
  const std::set<std::string> sorted(content_->code.texts.begin(), content_->code.texts.end());
  return {sorted.begin(), sorted.end()};
}

} // namespace simgpu
