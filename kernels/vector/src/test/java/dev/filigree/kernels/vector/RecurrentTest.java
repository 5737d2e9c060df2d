package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.kernel.Interpreter;
import dev.filigree.plan.GraphRunner;
import dev.filigree.spi.Cell;
import dev.filigree.spi.CellKernel;
import dev.filigree.spi.CellRows;
import dev.filigree.testing.Floats;
import dev.filigree.testing.RecurrentGraph;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Recurrent layers by the vector kernels. */
final class RecurrentTest {
  private static final float GUARD = 12345;
  private static final int[] HIDDEN = {1, 5, 16, 31, 64, 100};
  private static final int[] FEW_HIDDEN = {5, 64};

  private static Map<String, Tensor> run(Graph graph, int threads, Map<String, Tensor> inputs) {
    SessionOptions options = SessionOptions.defaults().withThreads(threads);
    try (GraphRunner runner = new GraphRunner(graph, options, Legs.vector(), "recurrent")) {
      return runner.run(inputs);
    }
  }

  @Seeded(60)
  void layersOfEveryFormAreTheReferences(Samples samples) {
    RecurrentGraph form = RecurrentGraph.any(samples);
    Graph graph = form.graph(samples);
    Map<String, Tensor> inputs =
        form.inputs(samples, samples.between(1, 12), samples.between(1, 11));
    Map<String, Tensor> expected = new Interpreter(graph).run(inputs);
    Map<String, Tensor> actual = run(graph, 1, inputs);
    Map<String, Tensor> divided = run(graph, 3, inputs);
    for (String output : form.outputs()) {
      float[] values = actual.get(output).toFloats();
      Floats.assertClose(
          expected.get(output).toFloats(), values, 8 * (form.input() + form.hidden()));
      assertArrayEquals(values, divided.get(output).toFloats(), output);
    }
  }

  /** What a step of some sequences leaves: states, cells and outputs, without padding. */
  private static float[] step(CellKernel kernel, float[][] sums, float[][] states, int count) {
    int hidden = kernel.cell().hidden();
    int padded = Math.ceilDiv(kernel.padded(), 16) * 16;
    long pitch = (long) padded * Float.BYTES;
    long sumsPitch = (long) kernel.sums() * Float.BYTES;
    long all = (long) CellRows.MOST * (4 * (pitch + 64) + sumsPitch) + 64;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(all + kernel.scratchBytes() + 64, 64);
      for (long at = 0; at < all; at += Float.BYTES) {
        memory.set(DType.FLOAT, at, GUARD);
      }
      CellRows rows = new CellRows();
      long at = 0;
      for (int row = 0; row < count; row++) {
        for (int i = 0; i < kernel.sums(); i++) {
          float sum = kernel.row(i) < 0 ? 0 : sums[row][kernel.row(i)];
          memory.set(DType.FLOAT, at + (long) i * Float.BYTES, sum);
        }
        long state = at + sumsPitch;
        long cell = state + pitch;
        for (int i = 0; i < padded; i++) {
          memory.set(DType.FLOAT, state + i * 4L, i < hidden ? states[row][i] : 0);
          memory.set(DType.FLOAT, cell + i * 4L, i < hidden ? states[row][hidden + i] : 0);
        }
        // no vector begins where an output does
        long output = cell + 2 * pitch + Float.BYTES;
        rows.add(at, state, cell + pitch, cell, output);
        at = cell + 3 * pitch + 64;
      }
      long scratch = (all + 63) / 64 * 64;
      for (int phase = 0; phase < kernel.cell().kind().phases(); phase++) {
        for (int slice = 0; slice < kernel.slices(); slice++) {
          kernel.step(phase, slice, rows, memory, scratch);
        }
      }
      float[] left = new float[count * 2 * hidden];
      for (int row = 0; row < count; row++) {
        for (int i = 0; i < hidden; i++) {
          float next = memory.get(DType.FLOAT, rows.next(row) + i * 4L);
          assertEquals(next, memory.get(DType.FLOAT, rows.output(row) + i * 4L));
          left[row * 2 * hidden + i] = next;
          left[row * 2 * hidden + hidden + i] = memory.get(DType.FLOAT, rows.cell(row) + i * 4L);
        }
        assertEquals(GUARD, memory.get(DType.FLOAT, rows.output(row) + hidden * 4L));
        assertEquals(GUARD, memory.get(DType.FLOAT, rows.output(row) - 4));
      }
      return left;
    }
  }

  private static Cell cell(Cell.Kind kind, int hidden, SplittableRandom random) {
    float[] weights = Legs.normal(random, kind.gates() * hidden * hidden);
    float scale = (float) (1 / Math.sqrt(hidden));
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= scale;
    }
    boolean further = random.nextBoolean();
    return new Cell(
        kind,
        hidden,
        random.nextBoolean() ? 0.9f : Float.POSITIVE_INFINITY,
        kind == Cell.Kind.LSTM && random.nextBoolean(),
        weights,
        kind == Cell.Kind.GRU_LATE && further ? Legs.normal(random, hidden) : null,
        kind == Cell.Kind.LSTM && further ? Legs.normal(random, 3 * hidden) : null);
  }

  @Test
  void stepsAreTheScalarOnesAndDependOnNoOtherSequence() {
    SplittableRandom random = Legs.random("cells");
    for (Cell.Kind kind : Cell.Kind.values()) {
      for (int hidden : Legs.few() ? FEW_HIDDEN : HIDDEN) {
        for (int form = 0; form < 4; form++) {
          Cell cell = cell(kind, hidden, random);
          CellKernel vector = Legs.vector().cell(cell);
          float[][] sums = new float[CellRows.MOST][];
          float[][] states = new float[CellRows.MOST][];
          for (int row = 0; row < CellRows.MOST; row++) {
            sums[row] = Legs.normal(random, kind.gates() * hidden);
            states[row] = Legs.normal(random, 2 * hidden);
          }
          float[] all = step(vector, sums, states, CellRows.MOST);
          for (int count = 1; count <= CellRows.MOST; count++) {
            float[] actual = step(vector, sums, states, count);
            String what = cell.kind() + " of " + hidden + ", " + count + " sequences";
            float[] same = new float[actual.length];
            System.arraycopy(all, 0, same, 0, same.length);
            assertArrayEquals(same, actual, what);
            Floats.assertClose(
                step(Legs.scalar().cell(cell), sums, states, count), actual, 16 + hidden);
          }
        }
      }
    }
  }
}
