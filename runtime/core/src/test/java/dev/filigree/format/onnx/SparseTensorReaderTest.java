package dev.filigree.format.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tensors that a file writes as values and positions. */
final class SparseTensorReaderTest {
  private static final String SOURCE = "test.onnx";

  @TempDir private Path folder;

  private static ProtoWriter sparse(float[] values, Tensor indices, long... dims) {
    Tensor stored = Tensor.of(values, values.length);
    ProtoWriter message =
        new ProtoWriter()
            .message(
                1,
                OnnxBuilder.raw("w", DType.F32, stored.data().toArray(DType.BYTE), values.length))
            .message(
                2,
                OnnxBuilder.raw(
                    "",
                    indices.dtype(),
                    indices.data().toArray(DType.BYTE),
                    indices.shape().extents()));
    for (long dim : dims) {
      message.number(3, dim);
    }
    return message;
  }

  private static Graph read(ProtoWriter sparse) {
    OnnxBuilder builder =
        new OnnxBuilder(13)
            .input("x", DType.F32, 1, 2)
            .output("y", DType.F32, 1, 3)
            .graphField(15, sparse)
            .node("MatMul", "y", "x", "w");
    return OnnxReader.read(SOURCE, builder.toSegment(), OnnxReader.complete(SOURCE));
  }

  private static void assertDamaged(ProtoWriter sparse, String... mentioned) {
    FormatException refused = assertThrows(FormatException.class, () -> read(sparse));
    assertTrue(refused.getMessage().contains(SOURCE), refused.getMessage());
    for (String part : mentioned) {
      assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }
  }

  @Test
  void positionsInRowsBecomeADenseTensor() {
    Tensor w =
        read(sparse(new float[] {5, 7}, Tensor.of(new long[] {1, 5}, 2), 2, 3))
            .constants()
            .get("w")
            .toTensor();
    assertEquals("f32[2, 3]", w.toString());
    assertArrayEquals(new float[] {0, 5, 0, 0, 0, 7}, w.toFloats());
  }

  @Test
  void indicesByAxisBecomeADenseTensor() {
    Tensor indices = Tensor.of(new long[] {0, 2, 1, 0, 1, 1}, 3, 2);
    float[] w =
        read(sparse(new float[] {1, -0f, 3}, indices, 2, 3))
            .constants()
            .get("w")
            .toTensor()
            .toFloats();
    assertArrayEquals(
        new float[] {0, 0, 1, 3, 0, 0}, new float[] {w[0], w[1], w[2], w[4], 0, w[5]});
    assertEquals(Float.floatToRawIntBits(-0f), Float.floatToRawIntBits(w[3]), "stays what it is");
  }

  @Test
  void aModelOfSparseWeightsRunsAndIsConverted() {
    float[] weights = new float[6 * 4];
    for (int i = 0; i < weights.length; i += 3) {
      weights[i] = i + 1;
    }
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "6")
            .sparseInitializer("w", Tensor.of(weights, 6, 4))
            .node("MatMul", "y", "x", "w")
            .output("y", DType.F32, "batch", "4")
            .write(folder.resolve("sparse.onnx"));
    Path container = folder.resolve("copy.filigree");
    Path dense = folder.resolve("dense.onnx");
    try (Model model = Model.open(file)) {
      model.writer().write(container);
      model.writeOnnx(dense);
    }
    for (Path path : new Path[] {file, container, dense}) {
      try (Model model = Model.open(path);
          Session session = model.session(SessionOptions.defaults().withThreads(1))) {
        Tensor x = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 1, 6);
        float[] y = session.run(Map.of("x", x)).get("y").toFloats();
        for (int n = 0; n < 4; n++) {
          float expected = 0;
          for (int k = 0; k < 6; k++) {
            expected += (k + 1) * weights[k * 4 + n];
          }
          assertEquals(expected, y[n], path.toString());
        }
      }
    }
  }

  @Test
  void whatContradictsItselfIsRefused() {
    Tensor two = Tensor.of(new long[] {1, 5}, 2);
    float[] values = {1, 2};
    assertDamaged(sparse(values, two, 2, 2), "'w'", "position 5");
    assertDamaged(sparse(values, Tensor.of(new long[] {5, 1}, 2), 2, 3), "after position 5");
    assertDamaged(sparse(values, Tensor.of(new long[] {1, 1}, 2), 2, 3), "after position 1");
    assertDamaged(sparse(values, Tensor.of(new long[] {-1, 1}, 2), 2, 3), "position -1");
    assertDamaged(sparse(values, Tensor.of(new long[] {1}, 1), 2, 3), "indices");
    assertDamaged(sparse(values, Tensor.of(new int[] {1, 2}, 2), 2, 3), "indices");
    assertDamaged(
        sparse(values, Tensor.of(new long[] {0, 1, 1, 3}, 2, 2), 2, 3), "index 3", "axis 1");
    assertDamaged(sparse(values, two, -2, 3), "impossible shape");
    assertDamaged(sparse(values, two, 1L << 40, 3), "the shape");
    assertDamaged(new ProtoWriter(), "without values");
  }
}
