#include "driver/jit_options.h"

#include "driver/call.h"
#include "driver/fat_binary.h"
#include "driver/host_memory.h"

#include <algorithm>
#include <cstring>

namespace simgpu::driver {
namespace {

constexpr std::uint32_t elfMagic = 0x464C457F; // "\x7F" "ELF": a cubin

std::size_t number(const void* value) { return reinterpret_cast<std::size_t>(value); }

} // namespace

void LogBuffer::write(std::string_view log) const {
  if (text == nullptr || bytes == 0) return;
  const std::size_t count = std::min(log.size(), bytes - 1);
  std::memcpy(text, log.data(), count);
  text[count] = 0;
  if (sizeSlot != nullptr) *sizeSlot = reinterpret_cast<void*>(count);
}

CUresult JitOptions::read(Driver& driver, unsigned count, const CUjit_option* options, void** values,
                          JitOptions& result) {
  if (count > 0 && (options == nullptr || values == nullptr)) return nullArgument(driver, "options or values");
  for (unsigned i = 0; i < count; ++i) {
    switch (options[i]) {
    case CU_JIT_INFO_LOG_BUFFER: result.info.text = static_cast<char*>(values[i]); break;
    case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
      // 32 bits are meant, whatever the rest of the pointer holds
      result.info.bytes = number(values[i]) & UINT32_MAX;
      result.info.sizeSlot = &values[i];
      break;
    case CU_JIT_ERROR_LOG_BUFFER: result.error.text = static_cast<char*>(values[i]); break;
    case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
      result.error.bytes = number(values[i]) & UINT32_MAX;
      result.error.sizeSlot = &values[i];
      break;
    default:
      if (options[i] < 0 || options[i] >= CU_JIT_NUM_OPTIONS) {
        return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such compiler option: " + std::to_string(options[i]));
      }
    }
  }
  for (const LogBuffer& log : {result.info, result.error}) {
    if (log.text != nullptr && !hostMapped(log.text, log.bytes)) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a log buffer cannot be written to as far as its size says");
    }
  }
  return CUDA_SUCCESS;
}

CUresult imageText(Driver& driver, const void* image, std::size_t bytes, std::string_view& text) {
  std::uint32_t magic = 0;
  if (!hostMapped(image, sizeof magic)) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the image cannot be read");
  std::memcpy(&magic, image, sizeof magic);
  if (magic == elfMagic) {
    return driver.refuse(CUDA_ERROR_NO_BINARY_FOR_GPU,
                         "the image is machine code (a cubin); the simulation runs PTX text only");
  }
  if (isFatBinary(magic)) {
    const DeviceModel& model = driver.configuration.model;
    std::string problem;
    text = fatBinaryText(image, model.computeMajor * 10 + model.computeMinor, problem);
    return text.empty() ? driver.refuse(CUDA_ERROR_NO_BINARY_FOR_GPU, problem) : CUDA_SUCCESS;
  }
  const char* start = static_cast<const char*>(image);
  text = {start, bytes == 0 ? std::strlen(start) : strnlen(start, bytes)};
  return CUDA_SUCCESS;
}

CUresult loadText(Driver& driver, Context& context, std::string_view text, const JitOptions& options,
                  CUmodule* module) {
  CompileResult compiled = driver.engine().compile(text, context.id);
  if (compiled.module == nullptr) {
    const std::string log = compiled.log();
    options.error.write(log);
    return driver.refuse(static_cast<CUresult>(compiled.status), log);
  }
  auto loaded = std::make_shared<LoadedModule>();
  loaded->owner = context.id;
  loaded->code = std::move(compiled.module);
  std::string info;
  for (const Kernel& kernel : loaded->code->kernels()) {
    info += "simgpu: kernel " + kernel.info.name + ": about " + std::to_string(kernel.info.registers) + " registers, " +
            std::to_string(kernel.info.staticSharedBytes) + " bytes of shared memory, " +
            std::to_string(kernel.info.localBytes) + " bytes of local memory\n";
  }
  options.info.write(info);
  options.error.write("");
  *module = driver.modules.add(loaded);
  return CUDA_SUCCESS;
}

} // namespace simgpu::driver
