#include "check/status.h"

namespace simgpu {

const char* statusName(Status status) {
  switch (status) {
  case Status::success:
    return "CUDA_SUCCESS";
  case Status::invalidValue:
    return "CUDA_ERROR_INVALID_VALUE";
  case Status::outOfMemory:
    return "CUDA_ERROR_OUT_OF_MEMORY";
  case Status::invalidImage:
    return "CUDA_ERROR_INVALID_IMAGE";
  case Status::invalidPtx:
    return "CUDA_ERROR_INVALID_PTX";
  case Status::unsupportedPtxVersion:
    return "CUDA_ERROR_UNSUPPORTED_PTX_VERSION";
  case Status::notFound:
    return "CUDA_ERROR_NOT_FOUND";
  case Status::illegalAddress:
    return "CUDA_ERROR_ILLEGAL_ADDRESS";
  case Status::launchOutOfResources:
    return "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES";
  case Status::launchTimeout:
    return "CUDA_ERROR_LAUNCH_TIMEOUT";
  case Status::assertion:
    return "CUDA_ERROR_ASSERT";
  case Status::hardwareStackError:
    return "CUDA_ERROR_HARDWARE_STACK_ERROR";
  case Status::illegalInstruction:
    return "CUDA_ERROR_ILLEGAL_INSTRUCTION";
  case Status::misalignedAddress:
    return "CUDA_ERROR_MISALIGNED_ADDRESS";
  case Status::invalidAddressSpace:
    return "CUDA_ERROR_INVALID_ADDRESS_SPACE";
  case Status::invalidProgramCounter:
    return "CUDA_ERROR_INVALID_PC";
  case Status::launchFailed:
    return "CUDA_ERROR_LAUNCH_FAILED";
  case Status::cooperativeLaunchTooLarge:
    return "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE";
  case Status::notSupported:
    return "CUDA_ERROR_NOT_SUPPORTED";
  }
  return "CUDA_ERROR_UNKNOWN";
}

} // namespace simgpu
