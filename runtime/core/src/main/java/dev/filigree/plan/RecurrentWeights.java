package dev.filigree.plan;

import dev.filigree.Tensor;
import dev.filigree.spi.Cell;
import dev.filigree.spi.CellKernel;
import dev.filigree.spi.Kernels;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * The weights of a recurrent layer as a plan uses them: those of the states packed for a kernel,
 * those of the inputs of all directions as one linear layer whose outputs have the order that the
 * kernels read.
 *
 * <pre>
 *   outputs:  direction 0: sums of its kernel | direction 1: sums of its kernel
 * </pre>
 *
 * @param source what it was made of
 * @param cells one for each direction
 * @param inputs {@code [directions * sums, input]}
 * @param bias one for each output, or null
 */
record RecurrentWeights(Source source, List<CellKernel> cells, Weights inputs, float[] bias) {
  /**
   * A layer's weights as the graph has them; absent ones are null.
   *
   * @param w {@code [directions, gates * hidden, input]}
   * @param r {@code [directions, gates * hidden, hidden]}
   * @param b {@code [directions, 2 * gates * hidden]}
   * @param p {@code [directions, 3 * hidden]}
   */
  record Source(Tensor w, Tensor r, Tensor b, Tensor p) {
    /** Whether another one has the same content: a constant may be computed once for each plan. */
    boolean isSame(Source other) {
      return isSame(w, other.w) && isSame(r, other.r) && isSame(b, other.b) && isSame(p, other.p);
    }

    private static boolean isSame(Tensor one, Tensor other) {
      return one == other
          || one != null
              && other != null
              && one.shape().equals(other.shape())
              && one.contiguous().data().mismatch(other.contiguous().data()) < 0;
    }
  }

  /**
   * How the cells of a layer compute.
   *
   * @param kinds of each direction
   * @param limit see {@link Cell}
   * @param coupled see {@link Cell}
   */
  record Form(List<Cell.Kind> kinds, float limit, boolean coupled) {}

  /** Packs weights. */
  static RecurrentWeights pack(Source source, Form form, Kernels kernels) {
    float[] w = source.w.toFloats();
    float[] r = source.r.toFloats();
    float[] b = source.b == null ? null : source.b.toFloats();
    int hidden = Math.toIntExact(source.r.shape().extent(2));
    int input = Math.toIntExact(source.w.shape().extent(2));
    int rows = Math.toIntExact(source.r.shape().extent(1));
    List<CellKernel> cells = new ArrayList<>();
    for (int d = 0; d < form.kinds.size(); d++) {
      Cell.Kind kind = form.kinds.get(d);
      boolean late = kind == Cell.Kind.GRU_LATE && b != null;
      cells.add(
          kernels.cell(
              new Cell(
                  kind,
                  hidden,
                  form.limit,
                  form.coupled,
                  part(r, d * rows * hidden, rows * hidden),
                  late ? part(b, d * 2 * rows + rows + 2 * hidden, hidden) : null,
                  source.p == null
                      ? null
                      : part(source.p.toFloats(), d * 3 * hidden, 3 * hidden))));
    }
    int outputs = cells.stream().mapToInt(CellKernel::sums).sum();
    float[] inputs = new float[Math.multiplyExact(outputs, input)];
    float[] bias = b == null ? null : new float[outputs];
    int at = 0;
    for (int d = 0; d < cells.size(); d++) {
      boolean late = form.kinds.get(d) == Cell.Kind.GRU_LATE;
      for (int sum = 0; sum < cells.get(d).sums(); sum++, at++) {
        int row = cells.get(d).row(sum);
        if (row >= 0) {
          System.arraycopy(w, (d * rows + row) * input, inputs, at * input, input);
        }
        if (row >= 0 && b != null) {
          float own = b[d * 2 * rows + row];
          bias[at] = late && row >= 2 * hidden ? own : own + b[d * 2 * rows + rows + row];
        }
      }
    }
    return new RecurrentWeights(source, List.copyOf(cells), Dense.of(outputs, input, inputs), bias);
  }

  private static float[] part(float[] values, int from, int count) {
    float[] part = new float[count];
    System.arraycopy(values, from, part, 0, count);
    return part;
  }

  /** Bytes of all that was packed here; the linear layer is packed by its own kernel. */
  long bytes() {
    return cells.stream().mapToLong(CellKernel::bytes).sum() + inputs.bytes();
  }
}
