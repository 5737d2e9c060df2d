package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.operation.Elementwise.Attributes;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import dev.filigree.testing.Samples;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Functions of one number against the reference operators. In half precision the f32 result is
 * rounded again: within 1 unit in the last place. In f32 within 8 units, and where a function
 * cancels, 2^-22 absolute.
 */
class UnaryTest extends OperationTest {
  private static final List<UnaryOperation> FUSED =
      List.of(UnaryOperation.GELU, UnaryOperation.GELU_TANH, UnaryOperation.SILU);

  private static final double F32_ULPS = 8;
  private static final double F32_DISTANCE = 0x1p-22;

  /**
   * The reference adds 1 to an error function near -1: what it gives far below 0 has few digits.
   */
  private static final double HALF_DISTANCE = 0x1p-46;

  private static Attributes attributes(UnaryOperation operation) {
    return switch (operation) {
      case CLIP -> new Attributes(-0.5f, 0.75f, 0);
      case LEAKY_RELU -> new Attributes(0.01f, 0, 0);
      case CELU, ELU, THRESHOLDED_RELU -> new Attributes(1.25f, 0, 0);
      case HARD_SIGMOID -> new Attributes(0.2f, 0.5f, 0);
      case SELU -> new Attributes(1.6732632f, 0, 1.050701f);
      case SHRINK -> new Attributes(0.25f, 0.5f, 0);
      default -> Attributes.NONE;
    };
  }

  private static Node node(UnaryOperation operation) {
    Attributes with = attributes(operation);
    Map<String, Object> named = new HashMap<>();
    switch (operation) {
      case CLIP -> named.putAll(Map.of("min", with.alpha(), "max", with.beta()));
      case LEAKY_RELU, CELU, ELU, THRESHOLDED_RELU -> named.put("alpha", with.alpha());
      case HARD_SIGMOID -> named.putAll(Map.of("alpha", with.alpha(), "beta", with.beta()));
      case SELU -> named.putAll(Map.of("alpha", with.alpha(), "gamma", with.gamma()));
      case SHRINK -> named.putAll(Map.of("bias", with.alpha(), "lambd", with.beta()));
      default -> {}
    }
    if (FUSED.contains(operation)) {
      String type = operation.operator();
      return new Node("y", Node.FUSED, type, List.of("x"), List.of("y"), Map.of());
    }
    return GraphBuilder.node(operation.operator(), named, List.of("x"), List.of("y"));
  }

  private static Tensor reference(UnaryOperation operation, Tensor x) {
    // operator set 10: the last in which Clip has its bounds as attributes
    return Interpreter.run(node(operation), 10, new Tensor[] {x})[0];
  }

  @ParameterizedTest
  @EnumSource
  void computesAsTheReference(UnaryOperation operation) {
    Samples samples = new Samples(operation.ordinal());
    for (DType dtype : List.of(DType.F16, DType.BF16, DType.F32)) {
      for (int columns : new int[] {1, 7, 8, 33, 700}) {
        Tensor x = withSpecials(samples, dtype, 3, columns);
        for (int i = 0; i < x.elements(); i += 2) {
          x.setDouble(i, 4 * x.getDouble(i));
        }
        Rows rows = upload(x);
        Rows y = room(dtype, Shape.of(3, columns), 1);
        run(Elementwise.unary(kernels, operation, attributes(operation), rows, y));
        boolean single = dtype == DType.F32;
        assertNear(
            reference(operation, x),
            download(y, 3, columns),
            single ? F32_ULPS : 1,
            single ? F32_DISTANCE : HALF_DISTANCE);
      }
    }
  }

  @Test
  void everyNumberOfHalfPrecisionGivesGeluWithinOneUnit() {
    Tensor x = Tensor.zeros(DType.F16, Shape.of(64, 1024));
    for (int i = 0; i < 65536; i++) {
      x.data().set(DType.SHORT, 2L * i, (short) i);
    }
    for (UnaryOperation operation : FUSED) {
      Rows y = room(DType.F16, 64, 1024);
      run(Elementwise.unary(kernels, operation, Attributes.NONE, upload(x), y));
      assertNear(reference(operation, x), download(y, 64, 1024), 1, HALF_DISTANCE);
    }
  }

  @Test
  void integersAreExactToTheirEdges() {
    Map<UnaryOperation, String> operations =
        Map.of(
            UnaryOperation.RELU, "Relu",
            UnaryOperation.NEGATE, "Neg",
            UnaryOperation.ABSOLUTE, "Abs",
            UnaryOperation.SIGN, "Sign");
    for (DType dtype : List.of(DType.I32, DType.I64)) {
      Tensor x = normal(new Samples(1), dtype, 3, 21);
      x.setLong(0, dtype == DType.I32 ? Integer.MIN_VALUE : Long.MIN_VALUE);
      x.setLong(1, dtype == DType.I32 ? Integer.MAX_VALUE : Long.MAX_VALUE);
      x.setLong(2, 0);
      Rows rows = upload(x);
      operations.forEach(
          (operation, name) -> {
            Rows y = room(dtype, 3, 21);
            run(Elementwise.unaryInteger(kernels, operation, 0, 0, rows, y));
            Node node = GraphBuilder.node(name, Map.of(), List.of("x"), List.of("y"));
            assertSame(Interpreter.run(node, 17, new Tensor[] {x})[0], download(y, 3, 21));
          });
      Rows y = room(dtype, 3, 21);
      run(Elementwise.unaryInteger(kernels, UnaryOperation.CLIP, -3, 1L << 60, rows, y));
      Tensor expected = Tensor.zeros(dtype, x.shape());
      for (int i = 0; i < x.elements(); i++) {
        expected.setLong(i, Math.clamp(x.getLong(i), -3, 1L << 60));
      }
      assertSame(expected, download(y, 3, 21));
    }
  }

  @Test
  void everyOperatorOfOneNumberIsThere() {
    Set<String> missing = new TreeSet<>();
    for (String type : Operators.onnxTypes()) {
      boolean unary =
          Operators.find(
                  GraphBuilder.node(
                      type,
                      Map.of(),
                      List.of("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"),
                      List.of("y", "z", "w")))
              instanceof dev.filigree.kernel.math.Unary;
      if (unary) {
        var operation = UnaryOperation.of(type);
        if (operation.isEmpty()) {
          missing.add(type);
        } else {
          assertEquals(type, operation.orElseThrow().operator());
        }
      }
    }
    // passes write it as SiLU or by a sigmoid
    assertEquals(Set.of("Swish"), missing);
  }
}
