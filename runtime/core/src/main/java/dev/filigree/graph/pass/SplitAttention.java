package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.attention.DotProductAttention;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes ONNX's Attention in f32 by products, a sum and a softmax, which have fast kernels, where
 * it has earlier keys and values, heads that share keys, or hides keys by their position; what is
 * plain goes to the fused kernel ({@link AdoptFused}). Heads that share keys become more queries of
 * one head, so that no key is copied:
 *
 * <pre>
 *   q      [batch, heads, tokens, width]   read as [batch, keyHeads, group * tokens, width]
 *   scores [batch, keyHeads, group * tokens, keys]
 *   bias   [batch or 1, keyHeads or 1, group * tokens, keys], 0 or hidden
 * </pre>
 */
final class SplitAttention implements Pass {
  /** Hides a key, and stays finite when masks are added: a row may be hidden as a whole. */
  private static final float HIDDEN = -1e30f;

  private static final int MASK = DotProductAttention.MASK;

  @Override
  public Graph apply(Graph graph) {
    if (graph.nodes().stream().noneMatch(node -> node.is("Attention"))) {
      return graph;
    }
    Map<String, ValueType> types = ShapeInference.infer(graph, Operators::find);
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (node.is("Attention") && Form.isKnown(node, types)) {
        Lowered to = new Lowered(node, constants, "attention");
        new Call(node, to, Form.of(node, types), types).write();
        nodes.addAll(to.nodes());
      } else {
        nodes.add(node);
      }
    }
    return graph.with(nodes, constants);
  }

  /** Extents that are known before any shape is. */
  private record Form(boolean joined, long heads, long keyHeads, long width, long valueWidth) {
    static boolean isKnown(Node node, Map<String, ValueType> types) {
      boolean typed = node.inputs().stream().allMatch(in -> in.isEmpty() || types.containsKey(in));
      boolean f32 = typed && types.get(node.inputs().getFirst()).dtype() == DType.F32;
      boolean scores = node.outputs().size() > 3 && !node.outputs().get(3).isEmpty();
      boolean sinks = node.input(DotProductAttention.SINKS).isPresent();
      if (!f32 || scores || sinks || isPlain(node)) {
        return false;
      }
      Form form = of(node, types);
      ValueType mask = node.input(MASK).map(types::get).orElse(null);
      boolean byHead = mask != null && mask.rank() > 2 && !mask.dim(-3).is(1);
      boolean masks = mask == null || mask.rank() >= 2 && mask.rank() <= 4;
      return form.heads > 0
          && form.keyHeads > 0
          && form.width > 0
          && form.valueWidth > 0
          && form.heads % form.keyHeads == 0
          && masks
          && (mask == null || mask.dtype() == DType.F32 || mask.dtype() == DType.BOOL)
          && !(byHead && form.group() > 1);
    }

    /** What the fused kernel takes, or might. */
    private static boolean isPlain(Node node) {
      return node.outputs().size() == 1
          && node.inputs().size() <= MASK + 1
          && node.intAttribute("is_causal", 0) == 0
          && node.floatAttribute("softcap", 0) == 0
          && node.intAttribute("left_window_size", -1) < 0
          && node.intAttribute("right_window_size", -1) < 0
          && node.intAttribute("q_num_heads", 0) > 0
          && node.intAttribute("q_num_heads", 0) == node.intAttribute("kv_num_heads", 0);
    }

    static Form of(Node node, Map<String, ValueType> types) {
      ValueType q = types.get(node.inputs().get(0));
      ValueType k = types.get(node.inputs().get(1));
      ValueType v = types.get(node.inputs().get(2));
      boolean joined = q.rank() == 3;
      long heads = joined ? node.intAttribute("q_num_heads", 0) : known(q, 1);
      long keyHeads = joined ? node.intAttribute("kv_num_heads", 0) : known(k, 1);
      long width = joined && heads > 0 ? known(q, 2) / heads : joined ? 0 : known(q, 3);
      long values = joined && keyHeads > 0 ? known(v, 2) / keyHeads : joined ? 0 : known(v, 3);
      return new Form(joined, heads, keyHeads, width, values);
    }

    private static long known(ValueType type, int axis) {
      return type.dim(axis).isKnown() ? type.dim(axis).value() : 0;
    }

    long group() {
      return heads / keyHeads;
    }
  }

  /** One node being written otherwise. */
  private record Call(Node node, Lowered to, Form form, Map<String, ValueType> types) {
    void write() {
      String q = byHead(to.in(0), form.heads, form.width);
      String own = byHead(to.in(1), form.keyHeads, form.width);
      String keys = joined(DotProductAttention.PAST_KEY, own, 1);
      String values =
          joined(
              DotProductAttention.PAST_VALUE, byHead(to.in(2), form.keyHeads, form.valueWidth), 2);
      String grouped =
          form.group() == 1 ? q : to.add("Reshape", q, longs(0, form.keyHeads, -1, form.width));
      float scale = node.floatAttribute("scale", (float) (1 / Math.sqrt(form.width)));
      String scores =
          to.add("Mul", to.add("MatMul", grouped, transposed(keys, 0, 1, 3, 2)), number(scale));
      float cap = node.floatAttribute("softcap", 0);
      if (cap > 0) {
        scores = to.add("Mul", to.add("Tanh", to.add("Div", scores, number(cap))), number(cap));
      }
      String bias = bias(q, keys);
      if (!bias.isEmpty()) {
        scores = to.add("Add", scores, bias);
      }
      String shares = to.add("Softmax", Map.of("axis", new Attribute.Int(-1)), scores);
      String context = to.add("MatMul", shares, values);
      if (mayHideAll()) {
        context = to.add("Mul", context, sees(bias));
      }
      if (form.group() > 1) {
        context = to.add("Reshape", context, longs(0, form.heads, -1, form.valueWidth));
      }
      if (form.joined) {
        String tokens = transposed(context, 0, 2, 1, 3);
        to.into("Reshape", Map.of(), tokens, longs(0, 0, form.heads * form.valueWidth));
      } else {
        to.into("Identity", Map.of(), context);
      }
    }

    private String byHead(String x, long heads, long width) {
      return form.joined
          ? transposed(to.add("Reshape", x, longs(0, 0, heads, width)), 0, 2, 1, 3)
          : x;
    }

    /** Keys or values with the earlier ones in front, under the name that the node delivers. */
    private String joined(int past, String own, int output) {
      boolean delivered = node.outputs().size() > output && !node.outputs().get(output).isEmpty();
      String name = delivered ? node.outputs().get(output) : to.fresh();
      if (to.has(past)) {
        return to.add(
            "Concat", Map.of("axis", new Attribute.Int(2)), List.of(to.in(past), own), name);
      }
      return delivered ? to.add("Identity", Map.of(), List.of(own), name) : own;
    }

    /** Whether a query may see no key at all; its result is 0 then. */
    private boolean mayHideAll() {
      boolean window =
          node.intAttribute("left_window_size", -1) >= 0
              || node.intAttribute("right_window_size", -1) >= 0;
      return window || to.has(MASK) || to.has(DotProductAttention.LENGTHS);
    }

    private String sees(String bias) {
      String greatest = reduced("ReduceMax", bias);
      String seen = to.add("Greater", greatest, number(HIDDEN / 2));
      return to.add("Cast", Map.of("to", new Attribute.Int(1)), seen);
    }

    /** An attribute up to operator set 17, an input from then on. */
    private String reduced(String type, String x) {
      return to.add(
          type,
          Map.of("keepdims", new Attribute.Int(1), "axes", new Attribute.Ints(List.of(-1L))),
          x,
          longs(-1));
    }

    /** What is added to the scores; empty if nothing is. */
    private String bias(String q, String keys) {
      String hidden = byPosition(q, keys);
      String bias = hidden.isEmpty() ? "" : hiding(hidden);
      if (to.has(MASK)) {
        String mask = mask(keys);
        bias = bias.isEmpty() ? mask : to.add("Add", mask, bias);
      }
      boolean sameForAll = !isByQuery() && (!to.has(MASK) || types.get(to.in(MASK)).dim(-2).is(1));
      if (bias.isEmpty() || form.group() == 1 || sameForAll) {
        return bias;
      }
      // the queries of a head that shares its keys follow those of the one before
      String rows = to.add("Concat", Map.of("axis", new Attribute.Int(0)), extent(q, 2), longs(1));
      String[] parts = new String[(int) form.group()];
      Arrays.fill(parts, to.add("Expand", bias, rows));
      return to.add("Concat", Map.of("axis", new Attribute.Int(-2)), parts);
    }

    /** Whether queries see different keys for where they are. */
    private boolean isByQuery() {
      return node.intAttribute("is_causal", 0) != 0
          || node.intAttribute("left_window_size", -1) >= 0
          || node.intAttribute("right_window_size", -1) >= 0;
    }

    private String hiding(String hidden) {
      return to.add("Where", hidden, number(HIDDEN), number(0));
    }

    /** Which keys a query does not see for where they are; empty if it sees all. */
    private String byPosition(String q, String keys) {
      boolean causal = node.intAttribute("is_causal", 0) != 0;
      long left = node.intAttribute("left_window_size", -1);
      long right = node.intAttribute("right_window_size", -1);
      right = causal ? 0 : right;
      boolean lengths = to.has(DotProductAttention.LENGTHS);
      if (left < 0 && right < 0 && !lengths) {
        return "";
      }
      String all = range(extent(keys, 2));
      String hidden = "";
      if (left >= 0 || right >= 0) {
        String tokens = extent(q, 2);
        String at = to.unsqueeze(range(tokens), 1);
        if (to.has(DotProductAttention.PAST_KEY)) {
          at = to.add("Add", at, extent(to.in(DotProductAttention.PAST_KEY), 2));
        } else if (lengths) {
          String before = to.add("Sub", to.in(DotProductAttention.LENGTHS), tokens);
          at = to.add("Add", at, to.add("Reshape", before, longs(-1, 1, 1, 1)));
        }
        if (right >= 0) {
          hidden = to.add("Greater", all, to.add("Add", at, longs(right)));
        }
        if (left >= 0) {
          hidden = or(hidden, to.add("Less", all, to.add("Sub", at, longs(left))));
        }
      }
      if (lengths) {
        String end = to.add("Reshape", to.in(DotProductAttention.LENGTHS), longs(-1, 1, 1, 1));
        hidden = or(hidden, to.add("GreaterOrEqual", all, end));
      }
      return hidden;
    }

    private String or(String a, String b) {
      return a.isEmpty() ? b : to.add("Or", a, b);
    }

    /** The node's mask as numbers to add, as long as the keys. */
    private String mask(String keys) {
      String mask = to.in(MASK);
      ValueType type = types.get(mask);
      String added =
          type.dtype() == DType.BOOL
              ? to.add("Where", mask, number(0), number(HIDDEN))
              : to.add("Max", mask, number(HIDDEN));
      boolean whole =
          type.dim(-1).is(1)
              || !to.has(DotProductAttention.PAST_KEY)
                  && type.dim(-1).equals(types.get(to.in(1)).dim(form.joined ? 1 : 2));
      if (whole) {
        return added;
      }
      // it may be shorter than the keys, which are then hidden; one for all of them stays so
      String own = extent(added, type.rank() - 1);
      String missing = to.add("Sub", extent(keys, 2), own);
      String one = to.add("Equal", own, longs(1));
      String pads =
          to.add(
              "Concat",
              Map.of("axis", new Attribute.Int(0)),
              longs(new long[2 * type.rank() - 1]),
              to.add("Where", one, longs(0), missing));
      return to.add("Pad", added, pads, number(HIDDEN));
    }

    /** An extent as i64 {@code [1]}. */
    private String extent(String x, int axis) {
      return to.add("Gather", to.add("Shape", x), longs(axis));
    }

    /** Numbers from 0 up to an extent. */
    private String range(String extent) {
      String end = to.add("Reshape", extent, longs(new long[0]));
      return to.add(
          "Range", constant(Tensor.of(new long[] {0})), end, constant(Tensor.of(new long[] {1})));
    }

    private String transposed(String x, long... axes) {
      List<Long> order = Arrays.stream(axes).boxed().toList();
      return to.add("Transpose", Map.of("perm", new Attribute.Ints(order)), x);
    }

    private String constant(Tensor tensor) {
      return to.constant(tensor);
    }

    private String number(float value) {
      return constant(Tensor.of(new float[] {value}));
    }

    private String longs(long... values) {
      return constant(Tensor.of(values, values.length));
    }
  }
}
