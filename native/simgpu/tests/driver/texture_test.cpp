// Arrays, copies to and from them, and texture objects over arrays and memory.
#include "program.h"

namespace simgpu::testing {

namespace {

/** fetch(out, texture): out[thread] = the texel at (thread % 4, thread / 4). */
const char* const fetchText = ".version 8.0\n.target sm_80\n.address_size 64\n"
                              ".visible .entry fetch(.param .u64 out, .param .u64 texture)\n{\n"
                              ".reg .b32 %r<4>; .reg .b64 %rd<5>; .reg .f32 %f<8>;\n"
                              "ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [texture];\n"
                              "mov.u32 %r1, %tid.x; and.b32 %r2, %r1, 3; shr.u32 %r3, %r1, 2;\n"
                              "cvt.rn.f32.u32 %f1, %r2; cvt.rn.f32.u32 %f2, %r3;\n"
                              "tex.2d.v4.f32.f32 {%f3, %f4, %f5, %f6}, [%rd2, {%f1, %f2}];\n"
                              "mul.wide.u32 %rd3, %r1, 4; add.s64 %rd4, %rd1, %rd3; st.global.f32 [%rd4], %f3;\n"
                              "ret;\n}\n";

CUDA_MEMCPY2D toArray(CUarray array, const std::vector<float>& from, std::size_t width, std::size_t height) {
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_HOST;
  copy.srcHost = from.data();
  copy.srcPitch = 4 * width;
  copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  copy.dstArray = array;
  copy.WidthInBytes = 4 * width;
  copy.Height = height;
  return copy;
}

std::vector<float> fetched(const Program& program, CUtexObject texture, std::size_t count) {
  const CUfunction fetch = program.function(fetchText, "fetch");
  CUdeviceptr out = program.upload(std::vector<float>(32));
  CHECK_EQUAL(launch(fetch, 32, nullptr, {&out, &texture}), CUDA_SUCCESS);
  return program.download(out, count);
}

} // namespace

TEST("a kernel fetches from an array what was copied into it") {
  const Program program;
  const CUDA_ARRAY_DESCRIPTOR wanted{4, 8, CU_AD_FORMAT_FLOAT, 1};
  CUarray array = nullptr;
  CHECK_EQUAL(cuArrayCreate_v2(&array, &wanted), CUDA_SUCCESS);
  std::vector<float> texels(32);
  for (std::size_t i = 0; i < texels.size(); i++) texels[i] = static_cast<float>(i * i);
  CUDA_MEMCPY2D copy = toArray(array, texels, 4, 8);
  CHECK_EQUAL(cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  CUDA_RESOURCE_DESC resource{};
  resource.resType = CU_RESOURCE_TYPE_ARRAY;
  resource.res.array.hArray = array;
  const CUDA_TEXTURE_DESC sampling{};
  CUtexObject texture = 0;
  CHECK_EQUAL(cuTexObjectCreate(&texture, &resource, &sampling, nullptr), CUDA_SUCCESS);
  CHECK(fetched(program, texture, 32) == texels);

  copy.dstY = 1;
  CHECK_EQUAL(cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE); // nine rows
  CHECK(found("the copy goes beyond an array of 16 bytes x 8 rows x 1 slices"));
  CUDA_ARRAY3D_DESCRIPTOR told{};
  CHECK_EQUAL(cuArray3DGetDescriptor_v2(&told, array), CUDA_SUCCESS);
  CHECK_EQUAL(told.Height, std::size_t{8});
  float middle[2] = {0, 0};
  CUDA_MEMCPY2D back{};
  back.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  back.srcArray = array;
  back.srcXInBytes = 4;
  back.srcY = 2;
  back.dstMemoryType = CU_MEMORYTYPE_HOST;
  back.dstHost = middle;
  back.WidthInBytes = 8;
  back.Height = 1;
  CHECK_EQUAL(cuMemcpy2D_v2(&back), CUDA_SUCCESS);
  CHECK_EQUAL(middle[1], 100.0F);
  CHECK_EQUAL(cuTexObjectDestroy(texture), CUDA_SUCCESS);
  CHECK_EQUAL(cuTexObjectDestroy(texture), CUDA_ERROR_INVALID_VALUE);
  CHECK_EQUAL(cuArrayDestroy(array), CUDA_SUCCESS);
  CHECK_EQUAL(cuArrayDestroy(array), CUDA_ERROR_INVALID_HANDLE);
}

TEST("a texture lies over pitched memory, if its base and rows are aligned") {
  const Program program;
  CUdeviceptr rows = 0;
  std::size_t pitch = 0;
  CHECK_EQUAL(cuMemAllocPitch_v2(&rows, &pitch, 16, 2, 4), CUDA_SUCCESS);
  const std::vector<float> texels{1, 2, 3, 4, 5, 6, 7, 8};
  CHECK_EQUAL(cuMemcpyHtoD_v2(rows, texels.data(), 16), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyHtoD_v2(rows + pitch, texels.data() + 4, 16), CUDA_SUCCESS);
  CUDA_RESOURCE_DESC resource{};
  resource.resType = CU_RESOURCE_TYPE_PITCH2D;
  resource.res.pitch2D = {rows, CU_AD_FORMAT_FLOAT, 1, 4, 2, pitch};
  const CUDA_TEXTURE_DESC sampling{};
  CUtexObject texture = 0;
  CHECK_EQUAL(cuTexObjectCreate(&texture, &resource, &sampling, nullptr), CUDA_SUCCESS);
  CHECK(fetched(program, texture, 8) == texels);
  CUDA_RESOURCE_DESC told{};
  CHECK_EQUAL(cuTexObjectGetResourceDesc(&told, texture), CUDA_SUCCESS);
  CHECK_EQUAL(told.res.pitch2D.devPtr, rows);
  CHECK_EQUAL(cuTexObjectDestroy(texture), CUDA_SUCCESS);

  resource.res.pitch2D.devPtr = rows + 4;
  CHECK_EQUAL(cuTexObjectCreate(&texture, &resource, &sampling, nullptr), CUDA_ERROR_INVALID_VALUE);
  CHECK(found("the memory of a texture begins at a multiple of 512 bytes"));
  resource.res.pitch2D.devPtr = rows;
  resource.res.pitch2D.height = 3;
  CHECK_EQUAL(cuTexObjectCreate(&texture, &resource, &sampling, nullptr), CUDA_ERROR_INVALID_VALUE);
  resource.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY;
  CHECK_EQUAL(cuTexObjectCreate(&texture, &resource, &sampling, nullptr), CUDA_ERROR_NOT_SUPPORTED);
}

TEST("textures and arrays that a context leaves behind are leaks") {
  {
    const Program program;
    const CUDA_ARRAY_DESCRIPTOR wanted{4, 0, CU_AD_FORMAT_UNSIGNED_INT8, 4};
    CUarray array = nullptr;
    CHECK_EQUAL(cuArrayCreate_v2(&array, &wanted), CUDA_SUCCESS);
    const std::uint32_t texels[4] = {1, 2, 3, 4};
    std::uint32_t back[2] = {0, 0};
    CHECK_EQUAL(cuMemcpyHtoA_v2(array, 0, texels, 16), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemcpyAtoH_v2(back, array, 8, 8), CUDA_SUCCESS);
    CHECK_EQUAL(back[1], 4U);
    CHECK_EQUAL(cuMemcpyHtoA_v2(array, 4, texels, 16), CUDA_ERROR_INVALID_VALUE);
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_ARRAY;
    resource.res.array.hArray = array;
    const CUDA_TEXTURE_DESC sampling{};
    CUtexObject texture = 0;
    CHECK_EQUAL(cuTexObjectCreate(&texture, &resource, &sampling, nullptr), CUDA_SUCCESS);
  }
  CHECK(found("texture object"));
  CHECK(found(" array (16 bytes"));
}

TEST("a kernel that is refused says so at its launch, and another of its module runs") {
  const Program program;
  const std::string text = ".version 8.0\n.target sm_80\n.address_size 64\n"
                           ".extern .func (.param .b32 r) cudaDeviceSynchronize;\n"
                           ".visible .entry good() { ret; }\n.visible .entry bad() {\n"
                           "{ .param .b32 r; call.uni (r), cudaDeviceSynchronize, (); }\nret; }\n";
  CHECK_EQUAL(launch(program.function(text.c_str(), "good"), 32, nullptr, {}), CUDA_SUCCESS);
  CHECK_EQUAL(launch(program.function(text.c_str(), "bad"), 32, nullptr, {}), CUDA_ERROR_NOT_SUPPORTED);
  CHECK(found("launches by kernels are not simulated in kernel bad"));
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS); // nothing was launched
}

} // namespace simgpu::testing
