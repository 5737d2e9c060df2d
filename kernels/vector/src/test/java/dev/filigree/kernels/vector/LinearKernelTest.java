package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class LinearKernelTest {
  /** Outputs and inputs around tiles of 4, pairs, blocks of 64, and blocks of features. */
  private static final int[][] SIZES = {
    {1, 1}, {2, 2}, {3, 5}, {5, 63}, {4, 96}, {63, 65}, {130, 33}, {9, 259}, {8, 600}
  };

  /** Relative error of one f32 rounding. */
  private static final double ROUNDING = 0x1p-24;

  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  @Test
  void everyFormGivesTheProductOfItsTwinAtEverySize() {
    for (int[] size : SIZES) {
      SplittableRandom random = Legs.random("linear " + size[0] + " x " + size[1]);
      for (Map.Entry<String, Weights> form :
          SampleWeights.all(size[0], size[1], random).entrySet()) {
        Weights weights = form.getValue();
        for (LinearOption option : vector.linear(weights)) {
          LinearKernel kernel = option.pack();
          for (int tokens : Legs.tokens()) {
            Call call = new Call(weights, tokens, random);
            call.check(form.getKey() + " by " + option.name(), kernel);
          }
        }
      }
    }
  }

  @Test
  void inputsOfOneGiveTheStoredWeightsExactly() {
    SplittableRandom random = Legs.random("one-hot");
    for (int[] size : new int[][] {{5, 130}, {66, 17}}) {
      int columns = size[1];
      for (Map.Entry<String, Weights> form :
          SampleWeights.all(size[0], columns, random).entrySet()) {
        Weights weights = form.getValue();
        float[] all = weights.unpack();
        for (LinearOption option : vector.linear(weights)) {
          LinearKernel kernel = option.pack();
          String what = form.getKey() + " by " + option.name();
          Call call = new Call(weights, columns, (t, k) -> t == k ? 1 : 0);
          float[] y = call.run(vector, kernel);
          for (int t = 0; t < columns; t++) {
            Call single = new Call(weights, 1, oneAt(t));
            float[] alone = single.run(vector, kernel);
            for (int o = 0; o < kernel.rows(); o++) {
              float weight = all[o * columns + t] + 0f;
              assertEquals(weight, y[call.place(t, o, kernel.rows())] + 0f, what);
              assertEquals(weight, alone[o] + 0f, what + " of one token");
            }
          }
        }
      }
    }
  }

  private static Inputs oneAt(int feature) {
    return (t, k) -> k == feature ? 1 : 0;
  }

  @Test
  void extremesAreTreatedAsTheTwinTreatsThem() {
    float[] extremes = {
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      Float.NaN,
      -0f,
      Float.MIN_VALUE,
      -3 * Float.MIN_VALUE,
      Float.MIN_NORMAL,
      1e18f,
      1e-30f
    };
    SplittableRandom random = Legs.random("extremes");
    int rows = 9;
    int columns = 70;
    for (float extreme : extremes) {
      float[] values = Legs.normal(random, rows * columns);
      values[3 * columns + 5] = extreme;
      values[8 * columns + 69] = extreme;
      Dense dense = Dense.of(rows, columns, values);
      Mask all = SampleWeights.some(rows, columns, 1, random);
      Mask pairs = SampleWeights.pairs(rows, columns, random);
      for (Weights weights :
          List.of(
              dense,
              SparseCsr.pack(dense, all, SampleWeights.FLOATS),
              Sparse24.pack(dense, pairs, SampleWeights.FLOATS))) {
        for (int tokens : new int[] {1, 5, 64, 130}) {
          float[] inputs = Legs.normal(random, tokens * columns);
          inputs[0] = extreme;
          inputs[inputs.length - 1] = extreme;
          Call call = new Call(weights, tokens, inputs, new float[tokens * rows]);
          call.checkEachOption(weights.format() + " with " + extreme);
        }
      }
    }
  }

  @Test
  void anInputThatNoKeptWeightMeetsHasNoInfluence() {
    int columns = 12;
    Dense ones = Dense.of(3, columns, Legs.floats(3 * columns, i -> 1));
    SparseCsr weights =
        SparseCsr.pack(ones, Mask.of(3, columns, (row, k) -> k != 4), SampleWeights.FLOATS);
    for (int tokens : new int[] {1, 20}) {
      Call call = new Call(weights, tokens, (t, k) -> k == 4 ? Float.NaN : 1);
      float[] y = call.run(vector, vector.linear(weights).getFirst().pack());
      assertEquals(columns - 1, y[0]);
    }
  }

  @Test
  void theDivisionAmongThreadsChangesNoBit() {
    SplittableRandom random = Legs.random("division");
    for (Map.Entry<String, Weights> form : SampleWeights.all(130, 200, random).entrySet()) {
      Weights weights = form.getValue();
      for (LinearOption option : vector.linear(weights)) {
        LinearKernel kernel = option.pack();
        for (int tokens : new int[] {1, 9, 129, 200}) {
          Call call = new Call(weights, tokens, random);
          float[] whole = call.run(vector, kernel);
          for (int panelsAtOnce = 1; panelsAtOnce < 3; panelsAtOnce++) {
            Operands.assertSame(
                form.getKey() + " by " + option.name() + " of " + tokens,
                whole,
                call.runDivided(kernel, panelsAtOnce));
          }
        }
      }
    }
  }

  @Test
  void oneOptionMultipliesDenselyAndTheFirstFollowsTheStructure() {
    SplittableRandom random = Legs.random("options");
    for (Map.Entry<String, Weights> form : SampleWeights.all(20, 24, random).entrySet()) {
      Weights weights = form.getValue();
      List<String> names = vector.linear(weights).stream().map(LinearOption::name).toList();
      boolean floats = weights instanceof SparseCsr || weights.format().equals("dense f32");
      List<String> expected = new ArrayList<>();
      if (StoredRows.of(weights).isPresent()) {
        expected.add("dense, as stored");
      }
      if (weights.density() < 1) {
        if (SharedKernel.fits(weights)) {
          expected.add("shared rows");
        }
        expected.add("kept rows");
        expected.add("kept rows of few tokens");
        if (SelectRows.fits(weights)) {
          expected.add("selected inputs");
        }
      }
      boolean decoded = weights.density() == 1 && !floats;
      expected.add(decoded ? "dense, decoded in cache" : "dense");
      assertEquals(expected, names, form.getKey());
    }
  }

  private Weights measured;
  private float[] magnitudes;

  /** Weights without sign; of a weight that is not kept, 0. */
  private float[] magnitudes(Weights weights) {
    if (weights != measured) {
      magnitudes = weights.unpack();
      for (int i = 0; i < magnitudes.length; i++) {
        boolean kept = weights.keeps(i / weights.columns(), i % weights.columns());
        magnitudes[i] = kept ? Math.abs(magnitudes[i]) : 0;
      }
      measured = weights;
    }
    return magnitudes;
  }

  /** The input of a token and a feature. */
  @FunctionalInterface
  private interface Inputs {
    double at(int token, int feature);
  }

  /** A layer's operands: inputs whose padding is NaN, and outputs that already hold something. */
  private final class Call {
    private final Weights weights;
    private final Panels panels;
    private final float[] inputs;
    private final float[] outputs;
    private final Operands operands = new Operands();
    private final long x;
    private final long y;

    Call(Weights weights, int tokens, SplittableRandom random) {
      this(
          weights,
          tokens,
          Legs.normal(random, tokens * weights.columns()),
          Legs.normal(random, tokens * weights.rows()));
    }

    Call(Weights weights, int tokens, float[] inputs, float[] outputs) {
      this.weights = weights;
      this.inputs = inputs;
      this.outputs = outputs;
      panels = Panels.of(tokens, vector.lanes());
      x = operands.place(inPanels(inputs, weights.columns()));
      y = operands.place(inPanels(outputs, weights.rows()));
    }

    Call(Weights weights, int tokens, Inputs inputs) {
      this(
          weights,
          tokens,
          Legs.floats(
              tokens * weights.columns(),
              i -> inputs.at(i / weights.columns(), i % weights.columns())),
          new float[tokens * weights.rows()]);
    }

    private float[] inPanels(float[] rows, int features) {
      float[] values = new float[(int) (panels.bytes(features) / Float.BYTES)];
      Arrays.fill(values, Float.NaN);
      for (int t = 0; t < panels.tokens(); t++) {
        for (int f = 0; f < features; f++) {
          values[place(t, f, features)] = rows[t * features + f];
        }
      }
      return values;
    }

    private int place(int token, int feature, int features) {
      int panel = panels.of(token);
      return (int) (panels.offset(panel, features) / Float.BYTES)
          + feature * panels.width(panel)
          + token
          - panels.start(panel);
    }

    float[] run(Kernels kernels, LinearKernel kernel) {
      return operands.run(
          kernels,
          y,
          (unused, memory) -> {
            float[] scratch = new float[kernel.scratch()];
            for (int block = 0; block < kernel.blocks(); block++) {
              kernel.accumulate(block, panels, 0, panels.count(), memory, x, y, scratch);
            }
          });
    }

    /** Every task of a division, backwards and with a scratch of its own. */
    float[] runDivided(LinearKernel kernel, int panelsAtOnce) {
      return operands.run(
          vector,
          y,
          (unused, memory) -> {
            for (int from = (panels.count() - 1) / panelsAtOnce * panelsAtOnce;
                from >= 0;
                from -= panelsAtOnce) {
              int to = Math.min(panels.count(), from + panelsAtOnce);
              for (int block = kernel.blocks() - 1; block >= 0; block--) {
                float[] scratch = new float[kernel.scratch()];
                Arrays.fill(scratch, Float.NaN);
                kernel.accumulate(block, panels, from, to, memory, x, y, scratch);
              }
            }
          });
    }

    /** What is not finite shows whether an option multiplies the weights that are not kept. */
    void checkEachOption(String what) {
      List<LinearOption> twins = scalar.linear(weights);
      for (LinearOption option : vector.linear(weights)) {
        boolean dense =
            option.name().startsWith("dense")
                || option.name().equals("selected inputs") && panels.tokens() > 1;
        LinearOption twin = dense ? twins.getLast() : twins.getFirst();
        check(what + " by " + option.name(), option.pack(), twin.pack());
      }
    }

    void check(String what, LinearKernel kernel) {
      check(what, kernel, scalar.linear(weights).getLast().pack());
    }

    private void check(String what, LinearKernel kernel, LinearKernel twin) {
      assertEquals(weights.rows(), kernel.rows());
      assertEquals(weights.columns(), kernel.columns());
      Operands.assertClose(
          what + " of " + panels.tokens() + " tokens, " + kernel.rows() + " x " + kernel.columns(),
          run(scalar, twin),
          run(vector, kernel),
          errors());
    }

    /** What the roundings of two sums in any order can differ by. */
    private double[] errors() {
      int columns = weights.columns();
      int rows = weights.rows();
      float[] magnitudes = magnitudes(weights);
      double[] errors = new double[(int) (panels.bytes(rows) / Float.BYTES)];
      for (int t = 0; t < panels.tokens(); t++) {
        for (int o = 0; o < rows; o++) {
          double size = Math.abs(outputs[t * rows + o]);
          for (int k = 0; k < columns; k++) {
            double w = magnitudes[o * columns + k];
            size += w == 0 ? 0 : w * Math.abs(inputs[t * columns + k]);
          }
          errors[place(t, o, rows)] = 2 * (columns + 2) * ROUNDING * size;
        }
      }
      return errors;
    }
  }
}
