package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.MiniLm;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows of different length, padded and run without their padding, on the real MiniLM. */
final class RaggedRunTest {
  private static final String OUTPUT = "last_hidden_state";
  private static final int LONGEST = 13;
  private static final int FEATURES = 384;

  private static Model model;

  @BeforeAll
  static void open() {
    model = Model.open(MiniLm.dense());
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static Session session(int threads) {
    return model.session(SessionOptions.defaults().withKernels("scalar").withThreads(threads));
  }

  /** Rows of made-up tokens, and what is no token but padding. */
  private static Map<String, Tensor> padded(int[] lengths) {
    long[] ids = new long[lengths.length * LONGEST];
    long[] mask = new long[ids.length];
    for (int row = 0; row < lengths.length; row++) {
      SplittableRandom random = new SplittableRandom(row);
      for (int i = 0; i < LONGEST; i++) {
        boolean isToken = i < lengths[row];
        ids[row * LONGEST + i] = isToken ? random.nextInt(1000, 20_000) : 0;
        mask[row * LONGEST + i] = isToken ? 1 : 0;
      }
    }
    return inputs(ids, mask, lengths.length, LONGEST);
  }

  private static Map<String, Tensor> inputs(long[] ids, long[] mask, int rows, int length) {
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("input_ids", Tensor.of(ids, rows, length));
    inputs.put("attention_mask", Tensor.of(mask, rows, length));
    inputs.put("token_type_ids", Tensor.of(new long[ids.length], rows, length));
    return inputs;
  }

  /** A row without padding, as a batch of one. */
  private static float[] alone(Session session, Map<String, Tensor> all, int row, int length) {
    Map<String, Tensor> own = new HashMap<>();
    all.forEach(
        (name, tensor) -> {
          long[] values = new long[length];
          for (int i = 0; i < length; i++) {
            values[i] = tensor.getLong((long) row * LONGEST + i);
          }
          own.put(name, Tensor.of(values, 1, length));
        });
    return session.run(own).get(OUTPUT).toFloats();
  }

  @Test
  void everyRowGetsWhatItGetsAloneAndPaddingZero() {
    int[][] batches = {{5, 1, 13, 2}, {0, 7, 3, 0}, {1, 1, 0, 1}};
    try (Session session = session(1)) {
      for (int[] lengths : batches) {
        Map<String, Tensor> inputs = padded(lengths);
        Tensor found = session.run(inputs, lengths).get(OUTPUT);
        assertEquals(Shape.of(lengths.length, LONGEST, FEATURES), found.shape());
        float[] values = found.toFloats();
        for (int row = 0; row < lengths.length; row++) {
          float[] expected = new float[LONGEST * FEATURES];
          if (lengths[row] > 0) {
            float[] own = alone(session, inputs, row, lengths[row]);
            System.arraycopy(own, 0, expected, 0, own.length);
          }
          int from = row * expected.length;
          assertArrayEquals(
              expected,
              Arrays.copyOfRange(values, from, from + expected.length),
              2e-5f,
              "row " + row);
        }
      }
    }
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    int[] lengths = {4, 9, 1};
    try (Session one = session(1);
        Session three = session(3)) {
      assertArrayEquals(
          one.run(padded(lengths), lengths).get(OUTPUT).toFloats(),
          three.run(padded(lengths), lengths).get(OUTPUT).toFloats());
    }
  }

  @Test
  void aModelThatNeedsAllTokensRunsThemAll() {
    Map<String, Shape> shapes = new HashMap<>();
    padded(new int[2]).forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    try (Session dense = session(1);
        Model quantized = Model.open(MiniLm.quantized());
        Session dynamic = quantized.session(SessionOptions.defaults().withKernels("scalar"))) {
      assertTrue(dense.leavesOutPadding(shapes));
      // its layers are quantised by the range of all tokens
      assertFalse(dynamic.leavesOutPadding(shapes));
      int[] lengths = {3, 13};
      Map<String, Tensor> inputs = padded(lengths);
      assertArrayEquals(
          dynamic.run(inputs).get(OUTPUT).toFloats(),
          dynamic.run(inputs, lengths).get(OUTPUT).toFloats());
    }
  }

  @Test
  void anAxisThatIsAsLongByChanceIsNotTakenForTokens(@TempDir Path folder) {
    float[] weights = {1, 2, 3, 4, 5, 6};
    Path file =
        new OnnxModel(13)
            .input("attention_mask", DType.F32, "batch", "sequence")
            .input("heads", DType.F32, "batch", "4", "3")
            .initializer("w", Tensor.of(weights, 3, 2))
            .node("MatMul", "y", "heads", "w")
            .output("y", DType.F32, "batch", "4", "2")
            .output("attention_mask", DType.F32, "batch", "sequence")
            .write(folder.resolve("heads.onnx"));
    float[] ones = new float[5 * 4 * 3];
    Arrays.fill(ones, 1);
    Map<String, Tensor> inputs =
        Map.of(
            "attention_mask", Tensor.of(new float[5 * 4], 5, 4),
            "heads", Tensor.of(ones, 5, 4, 3));
    try (Model heads = Model.open(file);
        Session session = heads.session(SessionOptions.defaults().withKernels("scalar"))) {
      float[] found = session.run(inputs, new int[] {1, 0, 0, 1, 0}).get("y").toFloats();
      assertArrayEquals(session.run(inputs).get("y").toFloats(), found);
      assertEquals(9, found[found.length - 2]);
    }
  }

  @Test
  void lengthsThatAreNotThoseOfTheRowsAreRefused() {
    try (Session session = session(1)) {
      Map<String, Tensor> inputs = padded(new int[] {1, 2});
      Stream.of(new int[] {1}, new int[] {1, 2, 3}, new int[] {1, 14}, new int[] {-1, 2})
          .forEach(
              wrong ->
                  assertThrows(InputException.class, () -> session.run(inputs, wrong), "lengths"));
    }
  }
}
