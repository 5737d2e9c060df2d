package dev.filigree.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Applies one operator to tensors, for tests that say what it must give. */
final class Apply {
  private final String type;
  private final int opset;
  private final Map<String, Object> attributes;

  private Apply(String type, int opset, Map<String, Object> attributes) {
    this.type = type;
    this.opset = opset;
    this.attributes = attributes;
  }

  /** An operator of a set, with attributes as {@link GraphBuilder} takes them. */
  static Apply operator(String type, int opset, Map<String, Object> attributes) {
    return new Apply(type, opset, attributes);
  }

  /** An operator of set 13 without attributes. */
  static Apply operator(String type) {
    return new Apply(type, 13, Map.of());
  }

  /** All outputs; a null input is absent. */
  Tensor[] outputs(int count, Tensor... inputs) {
    List<String> reads = new ArrayList<>();
    for (int i = 0; i < inputs.length; i++) {
      reads.add(inputs[i] == null ? "" : "in" + i);
    }
    List<String> makes = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      makes.add("out" + i);
    }
    Node node = GraphBuilder.node(type, attributes, reads, makes);
    return Interpreter.run(node, opset, inputs);
  }

  /** The first output. */
  Tensor to(Tensor... inputs) {
    return outputs(1, inputs)[0];
  }

  /** The operator throws, and the message names the node and some more. */
  <E extends FiligreeException> void refuses(Class<E> kind, String mentioned, Tensor... inputs) {
    E refused = assertThrows(kind, () -> to(inputs));
    assertTrue(refused.getMessage().contains("'out0' (" + type + ")"), refused.getMessage());
    assertTrue(refused.getMessage().contains(mentioned), refused.getMessage());
  }

  /** A tensor of any type. */
  static Tensor tensor(DType dtype, long[] extents, double... values) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(extents));
    for (int i = 0; i < values.length; i++) {
      tensor.setDouble(i, values[i]);
    }
    return tensor;
  }

  /** A vector of any type. */
  static Tensor vector(DType dtype, double... values) {
    return tensor(dtype, new long[] {values.length}, values);
  }

  /** A vector of i64, exact where doubles are not. */
  static Tensor longs(long... values) {
    return Tensor.of(values, values.length);
  }

  /** Type, shape and exact elements. */
  static void assertTensor(String type, long[] expected, Tensor actual) {
    assertEquals(type, actual.toString());
    assertArrayEquals(expected, actual.toLongs());
  }

  /** Type, shape and elements, exact but for a float's last place. */
  static void assertTensor(String type, double[] expected, Tensor actual) {
    assertEquals(type, actual.toString());
    for (int i = 0; i < expected.length; i++) {
      double tolerance = Double.isFinite(expected[i]) ? 6e-8 * Math.abs(expected[i]) : 0;
      assertEquals(expected[i], actual.getDouble(i), tolerance, "element " + i);
    }
    assertEquals(expected.length, actual.elements());
  }
}
