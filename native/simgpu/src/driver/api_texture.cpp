// Arrays and texture objects. An array is memory of the device with a handle of its own; its rows lie one after the
// other.
#include "driver/allocate.h"
#include "driver/copy.h"
#include "driver/cuda_api.h"

using namespace simgpu;
using namespace simgpu::driver;

namespace {

constexpr const char* arrayLabel = "array";
constexpr std::size_t largestSide = 131072;    // MAXIMUM_TEXTURE1D_WIDTH and the like, at most
constexpr std::size_t mostElements = 1u << 28; // MAXIMUM_TEXTURE1D_LINEAR_WIDTH
constexpr std::uint64_t addressUnit = 512;     // TEXTURE_ALIGNMENT
constexpr std::size_t rowUnit = 32;            // TEXTURE_PITCH_ALIGNMENT

CUresult formatOf(Driver& driver, CUarray_format format, unsigned channels, TexelFormat& found) {
  if (channels != 1 && channels != 2 && channels != 4) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "texels have 1, 2 or 4 channels, not " + std::to_string(channels));
  }
  switch (format) {
  case CU_AD_FORMAT_UNSIGNED_INT8: found = TexelFormat::u8; return CUDA_SUCCESS;
  case CU_AD_FORMAT_UNSIGNED_INT16: found = TexelFormat::u16; return CUDA_SUCCESS;
  case CU_AD_FORMAT_UNSIGNED_INT32: found = TexelFormat::u32; return CUDA_SUCCESS;
  case CU_AD_FORMAT_SIGNED_INT8: found = TexelFormat::s8; return CUDA_SUCCESS;
  case CU_AD_FORMAT_SIGNED_INT16: found = TexelFormat::s16; return CUDA_SUCCESS;
  case CU_AD_FORMAT_SIGNED_INT32: found = TexelFormat::s32; return CUDA_SUCCESS;
  case CU_AD_FORMAT_HALF: found = TexelFormat::f16; return CUDA_SUCCESS;
  case CU_AD_FORMAT_FLOAT: found = TexelFormat::f32; return CUDA_SUCCESS;
  }
  return driver.refuse(CUDA_ERROR_NOT_SUPPORTED, "texels of format " + std::to_string(format) + " are not simulated");
}

CUresult createArray(Driver& driver, Context& context, const CUDA_ARRAY3D_DESCRIPTOR& wanted, CUarray* handle) {
  TexelFormat format{};
  if (const CUresult bad = formatOf(driver, wanted.Format, wanted.NumChannels, format)) return bad;
  if ((wanted.Flags & ~(CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_SURFACE_LDST)) != 0) {
    return driver.refuse(CUDA_ERROR_NOT_SUPPORTED, "of the kinds of arrays plain and layered ones are simulated");
  }
  if (wanted.Width == 0 || std::max({wanted.Width, wanted.Height, wanted.Depth}) > largestSide) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                         "an array has 1 to " + std::to_string(largestSide) + " texels a side");
  }
  const bool layered = (wanted.Flags & CUDA_ARRAY3D_LAYERED) != 0;
  if (layered ? wanted.Depth == 0 : wanted.Depth != 0 && wanted.Height == 0) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, layered ? "the number of layers is the depth, which is 0"
                                                           : "a depth needs a height");
  }
  auto array = std::make_shared<Array>();
  array->owner = context.id;
  array->descriptor = wanted;
  array->pitch = wanted.Width * wanted.NumChannels * bytesOf(format);
  array->rows = std::max<std::size_t>(1, wanted.Height);
  array->slices = std::max<std::size_t>(1, wanted.Depth);
  const std::size_t bytes = array->pitch * array->rows * array->slices;
  if (const CUresult failed = allocate(driver, context, bytes, arrayLabel, &array->address)) return failed;
  *handle = driver.arrays.add(array);
  return CUDA_SUCCESS;
}

CUresult describeArray(Driver& driver, const CUDA_RESOURCE_DESC& resource, Texture& texture) {
  const std::shared_ptr<Array> array = driver.arrays.find(resource.res.array.hArray);
  if (array == nullptr) return badHandle(driver, "array", resource.res.array.hArray);
  const CUDA_ARRAY3D_DESCRIPTOR& descriptor = array->descriptor;
  if (const CUresult bad = formatOf(driver, descriptor.Format, descriptor.NumChannels, texture.format)) return bad;
  texture.channels = descriptor.NumChannels;
  texture.base = array->address;
  texture.pitch = array->pitch;
  texture.slice = array->pitch * array->rows;
  texture.size = {static_cast<std::uint32_t>(descriptor.Width), static_cast<std::uint32_t>(array->rows),
                  static_cast<std::uint32_t>(array->slices)};
  texture.layered = (descriptor.Flags & CUDA_ARRAY3D_LAYERED) != 0;
  texture.dimensions = descriptor.Height == 0 ? 1 : descriptor.Depth == 0 || texture.layered ? 2 : 3;
  return CUDA_SUCCESS;
}

CUresult describeMemory(Driver& driver, const CUDA_RESOURCE_DESC& resource, Texture& texture) {
  const bool rows = resource.resType == CU_RESOURCE_TYPE_PITCH2D;
  const auto& linear = resource.res.linear;
  const auto& flat = resource.res.pitch2D; // begins with the same members
  if (const CUresult bad = formatOf(driver, linear.format, linear.numChannels, texture.format)) return bad;
  texture.channels = linear.numChannels;
  texture.base = linear.devPtr;
  const std::size_t width = rows ? flat.width : linear.sizeInBytes / texture.texelBytes();
  const std::size_t height = rows ? flat.height : 1;
  if (width == 0 || height == 0 || width > mostElements || height > largestSide) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "a texture of " + std::to_string(width) + " x " +
                                                       std::to_string(height) + " texels");
  }
  texture.pitch = rows ? flat.pitchInBytes : width * texture.texelBytes();
  if (linear.devPtr % addressUnit != 0 || (rows && texture.pitch % rowUnit != 0)) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "the memory of a texture begins at a multiple of " +
                                                       std::to_string(addressUnit) +
                                                       " bytes, its rows at multiples of " + std::to_string(rowUnit));
  }
  if (texture.pitch < width * texture.texelBytes()) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                         "a row of " + std::to_string(width) + " texels does not fit in the pitch");
  }
  const std::size_t extent = (height - 1) * texture.pitch + width * texture.texelBytes();
  if (const CUresult bad =
          explain(driver, driver.memory().checkForLater(linear.devPtr, extent), "a texture", linear.devPtr, extent)) {
    return bad;
  }
  texture.size = {static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height), 1};
  texture.dimensions = rows ? 2 : 1;
  texture.plainMemory = !rows;
  return CUDA_SUCCESS;
}

CUresult describeSampling(Driver& driver, const CUDA_TEXTURE_DESC& sampling, Texture& texture) {
  for (std::size_t i = 0; i < texture.addressing.size(); i++) {
    if (sampling.addressMode[i] > static_cast<unsigned>(TextureAddressing::border)) {
      return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                           "no such address mode: " + std::to_string(sampling.addressMode[i]));
    }
    texture.addressing[i] = static_cast<TextureAddressing>(sampling.addressMode[i]);
    texture.border[i] = sampling.borderColor[i];
  }
  texture.border[3] = sampling.borderColor[3];
  if (sampling.filterMode > 1) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "no such filter mode: " + std::to_string(sampling.filterMode));
  }
  if ((sampling.flags & CU_TRSF_SRGB) != 0) {
    return driver.refuse(CUDA_ERROR_NOT_SUPPORTED, "sRGB textures are not simulated");
  }
  const bool wide = texture.format == TexelFormat::u32 || texture.format == TexelFormat::s32;
  const bool numbers = texture.format == TexelFormat::f16 || texture.format == TexelFormat::f32;
  texture.asIntegers = wide || (!numbers && (sampling.flags & CU_TRSF_READ_AS_INTEGER) != 0);
  texture.normalised = (sampling.flags & CU_TRSF_NORMALIZED_COORDINATES) != 0;
  texture.linear = sampling.filterMode == 1 && !texture.plainMemory;
  if (texture.linear && texture.asIntegers) {
    return driver.refuse(CUDA_ERROR_INVALID_VALUE, "integers that are read as integers cannot be interpolated");
  }
  return CUDA_SUCCESS;
}

/** A part of a row of an array that has one row. */
CUresult copyRow(const char* name, const CUDA_MEMCPY3D& box) {
  return callOutsideCapture(name, [&](Driver& driver, Context& context) -> CUresult {
    CUDA_MEMCPY3D row = box;
    row.Height = 1;
    row.Depth = 1;
    CopyWork copy;
    if (const CUresult bad = boxCopy(driver, row, copy)) return bad;
    return copyNow(driver, context, copy);
  });
}

std::shared_ptr<TextureObject> textureOf(Driver& driver, CUtexObject number) {
  return driver.textures.find(reinterpret_cast<CUarray>(number));
}

CUresult badTexture(Driver& driver, CUtexObject number) {
  return driver.refuse(CUDA_ERROR_INVALID_VALUE,
                       std::to_string(number) + " is no texture object, or one that was destroyed");
}

} // namespace

CUresult cuArray3DCreate_v2(CUarray* array, const CUDA_ARRAY3D_DESCRIPTOR* wanted) {
  return callOutsideCapture("cuArray3DCreate", [&](Driver& driver, Context& context) -> CUresult {
    if (array == nullptr || wanted == nullptr) return nullArgument(driver, "array or descriptor");
    return createArray(driver, context, *wanted, array);
  });
}

CUresult cuArrayCreate_v2(CUarray* array, const CUDA_ARRAY_DESCRIPTOR* wanted) {
  return callOutsideCapture("cuArrayCreate", [&](Driver& driver, Context& context) -> CUresult {
    if (array == nullptr || wanted == nullptr) return nullArgument(driver, "array or descriptor");
    const CUDA_ARRAY3D_DESCRIPTOR full{wanted->Width, wanted->Height, 0, wanted->Format, wanted->NumChannels, 0};
    return createArray(driver, context, full, array);
  });
}

CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR* descriptor, CUarray handle) {
  return callInContext("cuArray3DGetDescriptor", [&](Driver& driver, Context&) -> CUresult {
    if (descriptor == nullptr) return nullArgument(driver, "descriptor");
    const std::shared_ptr<Array> array = driver.arrays.find(handle);
    if (array == nullptr) return badHandle(driver, "array", handle);
    *descriptor = array->descriptor;
    return CUDA_SUCCESS;
  });
}

CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR* descriptor, CUarray handle) {
  return callInContext("cuArrayGetDescriptor", [&](Driver& driver, Context&) -> CUresult {
    if (descriptor == nullptr) return nullArgument(driver, "descriptor");
    const std::shared_ptr<Array> array = driver.arrays.find(handle);
    if (array == nullptr) return badHandle(driver, "array", handle);
    const CUDA_ARRAY3D_DESCRIPTOR& full = array->descriptor;
    *descriptor = {full.Width, full.Height, full.Format, full.NumChannels};
    return CUDA_SUCCESS;
  });
}

CUresult cuArrayDestroy(CUarray handle) {
  return callOutsideCapture("cuArrayDestroy", [&](Driver& driver, Context& context) -> CUresult {
    const std::shared_ptr<Array> array = driver.arrays.find(handle);
    if (array == nullptr) return badHandle(driver, "array", handle);
    if (const CUresult failed = driver.scheduler.synchronize(context)) return failed;
    driver.memory().free(array->address);
    driver.arrays.remove(handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemcpyHtoA_v2(CUarray to, std::size_t offset, const void* from, std::size_t bytes) {
  CUDA_MEMCPY3D row{};
  row.srcMemoryType = CU_MEMORYTYPE_HOST;
  row.srcHost = from;
  row.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  row.dstArray = to;
  row.dstXInBytes = offset;
  row.WidthInBytes = bytes;
  return copyRow("cuMemcpyHtoA", row);
}

CUresult cuMemcpyAtoH_v2(void* to, CUarray from, std::size_t offset, std::size_t bytes) {
  CUDA_MEMCPY3D row{};
  row.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  row.srcArray = from;
  row.srcXInBytes = offset;
  row.dstMemoryType = CU_MEMORYTYPE_HOST;
  row.dstHost = to;
  row.WidthInBytes = bytes;
  return copyRow("cuMemcpyAtoH", row);
}

CUresult cuMemcpyDtoA_v2(CUarray to, std::size_t offset, CUdeviceptr from, std::size_t bytes) {
  CUDA_MEMCPY3D row{};
  row.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  row.srcDevice = from;
  row.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  row.dstArray = to;
  row.dstXInBytes = offset;
  row.WidthInBytes = bytes;
  return copyRow("cuMemcpyDtoA", row);
}

CUresult cuMemcpyAtoD_v2(CUdeviceptr to, CUarray from, std::size_t offset, std::size_t bytes) {
  CUDA_MEMCPY3D row{};
  row.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  row.srcArray = from;
  row.srcXInBytes = offset;
  row.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  row.dstDevice = to;
  row.WidthInBytes = bytes;
  return copyRow("cuMemcpyAtoD", row);
}

CUresult cuTexObjectCreate(CUtexObject* number, const CUDA_RESOURCE_DESC* resource, const CUDA_TEXTURE_DESC* sampling,
                           const void* view) {
  return callInContext("cuTexObjectCreate", [&](Driver& driver, Context& context) -> CUresult {
    if (number == nullptr || resource == nullptr || sampling == nullptr) {
      return nullArgument(driver, "texture, resource or sampling");
    }
    if (view != nullptr) return driver.refuse(CUDA_ERROR_NOT_SUPPORTED, "views of resources are not simulated");
    Texture texture;
    CUresult bad = CUDA_SUCCESS;
    switch (resource->resType) {
    case CU_RESOURCE_TYPE_ARRAY: bad = describeArray(driver, *resource, texture); break;
    case CU_RESOURCE_TYPE_LINEAR:
    case CU_RESOURCE_TYPE_PITCH2D: bad = describeMemory(driver, *resource, texture); break;
    default: bad = driver.refuse(CUDA_ERROR_NOT_SUPPORTED, "mipmapped arrays are not simulated");
    }
    if (bad == CUDA_SUCCESS) bad = describeSampling(driver, *sampling, texture);
    if (bad != CUDA_SUCCESS) return bad;
    auto object = std::make_shared<TextureObject>();
    object->owner = context.id;
    object->resource = *resource;
    object->sampling = *sampling;
    *number = reinterpret_cast<CUtexObject>(driver.textures.add(object));
    driver.engine().textures().put(*number, texture);
    return CUDA_SUCCESS;
  });
}

CUresult cuTexObjectDestroy(CUtexObject number) {
  return callInContext("cuTexObjectDestroy", [&](Driver& driver, Context& context) -> CUresult {
    if (textureOf(driver, number) == nullptr) return badTexture(driver, number);
    if (const CUresult failed = driver.scheduler.synchronize(context)) return failed;
    driver.engine().textures().remove(number);
    driver.textures.remove(reinterpret_cast<CUarray>(number));
    return CUDA_SUCCESS;
  });
}

CUresult cuTexObjectGetResourceDesc(CUDA_RESOURCE_DESC* resource, CUtexObject number) {
  return callInContext("cuTexObjectGetResourceDesc", [&](Driver& driver, Context&) -> CUresult {
    if (resource == nullptr) return nullArgument(driver, "resource");
    const std::shared_ptr<TextureObject> object = textureOf(driver, number);
    if (object == nullptr) return badTexture(driver, number);
    *resource = object->resource;
    return CUDA_SUCCESS;
  });
}

CUresult cuTexObjectGetTextureDesc(CUDA_TEXTURE_DESC* sampling, CUtexObject number) {
  return callInContext("cuTexObjectGetTextureDesc", [&](Driver& driver, Context&) -> CUresult {
    if (sampling == nullptr) return nullArgument(driver, "sampling");
    const std::shared_ptr<TextureObject> object = textureOf(driver, number);
    if (object == nullptr) return badTexture(driver, number);
    *sampling = object->sampling;
    return CUDA_SUCCESS;
  });
}
