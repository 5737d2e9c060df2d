// Modules: PTX texts, compiled when they are loaded.
#include "driver/call.h"
#include "driver/cuda_api.h"
#include "driver/jit_options.h"

#include <fstream>
#include <iterator>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

CUresult load(const char* name, CUmodule* module, const void* image, unsigned count, CUjit_option* options,
              void** values) {
  return callInContext(name, [&](Driver& driver, Context& context) -> CUresult {
    if (module == nullptr || image == nullptr) return nullArgument(driver, "module or image");
    JitOptions jit;
    if (const CUresult bad = JitOptions::read(driver, count, options, values, jit)) return bad;
    std::string_view text;
    if (const CUresult bad = imageText(driver, image, 0, text)) return bad;
    return loadText(driver, context, text, jit, module);
  });
}

} // namespace

CUresult cuModuleLoad(CUmodule* module, const char* file) {
  return callInContext("cuModuleLoad", [&](Driver& driver, Context& context) -> CUresult {
    if (module == nullptr || file == nullptr) return nullArgument(driver, "module or file");
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return driver.refuse(CUDA_ERROR_FILE_NOT_FOUND, std::string("cannot open ") + file);
    const std::string content((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    std::string_view text;
    if (content.empty()) return driver.refuse(CUDA_ERROR_INVALID_IMAGE, std::string(file) + " is empty");
    if (const CUresult bad = imageText(driver, content.c_str(), content.size() + 1, text)) return bad;
    return loadText(driver, context, text, {}, module);
  });
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  return load("cuModuleLoadData", module, image, 0, nullptr, nullptr);
}

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned count, CUjit_option* options,
                            void** values) {
  return load("cuModuleLoadDataEx", module, image, count, options, values);
}

CUresult cuModuleLoadFatBinary(CUmodule* module, const void* image) {
  return load("cuModuleLoadFatBinary", module, image, 0, nullptr, nullptr);
}

CUresult cuModuleUnload(CUmodule handle) {
  return callOutsideCapture("cuModuleUnload", [&](Driver& driver, Context& context) -> CUresult {
    const std::shared_ptr<LoadedModule> module = driver.modules.find(handle);
    if (module == nullptr) return badHandle(driver, "module", handle);
    if (const CUresult failed = driver.scheduler.synchronize(context)) return failed;
    for (const auto& [name, function] : module->functions) driver.functions.remove(function);
    driver.modules.remove(handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule handle, const char* name) {
  return callInContext("cuModuleGetFunction", [&](Driver& driver, Context&) -> CUresult {
    if (function == nullptr || name == nullptr) return nullArgument(driver, "function or name");
    const std::shared_ptr<LoadedModule> module = driver.modules.find(handle);
    if (module == nullptr) return badHandle(driver, "module", handle);
    const auto known = module->functions.find(name);
    if (known != module->functions.end()) {
      *function = known->second;
      return CUDA_SUCCESS;
    }
    const Kernel* kernel = module->code->kernel(name);
    if (kernel == nullptr) {
      std::string text = std::string("the module has no kernel '") + name + "'; it has";
      for (const Kernel& each : module->code->kernels()) text += " " + each.info.name;
      return driver.refuse(CUDA_ERROR_NOT_FOUND, text);
    }
    auto created = std::make_shared<Function>();
    created->owner = module->owner;
    created->module = module;
    created->kernel = kernel;
    *function = driver.functions.add(created);
    module->functions[name] = *function;
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr* address, std::size_t* bytes, CUmodule handle, const char* name) {
  return callInContext("cuModuleGetGlobal", [&](Driver& driver, Context&) -> CUresult {
    if (name == nullptr) return nullArgument(driver, "name");
    const std::shared_ptr<LoadedModule> module = driver.modules.find(handle);
    if (module == nullptr) return badHandle(driver, "module", handle);
    const GlobalInfo* variable = module->code->global(name);
    if (variable == nullptr) {
      return driver.refuse(CUDA_ERROR_NOT_FOUND, std::string("the module has no variable '") + name + "'");
    }
    if (address != nullptr) *address = variable->address;
    if (bytes != nullptr) *bytes = variable->size;
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleGetLoadingMode(int* mode) {
  return call("cuModuleGetLoadingMode", [&](Driver& driver) -> CUresult {
    if (mode == nullptr) return nullArgument(driver, "mode");
    *mode = 1; // CU_MODULE_EAGER_LOADING
    return CUDA_SUCCESS;
  });
}
