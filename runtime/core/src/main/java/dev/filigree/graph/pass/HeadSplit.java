package dev.filigree.graph.pass;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.shape.Transpose;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A value whose features are split in heads, {@code [batch, tokens, heads, width]}.
 *
 * @param value its name
 * @param heads number of heads
 * @param width features of a head
 */
record HeadSplit(String value, int heads, int width) {
  /** A value seen as one split in heads; nothing if heads or width are not known. */
  static Optional<HeadSplit> of(String value, GraphView view) {
    return view.type(value)
        .filter(type -> type.rank() == 4 && type.dim(2).isKnown() && type.dim(3).isKnown())
        .map(
            type ->
                new HeadSplit(
                    value,
                    Math.toIntExact(type.dim(2).value()),
                    Math.toIntExact(type.dim(3).value())));
  }

  /** Extents of batch and tokens. */
  List<Dim> tokens(GraphView view) {
    return view.type(value).orElseThrow().dims().subList(0, 2);
  }

  /** What a node that brings the heads before the tokens reads; nothing of another node. */
  static Optional<HeadSplit> before(Node transpose, GraphView view) {
    return isOrder(transpose, 0, 2, 1, 3)
        ? of(transpose.inputs().getFirst(), view)
        : Optional.empty();
  }

  /** Whether a node puts four axes in an order. */
  static boolean isOrder(Node transpose, int... order) {
    return transpose.is("Transpose")
        && transpose.intsAttribute("perm").filter(perm -> perm.size() == 4).isPresent()
        && Arrays.equals(Transpose.order(transpose, 4), order);
  }

  /** Heads joined, {@code [batch, tokens, heads * width]}: a value that is there, or a new node. */
  String joined(String name, GraphView view) {
    List<Dim> dims = view.type(value).orElseThrow().dims();
    List<Dim> wanted = List.of(dims.get(0), dims.get(1), Dim.of((long) heads * width));
    return view.producer(value, "Reshape")
        .map(reshape -> reshape.inputs().getFirst())
        .filter(source -> view.type(source).map(ValueType::dims).filter(wanted::equals).isPresent())
        .orElseGet(() -> view.reshape(value, name, 0, 0, (long) heads * width));
  }

  /** A node that splits joined features as this value has them. */
  String split(String joined, String name, GraphView view) {
    return view.reshape(joined, name, 0, 0, heads, width);
  }

  /** A node that brings the heads before the tokens. */
  static Node transpose(String name, String split, String output) {
    return new Node(
        name,
        Node.ONNX,
        "Transpose",
        List.of(split),
        List.of(output),
        Map.of("perm", new Attribute.Ints(List.of(0L, 2L, 1L, 3L))));
  }
}
