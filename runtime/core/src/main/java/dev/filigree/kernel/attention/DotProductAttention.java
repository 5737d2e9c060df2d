package dev.filigree.kernel.attention;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;

/**
 * Scaled dot-product attention (ONNX operator set 23): {@code softmax(q k^T * scale + mask) v},
 * with heads that share keys, keys and values of earlier tokens, a causal mask, a window and a soft
 * cap.
 *
 * <p>Inputs: q, k, v {@code [batch, heads, tokens, width]} or {@code [batch, tokens, heads *
 * width]}; optional mask, bool or added, that broadcasts to {@code [batch, heads, queries, keys]};
 * optional past keys and values {@code [batch, heads, past, width]}; optional i64 {@code [batch]}
 * of keys that are none of the padding; and, which ONNX has not, optional sinks {@code [heads]}, of
 * which each is a score beside those of the keys that takes its share of the weights. Outputs: y of
 * q's form, the keys and values past and present, and the scores {@code [batch, heads, queries,
 * keys]} as the attribute {@code qk_matmul_output_mode} says: 0 products times the scale, 1 capped,
 * 2 with the mask, 3 as weights.
 */
public final class DotProductAttention implements Operator {
  /** Position of the mask among the inputs. */
  public static final int MASK = 3;

  /** Position of earlier keys. */
  public static final int PAST_KEY = 4;

  /** Position of earlier values. */
  public static final int PAST_VALUE = 5;

  /** Position of the numbers of keys that are none of the padding. */
  public static final int LENGTHS = 6;

  /** Position of a score for each head beside those of the keys. */
  public static final int SINKS = 7;

  private static final int SCORES = 3;

  /** Without state. */
  public DotProductAttention() {}

  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType q = inputs.required(0);
    ValueType k = inputs.required(1);
    ValueType v = inputs.required(2);
    boolean joined =
        q.rank() == 3 && heads(node, "q_num_heads") > 0 && heads(node, "kv_num_heads") > 0;
    if (!q.dtype().isFloating()
        || k.rank() != q.rank()
        || v.rank() != q.rank()
        || q.rank() != 4 && !joined) {
      throw node.problem(
          "attends from " + q + " to " + k + " and " + v,
          "pass [batch, heads, tokens, width] three times, or three axes and the numbers of heads");
    }
    if (mode(node) < 0 || mode(node) > 3) {
      throw node.problem("delivers scores of the mode " + mode(node), "use 0 to 3");
    }
    Dim past = inputs.type(PAST_KEY).map(type -> type.dim(2)).orElse(Dim.of(0));
    List<ValueType> types = new ArrayList<>();
    Dim width = joined ? width(node, v.dim(2), "kv_num_heads") : v.dim(3);
    types.add(
        ValueType.of(
            q.dtype(),
            joined
                ? List.of(q.dim(0), q.dim(1), Dim.of(heads(node, "q_num_heads")).times(width))
                : List.of(q.dim(0), q.dim(1), q.dim(2), width)));
    for (ValueType own : List.of(k, v)) {
      Dim tokens = joined ? own.dim(1) : own.dim(2);
      types.add(
          ValueType.of(
              own.dtype(),
              List.of(
                  own.dim(0),
                  joined ? Dim.of(heads(node, "kv_num_heads")) : own.dim(1),
                  sum(past, tokens),
                  joined ? width(node, own.dim(2), "kv_num_heads") : own.dim(3))));
    }
    Dim heads = joined ? Dim.of(heads(node, "q_num_heads")) : q.dim(1);
    Dim queries = joined ? q.dim(1) : q.dim(2);
    Dim keys = types.get(1).dim(2);
    types.add(ValueType.of(q.dtype(), List.of(q.dim(0), heads, queries, keys)));
    inputs.type(SINKS).ifPresent(sinks -> requireSinks(node, sinks, heads));
    return types;
  }

  private static void requireSinks(Node node, ValueType sinks, Dim heads) {
    if (sinks.rank() != 1 || sinks.dim(0).isKnown() && !sinks.dim(0).equals(heads)) {
      throw node.problem("has sinks " + sinks, "pass one for each of " + heads + " heads");
    }
  }

  private static long mode(Node node) {
    return node.intAttribute("qk_matmul_output_mode", 0);
  }

  private static Dim sum(Dim past, Dim tokens) {
    if (past.is(0)) {
      return tokens;
    }
    return past.isKnown() && tokens.isKnown()
        ? Dim.of(past.value() + tokens.value())
        : Dim.symbol("(" + past + " + " + tokens + ")");
  }

  private static Dim width(Node node, Dim all, String attribute) {
    Dim heads = Dim.of(heads(node, attribute));
    if (all.isKnown() && all.value() % heads.value() != 0) {
      throw node.problem("splits " + all + " features in " + heads + " heads", "use a divisor");
    }
    return all.dividedBy(heads).orElseGet(() -> Dim.symbol("(" + all + " / " + heads + ")"));
  }

  private static long heads(Node node, String attribute) {
    return node.intAttribute(attribute, 0);
  }

  @Override
  public Kernel bind(Binding binding) {
    return () -> new Call(binding).run();
  }

  /** One call with its operands. */
  private static final class Call {
    private final Binding binding;
    private final Node node;
    private final Tensor q;
    private final Tensor v;
    private final Tensor y;
    private final Tensor allKeys;
    private final Tensor allValues;
    private final HeadAxes queries;
    private final HeadAxes keys;
    private final HeadAxes values;
    private final HeadAxes results;
    private final long past;
    private final double scale;
    private final double cap;
    private final long left;
    private final long right;
    private final Tensor sinks;
    private final Tensor delivered;
    private final long mode;

    Call(Binding binding) {
      this.binding = binding;
      this.node = binding.node();
      this.q = binding.input(0);
      this.v = binding.input(2);
      this.y = binding.output();
      this.queries = HeadAxes.of(q, heads(node, "q_num_heads"));
      this.results = HeadAxes.of(y, heads(node, "q_num_heads"));
      long own = heads(node, "kv_num_heads");
      this.allKeys = joined(binding.input(1), PAST_KEY, own);
      this.allValues = joined(v, PAST_VALUE, own);
      this.keys = HeadAxes.of(allKeys, own);
      this.values = HeadAxes.of(allValues, own);
      this.past = binding.has(PAST_KEY) ? binding.input(PAST_KEY).shape().extent(2) : 0;
      this.scale = node.floatAttribute("scale", (float) (1 / Math.sqrt(queries.width())));
      this.cap = node.floatAttribute("softcap", 0);
      this.left = node.intAttribute("left_window_size", -1);
      long window = node.intAttribute("right_window_size", -1);
      this.right = node.intAttribute("is_causal", 0) != 0 ? 0 : window;
      this.sinks = binding.has(SINKS) ? binding.input(SINKS) : null;
      this.delivered = binding.outputs().size() > SCORES ? binding.outputs().get(SCORES) : null;
      this.mode = mode(node);
      if (keys.heads() < 1
          || queries.heads() % keys.heads() != 0
          || keys.width() != queries.width()
          || keys.tokens() != values.tokens()) {
        throw node.problem(
            "attends from " + q + " to " + binding.input(1) + " and " + v,
            "heads of keys must divide those of queries, and widths agree");
      }
    }

    /** Keys or values with the earlier ones in front, by heads. */
    private Tensor joined(Tensor own, int past, long heads) {
      HeadAxes from = HeadAxes.of(own, heads);
      Tensor before = binding.has(past) ? binding.input(past) : null;
      long earlier = before == null ? 0 : before.shape().extent(2);
      Tensor all =
          Tensor.zeros(
              own.dtype(),
              Shape.of(from.batches(), from.heads(), earlier + from.tokens(), from.width()));
      HeadAxes into = HeadAxes.of(all, 0);
      for (long row = 0; row < into.rows(); row++) {
        long batch = into.batch(row);
        long head = row / into.tokens() % into.heads();
        long token = into.token(row);
        Tensor source = token < earlier ? before : own;
        long at =
            token < earlier
                ? ((batch * into.heads() + head) * earlier + token) * into.width()
                : from.start(batch, head, token - earlier);
        Elements.copy(source, at, all, into.start(row), into.width());
      }
      return all;
    }

    void run() {
      for (int i = 1; i <= 2; i++) {
        if (i < binding.outputs().size() && binding.outputs().get(i) != null) {
          (i == 1 ? allKeys : allValues).copyTo(binding.output(i));
        }
      }
      Mask mask = Mask.of(binding, queries, keys);
      double[] scores = new double[Math.toIntExact(keys.tokens())];
      for (long row = 0; row < queries.rows(); row++) {
        long batch = queries.batch(row);
        long head = row / queries.tokens() % queries.heads();
        long shared = head / (queries.heads() / keys.heads());
        boolean attends = score(row, batch, head, shared, mask, scores);
        for (int t = 0; mode == 3 && delivered != null && t < scores.length; t++) {
          delivered.setDouble(row * scores.length + t, attends ? scores[t] : 0);
        }
        long into = results.start(batch, head, queries.token(row));
        for (long i = 0; i < results.width(); i++) {
          double sum = 0;
          for (int t = 0; attends && t < scores.length; t++) {
            sum +=
                scores[t] == 0
                    ? 0
                    : scores[t] * allValues.getDouble(values.start(batch, shared, t) + i);
          }
          y.setDouble(into + i, sum);
        }
      }
    }

    /** Probabilities of the keys; false if the query may attend to none. */
    private boolean score(
        long row, long batch, long head, long shared, Mask mask, double[] scores) {
      long from = queries.start(row);
      long token = queries.token(row);
      long at = token + offset(batch);
      long first = left < 0 ? Long.MIN_VALUE : at - left;
      long last = right < 0 ? Long.MAX_VALUE : at + right;
      double max = Double.NEGATIVE_INFINITY;
      for (int t = 0; t < scores.length; t++) {
        boolean visible = t >= first && t <= last;
        double bias = visible ? mask.bias(batch, head, token, t) : Double.NEGATIVE_INFINITY;
        double dot = 0;
        long key = keys.start(batch, shared, t);
        boolean needed = bias != Double.NEGATIVE_INFINITY || delivered != null;
        for (long i = 0; needed && i < queries.width(); i++) {
          dot += q.getDouble(from + i) * allKeys.getDouble(key + i);
        }
        dot *= scale;
        double capped = cap > 0 ? cap * Math.tanh(dot / cap) : dot;
        scores[t] = capped + bias;
        if (delivered != null && mode < 3) {
          double chosen = mode == 0 ? dot : mode == 1 ? capped : scores[t];
          delivered.setDouble(row * scores.length + t, chosen);
        }
        max = Math.max(max, scores[t]);
      }
      if (max == Double.NEGATIVE_INFINITY) {
        return false;
      }
      double sink = sinks == null ? Double.NEGATIVE_INFINITY : sinks.getDouble(head);
      max = Math.max(max, sink);
      double sum = Math.exp(sink - max);
      for (int t = 0; t < scores.length; t++) {
        scores[t] = Math.exp(scores[t] - max);
        sum += scores[t];
      }
      for (int t = 0; t < scores.length; t++) {
        scores[t] /= sum;
      }
      return true;
    }

    /** How many keys lie before those of the first query. */
    private long offset(long batch) {
      if (!binding.has(LENGTHS) || binding.has(PAST_KEY)) {
        return past;
      }
      return binding.input(LENGTHS).getLong(batch) - queries.tokens();
    }
  }

  /** What is added to the scores of one call. */
  private record Mask(Tensor mask, long[] strides, Tensor lengths) {
    static Mask of(Binding binding, HeadAxes queries, HeadAxes keys) {
      Tensor lengths = binding.has(LENGTHS) ? binding.input(LENGTHS) : null;
      if (!binding.has(MASK)) {
        return new Mask(null, null, lengths);
      }
      Tensor mask = binding.input(MASK);
      long[] extents = {queries.batches(), queries.heads(), queries.tokens(), keys.tokens()};
      int rank = mask.shape().rank();
      for (int axis = 0; axis < rank; axis++) {
        long own = mask.shape().extent(axis);
        // a mask may be shorter than the keys, which are then masked
        boolean fits =
            own == 1 || own == extents[4 - rank + axis] || axis == rank - 1 && own < extents[3];
        if (rank > 4 || !fits) {
          throw binding
              .node()
              .problem("masks by " + mask, "pass what broadcasts to " + Shape.of(extents));
        }
      }
      return new Mask(mask, Broadcast.strides(mask.shape(), Shape.of(extents)), lengths);
    }

    double bias(long batch, long head, long query, long key) {
      if (lengths != null && key >= lengths.getLong(batch)) {
        return Double.NEGATIVE_INFINITY;
      }
      if (mask == null) {
        return 0;
      }
      int last = mask.shape().rank() - 1;
      if (last >= 0 && mask.shape().extent(last) > 1 && key >= mask.shape().extent(last)) {
        return Double.NEGATIVE_INFINITY;
      }
      long at = batch * strides[0] + head * strides[1] + query * strides[2] + key * strides[3];
      if (mask.dtype() == DType.BOOL) {
        return mask.getLong(at) != 0 ? 0 : Double.NEGATIVE_INFINITY;
      }
      return mask.getDouble(at);
    }
  }
}
