// The linker, for PTX texts: they are joined into one, whose compilation is the linking.
#include "driver/call.h"
#include "driver/cuda_api.h"
#include "driver/jit_options.h"

#include <fstream>
#include <iterator>
#include <sstream>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

/** A text without the directives that may stand only once, at the beginning; lines keep their numbers. */
std::string withoutHeader(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t start = line.find_first_not_of(" \t");
    const std::string_view content = start == std::string::npos ? "" : std::string_view(line).substr(start);
    const bool header = content.starts_with(".version") || content.starts_with(".target") ||
                        content.starts_with(".address_size");
    result += header ? "" : line;
    result += '\n';
  }
  return result;
}

CUresult addText(Driver& driver, LinkState& state, CUjitInputType type, const void* data, std::size_t bytes) {
  if (type != CU_JIT_INPUT_PTX) {
    return driver.refuse(CUDA_ERROR_NO_BINARY_FOR_GPU, "the simulated linker takes PTX text only");
  }
  std::string_view text;
  if (const CUresult bad = imageText(driver, data, bytes, text)) return bad;
  state.texts.emplace_back(text);
  return CUDA_SUCCESS;
}

} // namespace

CUresult cuLinkCreate_v2(unsigned count, CUjit_option* options, void** values, CUlinkState* state) {
  return callInContext("cuLinkCreate", [&](Driver& driver, Context& context) -> CUresult {
    if (state == nullptr) return nullArgument(driver, "state");
    JitOptions jit;
    if (const CUresult bad = JitOptions::read(driver, count, options, values, jit)) return bad;
    auto created = std::make_shared<LinkState>();
    created->owner = context.id;
    created->errorLog = jit.error.text;
    created->errorLogBytes = jit.error.bytes;
    *state = driver.links.add(created);
    return CUDA_SUCCESS;
  });
}

CUresult cuLinkAddData_v2(CUlinkState handle, CUjitInputType type, void* data, std::size_t bytes, const char*,
                          unsigned, CUjit_option*, void**) {
  return callInContext("cuLinkAddData", [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<LinkState> state = driver.links.find(handle);
    if (state == nullptr) return badHandle(driver, "linker state", handle);
    if (data == nullptr || bytes == 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "there is no data");
    return addText(driver, *state, type, data, bytes);
  });
}

CUresult cuLinkAddFile_v2(CUlinkState handle, CUjitInputType type, const char* file, unsigned, CUjit_option*, void**) {
  return callInContext("cuLinkAddFile", [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<LinkState> state = driver.links.find(handle);
    if (state == nullptr) return badHandle(driver, "linker state", handle);
    if (file == nullptr) return nullArgument(driver, "file");
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return driver.refuse(CUDA_ERROR_FILE_NOT_FOUND, std::string("cannot open ") + file);
    const std::string content((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    return addText(driver, *state, type, content.c_str(), content.size() + 1);
  });
}

CUresult cuLinkComplete(CUlinkState handle, void** image, std::size_t* bytes) {
  return callInContext("cuLinkComplete", [&](Driver& driver, Context&) -> CUresult {
    const std::shared_ptr<LinkState> state = driver.links.find(handle);
    if (state == nullptr) return badHandle(driver, "linker state", handle);
    if (image == nullptr) return nullArgument(driver, "image");
    if (state->texts.empty()) return driver.refuse(CUDA_ERROR_INVALID_IMAGE, "nothing was added to be linked");
    state->image = state->texts.front();
    for (std::size_t i = 1; i < state->texts.size(); ++i) state->image += "\n" + withoutHeader(state->texts[i]);
    const CompileResult compiled = driver.engine().compile(state->image);
    if (compiled.module == nullptr) {
      const LogBuffer log{state->errorLog, state->errorLogBytes, nullptr};
      log.write(compiled.log());
      return driver.refuse(static_cast<CUresult>(compiled.status), compiled.log());
    }
    *image = state->image.data();
    if (bytes != nullptr) *bytes = state->image.size() + 1;
    return CUDA_SUCCESS;
  });
}

CUresult cuLinkDestroy(CUlinkState handle) {
  return callInContext("cuLinkDestroy", [&](Driver& driver, Context&) -> CUresult {
    return driver.links.remove(handle) ? CUDA_SUCCESS : badHandle(driver, "linker state", handle);
  });
}
