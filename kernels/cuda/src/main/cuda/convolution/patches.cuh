// The operand B of a convolution as a product of matrices: what the window covers, a row of K for each pixel of the result,
// gathered from the image while it is copied to shared memory (implicit GEMM; NVIDIA CUTLASS calls it analytic).
//
//   x        [batch][height][width][pitchX]        NHWC, the channels at a pitch of whole 16 bytes, zeros behind the last
//   K        [windowHeight][windowWidth][pitchX]   so 16 bytes of K are 16 bytes of one pixel
//   row t    of pixel t of the result: chunk c of 16 bytes lies in tap c / chunksOfPixel of the window, at chunk
//            c % chunksOfPixel of the pixel (top + ky * dilationHeight, left + kx * dilationWidth); zeros beyond the image
//
// Weights lie as those of a linear layer over K, see gemm/panel.cuh; ConvolutionWeights.java pads their channels.
#pragma once

#include "gemm/loader.cuh"

namespace filigree {

/** A linear layer over patches: `tokens` are the pixels of the result, `columns` is K. */
struct ConvolutionArguments : Arguments {
  int height = 0;
  int width = 0;
  int outHeight = 0;
  int outWidth = 0;
  int windowHeight = 0;
  int windowWidth = 0;
  int strideHeight = 1;
  int strideWidth = 1;
  int padTop = 0;
  int padLeft = 0;
  int dilationHeight = 1;
  int dilationWidth = 1;
};

/** The shape of a kernel of convolutions: another loader goes with it. */
template <class Format_, int... constants> struct PatchShape : Shape<Format_, constants...> {
  using Linear = Shape<Format_, constants...>;
};

/** Quotients of numbers below 2^16: ceil(2^32 / d) is exact for them (Granlund and Montgomery, 1994). */
struct Divisor {
  uint32_t divisor;
  uint32_t inverse;

  __device__ explicit Divisor(int d) : divisor(static_cast<uint32_t>(d)), inverse(0xffffffffu / divisor + 1) {}
  __device__ int quotient(int n) const { return divisor == 1 ? n : static_cast<int>(__umulhi(static_cast<uint32_t>(n), inverse)); }
};

/** Copies stages to shared memory as the loader of linear layers does, the activations as patches. */
template <class Format, int... constants> struct Loader<PatchShape<Format, constants...>> {
  using Shape = PatchShape<Format, constants...>;
  using Linear = Loader<typename Shape::Linear>;
  static constexpr int ofRow = Linear::ofRow;
  static constexpr int rowsAtOnce = Linear::rowsAtOnce;
  static constexpr int copies = Shape::tileTokens / rowsAtOnce;
  static_assert(Shape::tileTokens % rowsAtOnce == 0, "whole rows for all threads");
  static_assert(rowsAtOnce % 4 == 0, "the swizzle has eight rows");
  static_assert(Format::groupBytes == 0, "groups along K do not fit windows");

  /** The top of a patch that is beyond every image. */
  static constexpr int nowhere = -0x8000;

  const ConvolutionArguments& a;
  int steps;
  int panels;
  typename Linear::template Panels<Shape::blockBytes> values;
  typename Linear::template Panels<Shape::metaBlockBytes> metadata;
  Divisor chunksOfPixel;
  Divisor windowWidth;
  int corner[copies]; // chunk of x where the patch of a row starts, if it were all inside
  int origin[copies]; // top in the high half, left in the low one

  __device__ Loader(const Arguments& arguments, int steps_)
      : a(static_cast<const ConvolutionArguments&>(arguments)), steps(steps_), panels((a.rows + panelRows - 1) / panelRows),
        chunksOfPixel(a.pitchX * Shape::elementBytes / 16), windowWidth(a.windowWidth) {}

  __device__ static int row() { return Linear::row(); }
  __device__ static int column() { return Linear::column(); }

  /** Goes to a tile. */
  __device__ void place(const Place<Shape>& tile) {
    values.place(tile.out, steps, panels);
    if constexpr (Format::metaBytes > 0) {
      metadata.place(tile.out, steps, panels);
    }
#pragma unroll
    for (int i = 0; i < copies; i++) {
      const int pixel = tile.tokens * Shape::tileTokens + row() + i * rowsAtOnce;
      const int inImage = pixel % (a.outHeight * a.outWidth);
      const int image = pixel / (a.outHeight * a.outWidth);
      const int top = inImage / a.outWidth * a.strideHeight - a.padTop;
      const int left = inImage % a.outWidth * a.strideWidth - a.padLeft;
      corner[i] = ((image * a.height + top) * a.width + left) * static_cast<int>(chunksOfPixel.divisor);
      origin[i] = (pixel < a.tokens ? top : nowhere) * 0x10000 + (left & 0xffff);
    }
  }

  /** Starts copying a K-step into a stage. */
  __device__ void load(int kTile, uint32_t stage) const {
    values.load(stage, a.weights.w, kTile, steps);
    if constexpr (Format::metaBytes > 0) {
      metadata.load(stage + Shape::weightsBytes, a.weights.meta, kTile, steps);
    }
    patches(stage + Shape::weightsBytes + Shape::metaBytes, kTile);
  }

private:
  __device__ void patches(uint32_t to, int kTile) const {
    const int chunk = kTile * ofRow + column();
    const int tap = chunksOfPixel.quotient(chunk);
    const int ky = windowWidth.quotient(tap);
    const int down = ky * a.dilationHeight;
    const int right = (tap - ky * a.windowWidth) * a.dilationWidth;
    const int pixels = down * a.width + right;
    const int further = pixels * static_cast<int>(chunksOfPixel.divisor) + chunk - tap * static_cast<int>(chunksOfPixel.divisor);
    // K is padded behind the last tap
    const unsigned height = ky < a.windowHeight ? static_cast<unsigned>(a.height) : 0;
    const uint4* const from = static_cast<const uint4*>(a.x);
    const uint32_t own = to + static_cast<uint32_t>(row() * Shape::rowBytes + (column() ^ (row() & 7)) * 16);
    // four rows further, the swizzle has its third bit changed
    const uint32_t other = to + static_cast<uint32_t>(row() * Shape::rowBytes + (column() ^ ((row() + rowsAtOnce) & 7)) * 16);
    forEach<copies>([&](auto i) {
      const int y = (origin[i] >> 16) + down;
      const int x = static_cast<int16_t>(origin[i]) + right;
      const bool inside = static_cast<unsigned>(y) < height && static_cast<unsigned>(x) < static_cast<unsigned>(a.width);
      copyAsync<i * rowsAtOnce * Shape::rowBytes>(rowsAtOnce % 8 == 0 || i % 2 == 0 ? own : other,
                                                  from + (inside ? corner[i] + further : 0), inside ? 16 : 0);
    });
  }
};

} // namespace filigree
