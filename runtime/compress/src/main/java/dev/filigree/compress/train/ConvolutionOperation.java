package dev.filigree.compress.train;

import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import java.util.List;
import java.util.stream.LongStream;

/**
 * A convolution of images as one product of matrices: the patches that a kernel sees become columns
 * {@code [kernel height * kernel width * channels, positions]}, in the order in which the weights
 * stand.
 */
record ConvolutionOperation(LinearOperation product, Geometry geometry) implements Operation {
  /** Where the windows of a node lie; top and left padding only say where the first one starts. */
  record Geometry(
      int height, int width, int down, int across, int top, int left, int bottom, int right) {
    /**
     * The windows of a node.
     *
     * @throws dev.filigree.UnsupportedException for what cannot be trained through
     */
    static Geometry of(Node node) {
      List<Long> kernel = node.intsAttribute("kernel_shape").orElse(List.of());
      String obstacle = obstacle(node, kernel.size());
      if (obstacle != null) {
        throw node.unsupported(
            "cannot be trained through: " + obstacle,
            "use a recipe without a training stage; convolutions and max pooling of images in one"
                + " group, without dilation and with explicit pads can be trained");
      }
      int[] strides = ints(node, "strides", 2, 1);
      int[] pads = ints(node, "pads", 4, 0);
      return new Geometry(
          Math.toIntExact(kernel.get(0)),
          Math.toIntExact(kernel.get(1)),
          strides[0],
          strides[1],
          pads[0],
          pads[1],
          pads[2],
          pads[3]);
    }

    /** What gradients are not made for, or null. */
    private static String obstacle(Node node, int axes) {
      String padding = node.textAttribute("auto_pad", "NOTSET");
      if (axes != 2) {
        return "its window has " + axes + (axes == 1 ? " axis" : " axes") + ", not two";
      }
      if (node.intAttribute("group", 1) != 1) {
        return "its channels are in " + node.intAttribute("group", 1) + " groups";
      }
      if (node.intsAttribute("dilations").orElse(List.of()).stream().anyMatch(d -> d != 1)) {
        return "its window is dilated";
      }
      if (!padding.equals("NOTSET")) {
        return "auto_pad is " + padding;
      }
      return node.intAttribute("ceil_mode", 0) == 0 ? null : "ceil_mode rounds its size up";
    }

    private static int[] ints(Node node, String attribute, int count, long otherwise) {
      return node.intsAttribute(attribute)
          .map(list -> list.stream().mapToLong(v -> v))
          .orElseGet(() -> LongStream.generate(() -> otherwise).limit(count))
          .mapToInt(Math::toIntExact)
          .toArray();
    }

    int outHeight(Signal x) {
      return (x.inner()[0] + top + bottom - height) / down + 1;
    }

    int outWidth(Signal x) {
      return (x.inner()[1] + left + right - width) / across + 1;
    }
  }

  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    Signal x = inputs[0];
    int rows = geometry.outHeight(x);
    int columns = geometry.outWidth(x);
    int positions = x.samples() * rows * columns;
    float[] patches = new float[geometry.height * geometry.width * x.features() * positions];
    visit(
        x,
        rows,
        columns,
        (patch, channel, length, from) -> {
          for (int i = 0; i < length; i++) {
            patches[patch + i] = x.data()[from + i * geometry.across];
          }
        });
    boolean hasResidual =
        inputs.length > Convolution.RESIDUAL && inputs[Convolution.RESIDUAL] != null;
    float[] residual = hasResidual ? inputs[Convolution.RESIDUAL].data() : null;
    LinearOperation.Result result = product.apply(patches, positions, residual, needsGradient);
    Signal y = new Signal(result.y(), product.weights().rows(), x.samples(), rows, columns);
    if (!needsGradient) {
      return new Step(y, null);
    }
    return new Step(
        y,
        (dy, wanted) -> {
          float[][] gradients = new float[inputs.length][];
          float[] before = LinearOperation.before(dy, result.slopes());
          float[] ofPatches = product.backward(patches, positions, before, wanted);
          gradients[0] = wanted ? scattered(x, rows, columns, ofPatches) : null;
          if (hasResidual) {
            gradients[Convolution.RESIDUAL] = before;
          }
          return gradients;
        });
  }

  /** The gradient of an image: each value's share in every patch. */
  private float[] scattered(Signal x, int rows, int columns, float[] ofPatches) {
    float[] dx = new float[x.data().length];
    visit(
        x,
        rows,
        columns,
        (patch, channel, length, from) -> {
          for (int i = 0; i < length; i++) {
            dx[from + i * geometry.across] += ofPatches[patch + i];
          }
        });
    return dx;
  }

  /** Called for each stretch of a row of the patches that lies inside the image. */
  @FunctionalInterface
  private interface Stretch {
    /**
     * A stretch.
     *
     * @param patch index of its first value in the patches
     * @param channel of the image
     * @param length of the stretch
     * @param from index of its first value in the image; the next is a stride further
     */
    void visit(int patch, int channel, int length, int from);
  }

  private void visit(Signal x, int rows, int columns, Stretch stretch) {
    int h = x.inner()[0];
    int w = x.inner()[1];
    int perRow = x.samples() * rows * columns;
    // a channel's values are touched by one thread only
    product
        .products()
        .pool()
        .forEach(
            x.features(),
            (channel, worker) -> {
              for (int ky = 0; ky < geometry.height; ky++) {
                for (int kx = 0; kx < geometry.width; kx++) {
                  int row = (ky * geometry.width + kx) * x.features() + channel;
                  int shift = kx - geometry.left;
                  int first = Math.max(0, Math.ceilDiv(-shift, geometry.across));
                  int last = Math.min(columns - 1, Math.floorDiv(w - 1 - shift, geometry.across));
                  for (int n = 0; n < x.samples(); n++) {
                    for (int oy = 0; oy < rows; oy++) {
                      int y = oy * geometry.down + ky - geometry.top;
                      if (y >= 0 && y < h && last >= first) {
                        int patch = row * perRow + (n * rows + oy) * columns + first;
                        int from =
                            ((channel * x.samples() + n) * h + y) * w
                                + first * geometry.across
                                + shift;
                        stretch.visit(patch, channel, last - first + 1, from);
                      }
                    }
                  }
                }
              }
            });
  }
}
