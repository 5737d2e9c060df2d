// The CUDA driver's result codes that a simulated device can give; values are those of CUresult.
#pragma once

namespace simgpu {

enum class Status : int {
  success = 0,
  invalidValue = 1,
  outOfMemory = 2,
  invalidImage = 200,
  invalidPtx = 218,
  unsupportedPtxVersion = 222,
  notFound = 500,
  illegalAddress = 700,
  launchOutOfResources = 701,
  launchTimeout = 702,
  assertion = 710,
  hardwareStackError = 714,
  illegalInstruction = 715,
  misalignedAddress = 716,
  invalidAddressSpace = 717,
  invalidProgramCounter = 718,
  launchFailed = 719,
  cooperativeLaunchTooLarge = 720,
  notSupported = 801,
};

/** The driver's name of a code, such as "CUDA_ERROR_ILLEGAL_ADDRESS". */
const char* statusName(Status status);

} // namespace simgpu
