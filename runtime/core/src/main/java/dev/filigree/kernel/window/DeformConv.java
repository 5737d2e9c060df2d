package dev.filigree.kernel.window;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.Arrays;
import java.util.List;

/**
 * Convolution whose window reads between pixels, each tap moved by an offset of its own and weighed
 * by a mask (ONNX operator set 19; X. Zhu et al., Deformable ConvNets v2, 2018).
 *
 * <p>Inputs: images {@code [n, c, h, w]}, weights {@code [outputs, c / group, kh, kw]}, offsets
 * {@code [n, offset_group * kh * kw * 2, oh, ow]} of row and column by tap, optional bias {@code
 * [outputs]}, optional mask {@code [n, offset_group * kh * kw, oh, ow]}. Output: {@code [n,
 * outputs, oh, ow]}. What lies outside an image is 0.
 */
public final class DeformConv implements Operator {
  private static final int OFFSETS = 2;
  private static final int BIAS = 3;
  private static final int MASK = 4;

  /** Numbers of the patches that are held at a time; they stay in the cache of a core. */
  private static final int HELD = 1 << 16;

  /** Without state. */
  public DeformConv() {}

  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType w = inputs.required(1);
    ValueType offsets = inputs.required(OFFSETS);
    if (x.rank() != 4 || offsets.rank() != 4 || x.dtype() != w.dtype() || !x.dtype().isFloating()) {
      throw node.problem(
          "convolves " + x + " with " + w + " at " + offsets,
          "pass images [n, c, h, w] and offsets [n, taps * 2, h, w] of one type of floats");
    }
    return List.of(ValueType.of(x.dtype(), Conv.dims(node, x, w, inputs.type(BIAS))));
  }

  @Override
  public Kernel bind(Binding binding) {
    return () -> new Call(binding).run();
  }

  /** One call with its operands. */
  private static final class Call {
    private final Binding binding;
    private final Window window;
    private final Tensor offsets;
    private final Tensor mask;
    private final int channels;
    private final int height;
    private final int width;
    private final int taps;
    private final int group;
    private final int offsetGroups;
    private final int perGroup;
    private final int outputs;
    private final int positions;
    private final int block;
    private final double[] weights;
    private final double[] image;
    private final double[] patches;

    Call(Binding binding) {
      this.binding = binding;
      Tensor x = binding.input(0);
      Tensor w = binding.input(1);
      this.window = Conv.window(binding.node(), x, w);
      this.offsets = binding.input(OFFSETS);
      this.mask = binding.has(MASK) ? binding.input(MASK) : null;
      this.channels = Math.toIntExact(x.shape().extent(1));
      this.height = Math.toIntExact(x.shape().extent(2));
      this.width = Math.toIntExact(x.shape().extent(3));
      this.taps = Math.toIntExact(window.size());
      this.group = Math.toIntExact(Conv.group(binding.node()));
      this.offsetGroups = Math.toIntExact(binding.node().intAttribute("offset_group", 1));
      this.perGroup = channels / group;
      this.outputs = Math.toIntExact(w.shape().extent(0));
      this.positions = Math.toIntExact(window.positions());
      requireFitting(x.shape().extent(0));
      int rows = Math.max(1, Math.multiplyExact(perGroup, taps));
      this.block = Math.clamp(HELD / rows, 1, Math.max(1, positions));
      this.weights = new double[Math.toIntExact(w.elements())];
      copy(w, 0, weights);
      this.image = new double[Math.multiplyExact(channels, Math.multiplyExact(height, width))];
      this.patches = new double[Math.multiplyExact(rows, block)];
    }

    private void requireFitting(long batch) {
      if (offsetGroups < 1 || channels % offsetGroups != 0) {
        throw binding
            .node()
            .problem(
                "moves " + channels + " channels in " + offsetGroups + " groups", "use a divisor");
      }
      long numbers = batch * offsetGroups * taps * positions;
      if (offsets.elements() != 2 * numbers || mask != null && mask.elements() != numbers) {
        throw binding
            .node()
            .problem(
                "moves its taps by " + offsets + (mask == null ? "" : " and weighs by " + mask),
                "give two offsets, and one weight, for each of " + numbers + " taps");
      }
    }

    void run() {
      Tensor x = binding.input(0);
      long batch = x.shape().extent(0);
      for (long n = 0; n < batch; n++) {
        copy(x, n * image.length, image);
        for (int g = 0; g < group; g++) {
          for (int start = 0; start < positions; start += block) {
            int count = Math.min(block, positions - start);
            read(n, g, start, count);
            multiply(n, g, start, count);
          }
        }
      }
    }

    private static void copy(Tensor from, long start, double[] into) {
      for (int i = 0; i < into.length; i++) {
        into[i] = from.getDouble(start + i);
      }
    }

    /** Reads the patches {@code [channels of a group, taps, positions]}. */
    private void read(long n, int g, int start, int count) {
      int moved = channels / offsetGroups;
      for (int o = 0; o < offsetGroups; o++) {
        int from = Math.max(g * perGroup, o * moved);
        int to = Math.min((g + 1) * perGroup, (o + 1) * moved);
        for (int tap = 0; from < to && tap < taps; tap++) {
          for (int i = 0; i < count; i++) {
            read((n * offsetGroups + o) * taps + tap, tap, start + i, from, to, g, i);
          }
        }
      }
    }

    /** Reads one tap at one position from channels that move together. */
    private void read(long moved, int tap, int position, int from, int to, int g, int into) {
      int across = Math.toIntExact(window.outputs()[1]);
      int columns = Math.toIntExact(window.kernel()[1]);
      double row =
          window.start(0, position / across)
              + tap / columns * window.dilations()[0]
              + offsets.getDouble(2 * moved * positions + position);
      double column =
          window.start(1, position % across)
              + tap % columns * window.dilations()[1]
              + offsets.getDouble((2 * moved + 1) * positions + position);
      double weight = mask == null ? 1 : mask.getDouble(moved * positions + position);
      boolean within = row > -1 && row < height && column > -1 && column < width;
      int top = within ? (int) Math.floor(row) : 0;
      int left = within ? (int) Math.floor(column) : 0;
      double down = row - top;
      double along = column - left;
      boolean upper = top >= 0;
      boolean lower = top + 1 < height;
      boolean before = left >= 0;
      boolean behind = left + 1 < width;
      for (int c = from; c < to; c++) {
        int at = (c * height + top) * width + left;
        double value = 0;
        if (within) {
          value += upper && before ? (1 - down) * (1 - along) * image[at] : 0;
          value += upper && behind ? (1 - down) * along * image[at + 1] : 0;
          value += lower && before ? down * (1 - along) * image[at + width] : 0;
          value += lower && behind ? down * along * image[at + width + 1] : 0;
        }
        patches[((c - g * perGroup) * taps + tap) * block + into] = weight * value;
      }
    }

    /** Multiplies the patches with the weights of a group. */
    private void multiply(long n, int g, int start, int count) {
      Tensor y = binding.output();
      double[] sums = new double[count];
      int own = outputs / group;
      int rows = perGroup * taps;
      for (int output = g * own; output < (g + 1) * own; output++) {
        Arrays.fill(sums, binding.has(BIAS) ? binding.input(BIAS).getDouble(output) : 0);
        for (int k = 0; k < rows; k++) {
          double weight = weights[output * rows + k];
          int from = k * block;
          for (int i = 0; i < count; i++) {
            sums[i] += weight * patches[from + i];
          }
        }
        long into = (n * outputs + output) * positions + start;
        for (int i = 0; i < count; i++) {
          y.setDouble(into + i, sums[i]);
        }
      }
    }
  }
}
