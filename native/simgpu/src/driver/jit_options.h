// The options of the just-in-time compiler: where its logs go.
#pragma once

#include "driver/driver.h"

#include <string_view>

namespace simgpu::driver {

/** A log buffer of the program; absent when null. */
struct LogBuffer {
  char* text = nullptr;
  std::size_t bytes = 0;
  void** sizeSlot = nullptr; // where the size came from; the number of bytes written goes back there

  /** Writes what fits, ended by a zero. */
  void write(std::string_view log) const;
};

struct JitOptions {
  LogBuffer info;
  LogBuffer error;

  /** Notes why the options cannot be used. */
  static CUresult read(Driver& driver, unsigned count, const CUjit_option* options, void** values, JitOptions& result);
};

/** Compiles PTX text into a module owned by the context; errors go to the program's log and into the driver's. */
CUresult loadText(Driver& driver, Context& context, std::string_view text, const JitOptions& options,
                  CUmodule* module);

/** The text of an image as programs pass it; notes why it is none. */
CUresult imageText(Driver& driver, const void* image, std::size_t bytes, std::string_view& text);

} // namespace simgpu::driver
