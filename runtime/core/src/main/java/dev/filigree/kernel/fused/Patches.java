package dev.filigree.kernel.fused;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.window.Window;

/**
 * What the window of a convolution without groups sees, as tokens of a linear layer: one for each
 * place of the window, its inputs {@code [kernel..., channel]}. Of large images places are taken at
 * even steps, since neighbours see nearly the same. Immutable.
 */
public final class Patches {
  /** Places of a sample at most: those of an image of 32 x 32. */
  private static final int MOST = 1024;

  private final Window window;

  /** Of a sample, as indices into its outputs. */
  private final int[] places;

  private Patches(Window window, int[] places) {
    this.window = window;
    this.places = places;
  }

  /** The places that a node's window takes on inputs {@code [batch, channels, spatial...]}. */
  public static Patches of(Node node, Tensor x) {
    ValueType type = ValueType.of(x);
    Window window = Window.of(node, Window.kernel(node, type), type);
    long all = window.positions();
    int taken = (int) Math.min(all, MOST);
    int[] places = new int[taken];
    for (int i = 0; i < taken; i++) {
      places[i] = (int) (i * all / taken);
    }
    return new Patches(window, places);
  }

  /** Tokens that a batch makes. */
  public int tokens(Tensor x) {
    return Math.toIntExact(x.shape().extent(0) * places.length);
  }

  /** What the window sees, {@code [tokens, kernel... * channels]}; padding is 0. */
  public float[] inputs(Tensor x) {
    float[] image = x.contiguous().toFloats();
    int batch = (int) x.shape().extent(0);
    int channels = (int) x.shape().extent(1);
    int height = window.rank() == 1 ? 1 : (int) x.shape().extent(2);
    int width = (int) x.shape().extent(-1);
    int taps = Math.toIntExact(window.size());
    float[] patches = new float[Math.multiplyExact(tokens(x), taps * channels)];
    int at = 0;
    for (int n = 0; n < batch; n++) {
      for (int place : places) {
        for (int tap = 0; tap < taps; tap++, at += channels) {
          long row = window.rank() == 1 ? 0 : at(0, place / across(), tap / tapsAcross());
          long column = at(window.rank() - 1, place % across(), tap % tapsAcross());
          if (row < 0 || row >= height || column < 0 || column >= width) {
            continue;
          }
          for (int c = 0; c < channels; c++) {
            patches[at + c] =
                image[((n * channels + c) * height + (int) row) * width + (int) column];
          }
        }
      }
    }
    return patches;
  }

  private int across() {
    return (int) window.outputs()[window.rank() - 1];
  }

  private int tapsAcross() {
    return (int) window.kernel()[window.rank() - 1];
  }

  /** Where along an axis an element of the window lies. */
  private long at(int axis, int output, int tap) {
    return window.start(axis, output) + tap * window.dilations()[axis];
  }

  /** The same places of outputs {@code [batch, out, spatial...]}, as {@code [tokens, out]}. */
  public float[] outputs(Tensor y) {
    float[] planes = y.contiguous().toFloats();
    int batch = (int) y.shape().extent(0);
    int outputs = (int) y.shape().extent(1);
    int all = (int) window.positions();
    float[] tokens = new float[batch * places.length * outputs];
    int at = 0;
    for (int n = 0; n < batch; n++) {
      for (int place : places) {
        for (int o = 0; o < outputs; o++) {
          tokens[at++] = planes[(n * outputs + o) * all + place];
        }
      }
    }
    return tokens;
  }
}
