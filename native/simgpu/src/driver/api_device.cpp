// Initialisation, devices and error names.
#include "driver/call.h"
#include "driver/cuda_api.h"
#include "driver/device_attributes.h"

#include <cstring>

using namespace simgpu;
using namespace simgpu::driver;

namespace {

/** The driver interface version that is simulated: 12.6. */
constexpr int interfaceVersion = 12060;

constexpr const char* busId = "0000:00:01.0";

CUresult withDevice(const char* name, CUdevice device, const auto& body) {
  return call(name, [&](Driver& driver) -> CUresult {
    if (device != 0) {
      return driver.refuse(CUDA_ERROR_INVALID_DEVICE, "there is one device, number 0, not " + std::to_string(device));
    }
    return body(driver);
  });
}

void copyText(char* to, int length, const std::string& text) {
  if (length <= 0) return;
  std::strncpy(to, text.c_str(), static_cast<std::size_t>(length));
  to[length - 1] = 0;
}

} // namespace

CUresult cuInit(unsigned flags) {
  return callAlways("cuInit", [&](Driver& driver) -> CUresult {
    if (flags != 0) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "flags must be 0");
    if (driver.configuration.faults.deviceLost()) {
      return driver.refuse(CUDA_ERROR_NO_DEVICE, "the device was lost, as the fault 'lost' demands");
    }
    driver.initialised = true;
    return CUDA_SUCCESS;
  });
}

CUresult cuDriverGetVersion(int* version) {
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *version = interfaceVersion;
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult result, const char** name) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *name = resultName(result);
  return *name == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult result, const char** text) {
  if (text == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *text = resultText(result);
  return *text == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  return withDevice("cuDeviceGet", ordinal, [&](Driver& driver) -> CUresult {
    if (device == nullptr) return nullArgument(driver, "device");
    *device = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetCount(int* count) {
  return call("cuDeviceGetCount", [&](Driver& driver) -> CUresult {
    if (count == nullptr) return nullArgument(driver, "count");
    *count = 1;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  return withDevice("cuDeviceGetName", device, [&](Driver& driver) -> CUresult {
    if (name == nullptr || length <= 0) return nullArgument(driver, "name");
    const Configuration& configuration = driver.configuration;
    copyText(name, length, (configuration.rehearsal ? "Rehearsal on a " : "") + std::string(configuration.model.name));
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
  return withDevice("cuDeviceGetUuid", device, [&](Driver& driver) -> CUresult {
    if (uuid == nullptr) return nullArgument(driver, "uuid");
    std::memcpy(uuid->bytes, "simulated-device", sizeof uuid->bytes);
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceTotalMem_v2(std::size_t* bytes, CUdevice device) {
  return withDevice("cuDeviceTotalMem", device, [&](Driver& driver) -> CUresult {
    if (bytes == nullptr) return nullArgument(driver, "bytes");
    *bytes = driver.configuration.model.memoryBytes;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice device) {
  return withDevice("cuDeviceGetAttribute", device, [&](Driver& driver) -> CUresult {
    if (value == nullptr) return nullArgument(driver, "value");
    const std::optional<int> known = deviceAttribute(driver.configuration.model, attribute);
    if (!known) return driver.refuse(CUDA_ERROR_INVALID_VALUE, "there is no attribute " + std::to_string(attribute));
    *value = *known;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetProperties(CUdevprop* properties, CUdevice device) {
  return withDevice("cuDeviceGetProperties", device, [&](Driver& driver) -> CUresult {
    if (properties == nullptr) return nullArgument(driver, "properties");
    const auto attribute = [&](int number) { return deviceAttribute(driver.configuration.model, number).value_or(0); };
    *properties = {attribute(1),
                   {attribute(2), attribute(3), attribute(4)},
                   {attribute(5), attribute(6), attribute(7)},
                   attribute(8),
                   attribute(9),
                   attribute(10),
                   attribute(11),
                   attribute(12),
                   attribute(13),
                   attribute(14)};
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice device) {
  return withDevice("cuDeviceComputeCapability", device, [&](Driver& driver) -> CUresult {
    if (major == nullptr || minor == nullptr) return nullArgument(driver, "major or minor");
    *major = static_cast<int>(driver.configuration.model.computeMajor);
    *minor = static_cast<int>(driver.configuration.model.computeMinor);
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetPCIBusId(char* text, int length, CUdevice device) {
  return withDevice("cuDeviceGetPCIBusId", device, [&](Driver& driver) -> CUresult {
    if (text == nullptr || length <= 0) return nullArgument(driver, "text");
    copyText(text, length, busId);
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetByPCIBusId(CUdevice* device, const char* text) {
  return call("cuDeviceGetByPCIBusId", [&](Driver& driver) -> CUresult {
    if (device == nullptr || text == nullptr) return nullArgument(driver, "device or text");
    if (std::strcmp(text, busId) != 0) {
      return driver.refuse(CUDA_ERROR_INVALID_DEVICE, std::string("there is no device at ") + text);
    }
    *device = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
  return withDevice("cuDeviceCanAccessPeer", device, [&](Driver& driver) -> CUresult {
    if (can == nullptr) return nullArgument(driver, "can");
    if (peer != 0) return driver.refuse(CUDA_ERROR_INVALID_DEVICE, "there is one device only");
    *can = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetP2PAttribute(int* value, int, CUdevice, CUdevice) {
  return call("cuDeviceGetP2PAttribute", [&](Driver& driver) -> CUresult {
    if (value == nullptr) return nullArgument(driver, "value");
    return driver.refuse(CUDA_ERROR_INVALID_DEVICE, "there is one device only");
  });
}

CUresult cuProfilerStart() {
  return callInContext("cuProfilerStart", [](Driver&, Context&) { return CUDA_SUCCESS; });
}

CUresult cuProfilerStop() {
  return callInContext("cuProfilerStop", [](Driver&, Context&) { return CUDA_SUCCESS; });
}
