package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sums of look-ups: rounded once, so within 1 unit; with LayerNorm as in NormalizationTest. */
class EmbeddingTest extends OperationTest {
  private static final float EPSILON = 1e-12f;

  private static Tensor indices(Samples samples, DType dtype, int rows, long... extents) {
    Tensor indices = Tensor.zeros(dtype, dev.filigree.Shape.of(extents));
    for (int i = 0; i < indices.elements(); i++) {
      indices.setLong(i, samples.between(-rows, rows - 1));
    }
    return indices;
  }

  private DeviceMemory noFault() {
    return upload(Gather.NO_FAULT);
  }

  private static long fault(DeviceMemory memory) {
    long[] value = new long[1];
    memory.download(0, MemorySegment.ofArray(value));
    return value[0];
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 8", "2, 3, 384", "3, 7, 17", "1, 33, 100", "2, 2, 1000"})
  void addsWordsPositionsAndSegmentsAndNormalises(int batch, int sequence, int columns) {
    Samples samples = new Samples(columns);
    for (DType dtype : List.of(DType.F16, DType.BF16)) {
      for (DType indexType : List.of(DType.I64, DType.I32)) {
        Tensor words = normal(samples, dtype, 50, columns);
        Tensor positions = normal(samples, dtype, 40, columns);
        Tensor segments = normal(samples, dtype, 2, columns);
        Tensor ids = indices(samples, indexType, 50, batch, sequence);
        Tensor places = indices(samples, indexType, 40, 1, sequence);
        Tensor kinds = indices(samples, indexType, 2, 1, 1);
        Rows table = upload(words);
        List<Embedding.Table> tables =
            List.of(
                new Embedding.Table(table.address(), 50, denseAddress(ids), sequence, 1),
                new Embedding.Table(upload(positions).address(), 40, denseAddress(places), 0, 1),
                new Embedding.Table(upload(segments).address(), 2, denseAddress(kinds), 0, 0));
        Tensor sum = sum(List.of(words, ids, positions, places, segments, kinds));
        DeviceMemory fault = noFault();
        Rows y = room(dtype, (long) batch * sequence, columns);
        Rows exact = room(DType.F32, (long) batch * sequence, columns);
        Normalization.Results results = new Normalization.Results(y, exact);
        run(
            Embedding.sum(
                kernels,
                tables,
                indexType,
                table.pitch(),
                null,
                dtype,
                results,
                sequence,
                fault.address()));
        assertNear(rounded(sum, dtype), download(y, batch, sequence, columns), 1, 0);
        assertSame(
            rounded(download(exact, batch, sequence, columns), dtype),
            download(y, batch, sequence, columns));

        float[] scale = samples.normal(columns);
        float[] bias = samples.normal(columns);
        Embedding.LayerNorm norm =
            new Embedding.LayerNorm(parameters(scale), parameters(bias), EPSILON);
        run(
            Embedding.sum(
                kernels,
                tables,
                indexType,
                table.pitch(),
                norm,
                dtype,
                results,
                sequence,
                fault.address()));
        assertSame(
            rounded(download(exact, batch, sequence, columns), dtype),
            download(y, batch, sequence, columns));
        Tensor normal =
            Interpreter.run(
                GraphBuilder.node(
                    "LayerNormalization",
                    Map.of("epsilon", EPSILON),
                    List.of("x", "scale", "bias"),
                    List.of("y")),
                17,
                new Tensor[] {sum, Tensor.of(scale, columns), Tensor.of(bias, columns)})[0];
        assertNear(rounded(normal, dtype), download(y, batch, sequence, columns), 1, 0x1p-18);
        assertEquals(Gather.NO_FAULT, fault(fault));
      }
    }
  }

  private static Tensor sum(List<Tensor> tablesAndIndices) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < tablesAndIndices.size(); i++) {
      names.add("in" + i);
    }
    return Interpreter.run(
        dev.filigree.kernel.fused.Embedding.node("embedding", names, "y"),
        17,
        tablesAndIndices.toArray(Tensor[]::new))[0];
  }

  private static Tensor rounded(Tensor x, DType dtype) {
    Tensor rounded = Tensor.zeros(dtype, x.shape());
    for (int i = 0; i < x.elements(); i++) {
      rounded.setDouble(i, x.getDouble(i));
    }
    return rounded;
  }

  @Test
  void anIndexOutOfRangeTakesRowZeroAndIsReported() {
    Tensor words = normal(new Samples(1), DType.F16, 10, 16);
    Tensor ids = Tensor.of(new long[] {3, -11, 9, 10, Long.MAX_VALUE, -10}, 1, 6);
    Rows table = upload(words);
    DeviceMemory fault = noFault();
    Rows y = room(DType.F16, 6, 16);
    run(
        Embedding.sum(
            kernels,
            List.of(new Embedding.Table(table.address(), 10, denseAddress(ids), 6, 1)),
            DType.I64,
            table.pitch(),
            null,
            DType.F16,
            new Normalization.Results(y),
            6,
            fault.address()));
    assertEquals(1, fault(fault));
    Tensor result = download(y, 6, 16);
    int[] rows = {3, 0, 9, 0, 0, 0};
    for (int t = 0; t < rows.length; t++) {
      float[] found = new float[16];
      float[] wanted = new float[16];
      for (int c = 0; c < 16; c++) {
        found[c] = (float) result.getDouble(t * 16L + c);
        wanted[c] = (float) words.getDouble(rows[t] * 16L + c);
      }
      assertArrayEquals(wanted, found, "token " + t);
    }
  }
}
