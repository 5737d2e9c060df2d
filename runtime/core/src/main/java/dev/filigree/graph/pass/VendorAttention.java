package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Attention of ONNX Runtime, in floats and with quantised weights, and what turns its heads. */
final class VendorAttention {
  /** What ONNX Runtime adds to scores that are masked, where the file does not say. */
  private static final float MASKED = -10000;

  static final Map<String, LowerVendorOperators.Rule> RULES =
      Map.ofEntries(
          Map.entry("Attention", VendorAttention::attention),
          Map.entry("QAttention", VendorAttention::quantised),
          Map.entry("MultiHeadAttention", VendorAttention::multiHead),
          Map.entry("GroupQueryAttention", VendorCaches::groupQueryAttention),
          Map.entry("RotaryEmbedding", VendorAttention::rotaryEmbedding));

  private VendorAttention() {}

  private static Map<String, Attribute> type(DType dtype) {
    return Map.of("to", new Attribute.Int(OnnxTypes.number(dtype)));
  }

  private static void attention(Node node, Lowered to, Map<String, Constant> all) {
    if (to.has(6)) {
      throw node.unsupported(
          "writes into a buffer of earlier keys and values", "export it without a shared buffer");
    }
    String product = to.add("MatMul", to.in(0), to.in(1));
    joined(node, to, to.has(2) ? to.add("Add", product, to.in(2)) : product, 3, 5, 4);
  }

  /** Weights and input as codes, whose products are summed as integers. */
  private static void quantised(Node node, Lowered to, Map<String, Constant> all) {
    List<String> operands = new ArrayList<>(List.of(to.in(0), to.in(1), to.in(6), to.in(7)));
    while (operands.getLast().isEmpty()) {
      operands.removeLast();
    }
    String sums = to.add("MatMulInteger", operands.toArray(String[]::new));
    String scale = to.add("Mul", to.in(3), to.in(4));
    String product = to.add("Mul", to.add("Cast", type(DType.F32), sums), scale);
    int none = node.inputs().size();
    joined(node, to, to.add("Add", product, to.in(2)), 5, none, 8);
  }

  /** Attends with queries, keys and values side by side in one {@code [batch, tokens, all]}. */
  private static void joined(Node node, Lowered to, String together, int mask, int bias, int past) {
    if (node.intAttribute("do_rotary", 0) != 0) {
      throw node.unsupported("turns its heads", "export it with RotaryEmbedding apart");
    }
    Optional<List<Long>> sizes = node.intsAttribute("qkv_hidden_sizes");
    List<String> parts =
        sizes.isPresent()
            ? to.split(together, -1, sizes.get().stream().mapToLong(Long::longValue).toArray())
            : thirds(to, together, -1);
    VendorCaches.Memory memory = VendorCaches.joined(node, to, past);
    String key = memory.exists() ? memory.pastKey() : "";
    String added = mask(node, to, mask, bias, keys(to, to.in(0), 1, key));
    attend(node, to, parts, added, memory);
    memory.deliver(to);
  }

  private static List<String> thirds(Lowered to, String x, long axis) {
    return to.addAll(
        "Split",
        Map.of("axis", new Attribute.Int(axis), "num_outputs", new Attribute.Int(3)),
        List.of(x),
        List.of(to.fresh(), to.fresh(), to.fresh()));
  }

  private static void multiHead(Node node, Lowered to, Map<String, Constant> all) {
    boolean shares = to.has(8) || to.has(9) || node.outputs().size() > 3;
    if (!to.has(1) || !to.has(2) || to.has(6) != to.has(7) || shares) {
      throw node.unsupported(
          "packs its inputs, shares a buffer or delivers its scores",
          "export it with query, key and value apart, and without a shared buffer");
    }
    // keys and values of an encoder come by head, and have their biases already
    boolean byHead = to.type(1).map(type -> type.rank() == 4).orElse(false);
    List<String> parts = List.of(to.in(0), to.in(1), to.in(2));
    if (to.has(3)) {
      List<String> biases = biases(to);
      String query = to.add("Add", parts.get(0), biases.get(0));
      parts =
          byHead
              ? List.of(query, to.in(1), to.in(2))
              : List.of(
                  query,
                  to.add("Add", parts.get(1), biases.get(1)),
                  to.add("Add", parts.get(2), biases.get(2)));
    }
    VendorCaches.Memory memory = VendorCaches.apart(node, to, 6);
    String added = mask(node, to, 4, 5, keys(to, to.in(1), byHead ? 2 : 1, to.in(6)));
    if (!byHead) {
      attend(node, to, parts, added, memory);
      return;
    }
    List<String> inputs = new ArrayList<>(parts);
    inputs.set(0, VendorCaches.byHead(to, parts.getFirst(), node.intAttribute("num_heads", 1)));
    if (!added.isEmpty()) {
      inputs.add(added);
    }
    List<String> outputs = new ArrayList<>(memory.outputs(node));
    outputs.set(0, to.fresh());
    to.addAll("Attention", attributes(node, to), inputs, outputs);
    String heads = VendorCaches.transposed(to, outputs.getFirst());
    to.into("Reshape", Map.of(), heads, to.longs(0, 0, -1));
  }

  /** The biases of queries, keys and values, whose values may be of another width. */
  private static List<String> biases(Lowered to) {
    Optional<Long> query = width(to, 0);
    Optional<Long> value = width(to, 2);
    if (query.isEmpty() || value.isEmpty()) {
      String width = to.extents(to.in(0), 2);
      String both = to.add("Add", width, width);
      String all = to.extents(to.in(3), 0);
      return List.of(
          to.add("Slice", to.in(3), to.longs(0), width),
          to.add("Slice", to.in(3), width, both),
          to.add("Slice", to.in(3), both, all));
    }
    return query.equals(value)
        ? thirds(to, to.in(3), 0)
        : to.split(to.in(3), 0, query.get(), query.get(), value.get());
  }

  private static Optional<Long> width(Lowered to, int input) {
    return to.type(input)
        .filter(type -> type.rank() == 3)
        .map(type -> type.dim(2))
        .filter(Dim::isKnown)
        .map(Dim::value);
  }

  /**
   * Tokens that are attended to, i64 without axes.
   *
   * @param own what the new ones are read from, along an axis
   * @param past earlier keys {@code [batch, heads, past, width]}; may be empty
   */
  private static Extent keys(Lowered to, String own, long axis, String past) {
    return () -> {
      String count = to.extent(own, axis);
      return past.isEmpty() ? count : to.add("Add", to.extent(past, 2), count);
    };
  }

  /** An extent that is computed where it is needed. */
  @FunctionalInterface
  private interface Extent {
    String add();
  }

  /**
   * What is added to the scores: 0 or a large negative number by key, and a bias. A mask is {@code
   * [batch, keys]} or {@code [batch, queries, keys]} of zeros and ones, or has one axis.
   */
  private static String mask(Node node, Lowered to, int mask, int bias, Extent keys) {
    String added = bias < node.inputs().size() ? to.in(bias) : "";
    if (!to.has(mask)) {
      return added;
    }
    int rank = to.type(mask).map(ValueType::rank).orElse(2);
    if (rank < 1 || rank > 3) {
      throw node.unsupported(
          "has a mask of " + rank + " axes", "export it with one by key, or by query and key");
    }
    String kept = to.add("Cast", type(DType.F32), rank == 1 ? byKey(to, mask, keys) : to.in(mask));
    String one = to.constant(Tensor.of(new float[] {1}));
    float number = node.floatAttribute("mask_filter_value", MASKED);
    String masked = to.constant(Tensor.of(new float[] {number}));
    String scores = to.add("Mul", to.add("Sub", one, kept), masked);
    String spread =
        rank == 3 ? to.unsqueeze(scores, 1) : to.add("Reshape", scores, to.longs(0, 1, 1, -1));
    return added.isEmpty() ? spread : to.add("Add", spread, added);
  }

  /**
   * Whether a key counts, {@code [batch, keys]}, by a mask that has the end of each text, and then
   * where each begins if it has twice as many numbers as there are texts.
   */
  private static String byKey(Lowered to, int mask, Extent keys) {
    Map<String, Attribute> first = Map.of("axis", new Attribute.Int(0));
    String batch = to.extents(to.in(0), 0);
    String given = to.add("Cast", type(DType.I64), to.in(mask));
    String zeros = to.add("Expand", to.longs(0), batch);
    String both = to.add("Concat", first, given, zeros);
    String rows = to.add("Reshape", both, to.add("Concat", first, to.longs(-1), batch));
    String[] bounds = new String[2];
    for (int i = 0; i < 2; i++) {
      String row = to.add("Gather", rows, to.constant(Tensor.of(new long[] {i})));
      bounds[i] = to.unsqueeze(row, 1);
    }
    String places = to.upTo(keys.add());
    String begun = to.add("Not", to.add("Less", places, bounds[1]));
    return to.add("And", begun, to.add("Less", places, bounds[0]));
  }

  private static Map<String, Attribute> attributes(Node node, Lowered to) {
    Map<String, Attribute> attributes = new HashMap<>();
    attributes.put("is_causal", new Attribute.Int(node.intAttribute("unidirectional", 0)));
    if (node.floatAttribute("scale", 0) != 0) {
      attributes.putAll(to.attributes("scale"));
    }
    return attributes;
  }

  private static void attend(
      Node node, Lowered to, List<String> parts, String mask, VendorCaches.Memory memory) {
    Attribute heads = new Attribute.Int(node.intAttribute("num_heads", 1));
    Map<String, Attribute> attributes = attributes(node, to);
    attributes.put("q_num_heads", heads);
    attributes.put("kv_num_heads", heads);
    List<String> inputs = new ArrayList<>(parts);
    if (memory.exists()) {
      inputs.addAll(List.of(mask, memory.pastKey(), memory.pastValue()));
    } else if (!mask.isEmpty()) {
      inputs.add(mask);
    }
    to.addAll("Attention", attributes, inputs, memory.outputs(node));
  }

  private static void rotaryEmbedding(Node node, Lowered to, Map<String, Constant> all) {
    Map<String, Attribute> attributes =
        new HashMap<>(to.attributes("interleaved", "num_heads", "rotary_embedding_dim"));
    boolean split = to.type(0).map(type -> type.rank() == 4).orElse(false);
    String positions = to.in(1);
    if (to.type(1).map(type -> type.rank() == 1).orElse(false)) {
      // the place of the first token, in every text
      String tokens = to.upTo(to.extent(to.in(0), split ? 2 : 1));
      Map<String, Attribute> first = Map.of("axis", new Attribute.Int(0));
      String shape = to.add("Concat", first, to.extents(to.in(0), 0), to.longs(1));
      positions = to.add("Add", to.add("Expand", positions, shape), tokens);
    }
    // the vendor's form takes the tables last
    if (split || node.intAttribute("num_heads", 0) > 0) {
      to.into("RotaryEmbedding", attributes, to.in(0), to.in(2), to.in(3), positions);
      return;
    }
    // without their number heads are as wide as the tables turn
    String pairs = to.extents(to.in(2), 1);
    String width = to.add("Add", pairs, pairs);
    Map<String, Attribute> first = Map.of("axis", new Attribute.Int(0));
    String shape = to.add("Concat", first, to.longs(0, 0, -1), width);
    String heads = VendorCaches.transposed(to, to.add("Reshape", to.in(0), shape));
    attributes.remove("num_heads");
    String turned = to.add("RotaryEmbedding", attributes, heads, to.in(2), to.in(3), positions);
    to.into("Reshape", Map.of(), VendorCaches.transposed(to, turned), to.longs(0, 0, -1));
  }
}
