// What the tests of the driver have in common: a fresh device, a context, and small kernels.
#pragma once

#include "check.h"
#include "driver/cuda_api.h"
#include "driver/simgpu.h"

#include <cstdint>
#include <string>
#include <vector>

namespace simgpu::testing {

/** A context on a device with the given settings; what a test leaves behind ends with it. */
class Program {
public:
  explicit Program(const std::string& settings = "");
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  CUcontext context() const { return context_; }

  CUmodule load(const char* ptx) const;
  CUfunction function(const char* ptx, const char* name) const;
  CUdeviceptr upload(const std::vector<float>& values) const;
  std::vector<float> download(CUdeviceptr from, std::size_t count) const;
  CUstream stream(unsigned flags = 0) const;
  CUevent event(unsigned flags = 0) const;

private:
  CUcontext context_ = nullptr;
};

/** Everything found so far, as JSON text. */
std::string findings();

/** Whether something found so far contains this text. */
bool found(const std::string& part);

/** Launches with `count` threads in blocks of 32. */
CUresult launch(CUfunction function, unsigned count, CUstream stream, std::vector<void*> parameters);

/** add(out, a, b, n): out[i] = a[i] + b[i]. */
extern const char* const addKernel;
/** scale(data, factor, n): data[i] *= factor; also a variable `table` of 4 numbers. */
extern const char* const scaleKernel;
/** keep(data): data[i] = what nobody wrote in shared memory, but for the first thread. */
extern const char* const keepKernel;

} // namespace simgpu::testing
