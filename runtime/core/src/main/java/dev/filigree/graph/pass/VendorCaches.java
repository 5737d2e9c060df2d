package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Attention of ONNX Runtime with keys and values of earlier calls: as inputs {@code [batch, heads,
 * past, width]} of their own, both in one {@code [2, batch, heads, past, width]}, or written at the
 * length that each text of a batch has, as GroupQueryAttention does.
 */
final class VendorCaches {
  private VendorCaches() {}

  /**
   * Earlier and all keys and values of a node by name; empty names for those it has not.
   *
   * @param joined what all keys and values are delivered as together
   */
  record Memory(String pastKey, String pastValue, String key, String value, String joined) {
    boolean exists() {
      return !pastKey.isEmpty();
    }

    /** The outputs of an Attention that makes the node's first one. */
    List<String> outputs(Node node) {
      return key.isEmpty() && value.isEmpty()
          ? List.of(node.output())
          : List.of(node.output(), key, value);
    }

    /** Joins keys and values where they are delivered so. */
    void deliver(Lowered to) {
      if (!joined.isEmpty()) {
        Map<String, Attribute> first = Map.of("axis", new Attribute.Int(0));
        List<String> both = List.of(to.unsqueeze(key, 0), to.unsqueeze(value, 0));
        to.add("Concat", first, both, joined);
      }
    }
  }

  private static String output(Node node, int i) {
    return i < node.outputs().size() ? node.outputs().get(i) : "";
  }

  /** Keys and values apart: two inputs from one on, and the second and third output. */
  static Memory apart(Node node, Lowered to, int past) {
    return new Memory(to.in(past), to.in(past + 1), output(node, 1), output(node, 2), "");
  }

  /** Keys and values in one input, and in the second output. */
  static Memory joined(Node node, Lowered to, int past) {
    String all = output(node, 1);
    String key = all.isEmpty() ? "" : to.fresh();
    String value = all.isEmpty() ? "" : to.fresh();
    if (!to.has(past)) {
      return new Memory("", "", key, value, all);
    }
    String[] parts = new String[2];
    for (int i = 0; i < 2; i++) {
      String which = to.constant(Tensor.of(new long[] {i}));
      parts[i] = to.add("Gather", Map.of("axis", new Attribute.Int(0)), to.in(past), which);
    }
    return new Memory(parts[0], parts[1], key, value, all);
  }

  /**
   * GroupQueryAttention: the new keys and values go behind those that each text has, whose number
   * is one less than {@code seqlens_k} and the new ones; what lies behind is not attended to. All
   * keys are delivered {@code [batch, heads, past + tokens, width]}, however many are used.
   */
  static void groupQueryAttention(Node node, Lowered to, Map<String, Constant> all) {
    requireKnown(node, to);
    long heads = node.intAttribute("num_heads", 1);
    long keyHeads = node.intAttribute("kv_num_heads", 1);
    String[] parts = parts(to, heads, keyHeads);
    String tokens =
        to.add("Gather", to.add("Shape", parts[0]), to.constant(Tensor.of(new long[] {2}, 1)));
    Map<String, Attribute> whole = Map.of("to", new Attribute.Int(7));
    String last = to.add("Reshape", to.add("Cast", whole, to.in(5)), to.longs(-1));
    String before = to.add("Sub", to.add("Add", last, to.longs(1)), tokens);
    // a first piece may be longer than its text
    String start = to.add("Max", before, to.longs(0));
    if (node.intAttribute("do_rotary", 0) != 0) {
      String positions = to.has(9) ? to.in(9) : positions(to, start, tokens);
      parts[0] = turned(node, to, parts[0], positions, all);
      parts[1] = turned(node, to, parts[1], positions, all);
    }
    String keys = remembered(node, to, parts[1], 3, start);
    String values = remembered(node, to, parts[2], 4, start);
    Map<String, Attribute> attributes = new HashMap<>(to.attributes("softcap"));
    attributes.put("is_causal", new Attribute.Int(1));
    if (node.floatAttribute("scale", 0) != 0) {
      attributes.putAll(to.attributes("scale"));
    }
    long window = node.intAttribute("local_window_size", -1);
    if (window > 0) {
      attributes.put("left_window_size", new Attribute.Int(window - 1));
    }
    String length = to.add("Add", start, tokens);
    List<String> inputs =
        new ArrayList<>(List.of(parts[0], keys, values, to.in(10), "", "", length));
    if (to.has(11)) {
      inputs.add(to.in(11));
    } else if (node.intAttribute("smooth_softmax", 0) > 0) {
      inputs.add(to.constant(Tensor.of(new float[(int) heads], heads)));
    }
    String byHead = to.add("Attention", attributes, inputs, to.fresh());
    to.into("Reshape", Map.of(), transposed(to, byHead), to.longs(0, 0, -1));
  }

  private static void requireKnown(Node node, Lowered to) {
    boolean scores = node.outputs().size() > 3 && !node.outputs().get(3).isEmpty();
    boolean quantised =
        to.has(12)
            || to.has(13)
            || !node.textAttribute("k_quant_type", "NONE").equals("NONE")
            || !node.textAttribute("v_quant_type", "NONE").equals("NONE");
    if (scores || quantised) {
      throw node.unsupported(
          "has quantised keys or delivers its scores", "export it without those");
    }
    if (!to.has(5) || to.has(3) != to.has(4) || to.has(1) != to.has(2)) {
      throw node.problem("lacks seqlens_k, or one of two inputs", "export it again");
    }
  }

  /** Queries, keys and values by head, {@code [batch, heads, tokens, width]}. */
  private static String[] parts(Lowered to, long heads, long keyHeads) {
    if (to.has(1)) {
      return new String[] {
        byHead(to, to.in(0), heads), byHead(to, to.in(1), keyHeads), byHead(to, to.in(2), keyHeads)
      };
    }
    String together = to.add("Reshape", to.in(0), to.longs(0, 0, heads + 2 * keyHeads, -1));
    List<String> parts =
        to.addAll(
            "Split",
            Map.of("axis", new Attribute.Int(2)),
            List.of(together, to.longs(heads, keyHeads, keyHeads)),
            List.of(to.fresh(), to.fresh(), to.fresh()));
    return parts.stream().map(part -> transposed(to, part)).toArray(String[]::new);
  }

  /** Heads of {@code [batch, tokens, heads * width]}, {@code [batch, heads, tokens, width]}. */
  static String byHead(Lowered to, String x, long heads) {
    return transposed(to, to.add("Reshape", x, to.longs(0, 0, heads, -1)));
  }

  /** Swaps heads and tokens. */
  static String transposed(Lowered to, String x) {
    return to.add("Transpose", Map.of("perm", new Attribute.Ints(List.of(0L, 2L, 1L, 3L))), x);
  }

  private static String positions(Lowered to, String start, String tokens) {
    String end = to.add("Reshape", tokens, to.constant(Tensor.of(new long[0], 0)));
    return to.add("Add", to.unsqueeze(start, 1), to.upTo(end));
  }

  private static String turned(
      Node node, Lowered to, String x, String positions, Map<String, Constant> all) {
    Map<String, Attribute> attributes = new HashMap<>();
    attributes.put("interleaved", new Attribute.Int(node.intAttribute("rotary_interleaved", 0)));
    if (all.get(to.in(7)) instanceof Constant.Plain(Tensor cosines)) {
      long pairs = cosines.shape().extent(cosines.shape().rank() - 1);
      attributes.put("rotary_embedding_dim", new Attribute.Int(2 * pairs));
    }
    return to.add("RotaryEmbedding", attributes, x, to.in(7), to.in(8), positions);
  }

  /** All keys or values, under the name that the node delivers. */
  private static String remembered(Node node, Lowered to, String own, int past, String start) {
    int output = past - 2;
    String delivered = output(node, output);
    String name = delivered.isEmpty() ? to.fresh() : delivered;
    if (!to.has(past)) {
      return to.add("Identity", Map.of(), List.of(own), name);
    }
    Map<String, Attribute> along = Map.of("axis", new Attribute.Int(2));
    String room = to.add("Concat", along, to.in(past), own);
    return to.add("TensorScatter", along, List.of(room, own, start), name);
  }
}
