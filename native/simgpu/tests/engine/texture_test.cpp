// Fetches from textures, compared with values worked out here.
#include "small_kernel.h"

#include "exec/texture.h"

#include <bit>
#include <cmath>

namespace simgpu::testing {

namespace {

constexpr std::uint64_t someHandle = 0x5150;

/** A kernel that fetches at `place` ("2d", "{%f1, %f2}"), made from the two words of a thread at p1; stores to p0. */
class FetchKernel {
public:
  FetchKernel(const std::string& geometry, const std::string& types, const std::string& place)
      : kernel_(3, threadIndex +
                       "ld.param.u64 %rd4, [p1]; ld.param.u64 %rd5, [p2];\n"
                       "shl.b64 %rd6, %rd2, 2; add.s64 %rd7, %rd4, %rd6; add.s64 %rd8, %rd1, %rd6;\n"
                       "ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd7];\n"
                       "mov.b32 %r3, %f1; mov.b32 %r4, %f2; mov.b32 %r5, %f3; mov.b32 %r6, %f4;\n"
                       "tex." + geometry + ".v4." + types + " {%r10, %r11, %r12, %r13}, [%rd5, " + place + "];\n"
                       "st.global.v4.u32 [%rd8], {%r10, %r11, %r12, %r13};") {}

  SmallKernel& kernel() { return kernel_; }

  DeviceAddress upload(const void* from, std::size_t bytes) {
    const DeviceAddress address = kernel_.memory().allocate(bytes, AllocationKind::user);
    kernel_.memory().copyIn(address, from, bytes);
    return address;
  }

  /** Launches a thread for each four coordinates; what the fetches answered, or the finding as text. */
  template <class Coordinate> std::vector<std::uint32_t> run(const std::vector<Coordinate>& coordinates) {
    static_assert(sizeof(Coordinate) == 4);
    const DeviceAddress from = upload(coordinates.data(), 4 * coordinates.size());
    const DeviceAddress to = kernel_.buffer(4 * coordinates.size());
    const auto threads = static_cast<std::uint32_t>(coordinates.size() / 4);
    report = kernel_.launch({}, {threads}, {to, from, someHandle}).report();
    return kernel_.read<std::uint32_t>(to, coordinates.size());
  }

  void bind(const Texture& texture) { kernel_.engine().textures().put(someHandle, texture); }

  std::string report;

private:
  SmallKernel kernel_;
};

Texture imageOf(DeviceAddress base, std::uint32_t width, std::uint32_t height) {
  Texture texture;
  texture.base = base;
  texture.size = {width, height, 1};
  texture.dimensions = height > 1 ? 2 : 1;
  texture.pitch = width * 4;
  return texture;
}

std::vector<float> firstOfFour(const std::vector<std::uint32_t>& words) {
  std::vector<float> values;
  for (std::size_t i = 0; i < words.size(); i += 4) values.push_back(std::bit_cast<float>(words[i]));
  return values;
}

float texelOfImage(int x, int y) { return static_cast<float>(10 * y + x); }

std::vector<float> image(int width, int height) {
  std::vector<float> texels;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) texels.push_back(texelOfImage(x, y));
  }
  return texels;
}

} // namespace

TEST("a 2D texture answers the texel that a point lies in, and its edge beyond it") {
  FetchKernel fetch("2d", "f32.f32", "{%f1, %f2}");
  const std::vector<float> texels = image(5, 3);
  fetch.bind(imageOf(fetch.upload(texels.data(), 4 * texels.size()), 5, 3));
  const std::vector<float> points{0.0F,  0.0F, 0, 0, 1.99F, 2.5F,  0, 0, 4.2F, 0.999F, 0, 0,
                                  -3.0F, 1.5F, 0, 0, 1e30F, 99.0F, 0, 0};
  const std::vector<float> expected{0, 21, 4, 10, 24};
  CHECK(firstOfFour(fetch.run(points)) == expected);
  CHECK_EQUAL(fetch.report, std::string());
}

TEST("a 2D texture interpolates between four texels with weights of eight bits") {
  FetchKernel fetch("2d", "f32.f32", "{%f1, %f2}");
  const std::vector<float> texels = image(5, 3);
  Texture texture = imageOf(fetch.upload(texels.data(), 4 * texels.size()), 5, 3);
  texture.linear = true;
  fetch.bind(texture);
  std::vector<float> points;
  std::vector<float> expected;
  for (int i = 0; i < 32; i++) {
    // 10y + x is linear: interpolated it is itself, at coordinates rounded to 1/256, constant beyond the outer centres
    const float x = -0.7F + 0.19F * static_cast<float>(i);
    const float y = 3.4F - 0.123F * static_cast<float>(i);
    points.insert(points.end(), {x, y, 0, 0});
    const auto at = [](float coordinate, float size) {
      return std::min(std::max(std::round((coordinate - 0.5F) * 256) / 256, 0.0F), size - 1);
    };
    expected.push_back(10 * at(y, 3) + at(x, 5));
  }
  const std::vector<float> got = firstOfFour(fetch.run(points));
  for (std::size_t i = 0; i < expected.size(); i++) CHECK(std::abs(got[i] - expected[i]) < 1e-5F);
  CHECK_EQUAL(fetch.report, std::string());
}

TEST("normalised coordinates wrap, mirror, clamp, or end at the border") {
  const std::vector<float> texels = image(4, 1);
  const auto fetched = [&](TextureAddressing addressing) {
    FetchKernel fetch("1d", "f32.f32", "{%f1}");
    Texture texture = imageOf(fetch.upload(texels.data(), 4 * texels.size()), 4, 1);
    texture.normalised = true;
    texture.addressing[0] = addressing;
    texture.border = {-7, 0, 0, 0};
    fetch.bind(texture);
    std::vector<float> points;
    for (const float x : {-0.3F, 0.1F, 0.6F, 1.1F, 1.3F, 2.3F}) points.insert(points.end(), {x, 0, 0, 0});
    const std::vector<float> values = firstOfFour(fetch.run(points));
    CHECK_EQUAL(fetch.report, std::string());
    return values;
  };
  CHECK(fetched(TextureAddressing::wrap) == (std::vector<float>{2, 0, 2, 0, 1, 1}));
  CHECK(fetched(TextureAddressing::mirror) == (std::vector<float>{1, 0, 2, 3, 2, 1}));
  CHECK(fetched(TextureAddressing::clamp) == (std::vector<float>{0, 0, 2, 3, 3, 3}));
  CHECK(fetched(TextureAddressing::border) == (std::vector<float>{-7, 0, 2, -7, -7, -7}));
}

TEST("bytes are scaled to [0, 1] or [-1, 1], or read as integers, channel by channel") {
  const std::vector<std::uint8_t> bytes{0, 255, 51, 128, 200, 1, 2, 3};
  const auto fetched = [&](const std::string& result, TexelFormat format, bool asIntegers) {
    FetchKernel fetch("1d", result + ".s32", "{%r3}");
    Texture texture = imageOf(fetch.upload(bytes.data(), bytes.size()), 2, 1);
    texture.format = format;
    texture.channels = 4;
    texture.asIntegers = asIntegers;
    fetch.bind(texture);
    return fetch.run(std::vector<std::int32_t>{0, 0, 0, 0, 1, 0, 0, 0});
  };
  const auto words = [](std::vector<float> values) {
    std::vector<std::uint32_t> bits;
    for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
    return bits;
  };
  CHECK(fetched("f32", TexelFormat::u8, false) ==
        words({0, 1, 51.0F / 255, 128.0F / 255, 200.0F / 255, 1.0F / 255, 2.0F / 255, 3.0F / 255}));
  CHECK(fetched("f32", TexelFormat::s8, false) ==
        words({0, -1.0F / 127, 51.0F / 127, -1, -56.0F / 127, 1.0F / 127, 2.0F / 127, 3.0F / 127}));
  CHECK(fetched("u32", TexelFormat::u8, true) == (std::vector<std::uint32_t>{0, 255, 51, 128, 200, 1, 2, 3}));
  CHECK(fetched("s32", TexelFormat::s8, true) ==
        (std::vector<std::uint32_t>{0, ~0u, 51, std::uint32_t(-128), std::uint32_t(-56), 1, 2, 3}));
}

TEST("linear memory is fetched by element, and is 0 beyond its ends") {
  FetchKernel fetch("1d", "f32.s32", "{%r3}");
  const std::vector<float> texels = image(6, 1);
  Texture texture = imageOf(fetch.upload(texels.data(), 4 * texels.size()), 6, 1);
  texture.plainMemory = true;
  fetch.bind(texture);
  const std::vector<std::int32_t> places{5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, -1, 0, 0, 0};
  CHECK(firstOfFour(fetch.run(places)) == (std::vector<float>{5, 0, 0, 0}));
}

TEST("three dimensions and layers are told apart by their strides") {
  std::vector<float> texels;
  for (int i = 0; i < 24; i++) texels.push_back(static_cast<float>(i)); // 4 x 3 x 2
  FetchKernel solid("3d", "f32.f32", "{%f1, %f2, %f3, %f3}");
  Texture texture = imageOf(solid.upload(texels.data(), 4 * texels.size()), 4, 3);
  texture.size[2] = 2;
  texture.dimensions = 3;
  texture.slice = 4 * 12;
  solid.bind(texture);
  CHECK(firstOfFour(solid.run(std::vector<float>{1.5F, 2.5F, 1.5F, 0})) == std::vector<float>{12 + 8 + 1});
  FetchKernel layers("a2d", "f32.f32", "{%r3, %f2, %f3, %f3}");
  texture = imageOf(layers.upload(texels.data(), 4 * texels.size()), 4, 3);
  texture.size[2] = 2;
  texture.layered = true;
  texture.slice = 4 * 12;
  layers.bind(texture);
  const auto layer = std::bit_cast<float>(std::int32_t{1});
  CHECK(firstOfFour(layers.run(std::vector<float>{layer, 3.5F, 0.5F, 0})) == std::vector<float>{12 + 3});
}

TEST("wrong objects, freed and unwritten memory under a texture are found") {
  const std::vector<std::int32_t> origin{0, 0, 0, 0};
  FetchKernel fetch("1d", "f32.s32", "{%r3}");
  fetch.run(origin);
  CHECK(fetch.report.find("is the handle of no texture object") != std::string::npos);
  const std::vector<float> texels = image(4, 1);
  fetch.bind(imageOf(fetch.upload(texels.data(), 16), 2, 2));
  fetch.run(origin);
  CHECK(fetch.report.find("the object is a 2D texture of 2 x 2 texels of 4 bytes") != std::string::npos);
  const DeviceAddress gone = fetch.upload(texels.data(), 16);
  fetch.kernel().memory().free(gone);
  fetch.bind(imageOf(gone, 4, 1));
  fetch.run(origin);
  CHECK(fetch.report.find("use after free") != std::string::npos);
  fetch.bind(imageOf(fetch.kernel().buffer(16, false), 4, 1));
  fetch.run(origin);
  CHECK(fetch.report.find("nobody wrote this byte of a 1D texture") != std::string::npos);
}

TEST("other fetches are refused with their kernel") {
  const auto refusal = [](const std::string& geometry, const std::string& types, const std::string& place) {
    return FetchKernel(geometry, types, place).kernel().module().kernel("k")->info.refusal;
  };
  CHECK(refusal("cube", "f32.f32", "{%f1, %f2, %f3, %f3}").find("tex.cube.v4.f32.f32") != std::string::npos);
  CHECK(refusal("level.2d", "f32.f32", "{%f1, %f2}, %f3").find("without mipmaps") != std::string::npos);
  CHECK_EQUAL(refusal("2d", "f32.f32", "{%f1, %f2}"), std::string());
}

} // namespace simgpu::testing
