package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.CachedAttention;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Gated;
import dev.filigree.kernel.fused.LastToken;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.fused.RootMeanSquare;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A decoder that reads a sequence piece by piece and remembers the keys and values of what it has
 * read. It is made from a model of the families of {@link DecoderConfig} and its {@code
 * config.json}, over the same weights: {@code input_ids} i64 {@code [1, tokens]} to {@code logits}
 * f32 {@code [1, 1, vocabulary]} of the last token.
 *
 * @param graph of fused operators, which needs a cache to run
 * @param layers number of layers
 * @param keyHeads heads of keys and values
 * @param width features of a head
 * @param vocabulary number of tokens
 * @param trained positions the model was trained for; 0 if the config does not say
 * @param ends tokens after which a text is complete
 * @param amplitude factor of the rotary cosines and sines
 * @param frequencies of the rotary positions
 * @param window tokens that the layers look back at most, the reading one among them; 0 for all
 */
public record CachedDecoder(
    Graph graph,
    int layers,
    int keyHeads,
    int width,
    int vocabulary,
    int trained,
    List<Long> ends,
    double amplitude,
    Frequencies frequencies,
    int window) {
  /** Angles a position of a head's pairs, for sequences of at most a length. */
  @FunctionalInterface
  public interface Frequencies {
    float[] of(int length);
  }

  /** Name of the input. */
  public static final String IDS = "input_ids";

  /** Name of the output. */
  public static final String LOGITS = "logits";

  /**
   * The decoder of a model.
   *
   * @throws UnsupportedException if the model is no decoder of a known family
   * @throws FormatException if config and weights contradict each other
   */
  public static CachedDecoder of(Model model) {
    MemorySegment document = model.documents().get(Checkpoint.CONFIG);
    if (document == null) {
      throw new UnsupportedException(
          model.path() + " has no " + Checkpoint.CONFIG + " that describes a decoder",
          "pass the folder of a checkpoint of the families "
              + String.join(", ", DecoderConfig.FAMILIES.stream().sorted().toList())
              + ", or a .filigree file made from one");
    }
    JsonFile config = JsonFile.parse(model.path(), document.toArray(DType.BYTE));
    String family = config.text("model_type").orElse("");
    if (!DecoderConfig.FAMILIES.contains(family)) {
      throw new UnsupportedException(
          model.path() + " is of the family '" + family + "', which writes no text",
          "use one of " + String.join(", ", DecoderConfig.FAMILIES.stream().sorted().toList()));
    }
    DecoderConfig shape = DecoderConfig.read(config);
    Graph graph = new Builder(model, shape).graph(family);
    return new CachedDecoder(
        graph,
        shape.layers(),
        shape.keyHeads(),
        shape.width(),
        shape.vocabulary(),
        config.number("max_position_embeddings", 1, Integer.MAX_VALUE).orElse(0),
        config.wholeNumbers("eos_token_id"),
        shape.rope().amplitude(),
        shape.rope()::frequencies,
        shape.longestWindow());
  }

  /**
   * Refuses what cannot be read.
   *
   * @param length tokens the sequence has read
   * @param longest tokens it may have
   * @throws InputException if there are no tokens, one is none of the vocabulary, or the sequence
   *     becomes too long
   */
  public void check(long[] tokens, int length, int longest) {
    if (tokens.length == 0) {
      throw new InputException("no tokens to read", "pass one or more");
    }
    for (long token : tokens) {
      if (token < 0 || token >= vocabulary) {
        throw new InputException(
            "token " + token + " is none of the vocabulary",
            "use tokens from 0 to " + (vocabulary - 1));
      }
    }
    if (length + (long) tokens.length > longest) {
      throw new InputException(
          "a sequence of " + (length + (long) tokens.length) + " tokens is too long",
          "read at most " + longest + " tokens, or open the decoder for more");
    }
  }

  /**
   * The rotary cosines of a position, then its sines.
   *
   * @param angles of a position, see {@link #frequencies}
   * @param into receives {@code [width]} numbers
   * @param at where
   */
  public void turn(int position, float[] angles, float[] into, int at) {
    int half = width / 2;
    for (int i = 0; i < half; i++) {
      float angle = position * angles[i];
      into[at + i] = (float) (Math.cos(angle) * amplitude);
      into[at + half + i] = (float) (Math.sin(angle) * amplitude);
    }
  }

  /** Writes the graph down. */
  private static final class Builder {
    private final Model model;
    private final DecoderConfig shape;
    private final List<Node> nodes = new ArrayList<>();
    private final Map<String, Constant> constants = new LinkedHashMap<>();

    Builder(Model model, DecoderConfig shape) {
      this.model = model;
      this.shape = shape;
    }

    Graph graph(String family) {
      String prefix = model.constants().containsKey("model.embed_tokens.weight") ? "model." : "";
      String table = matrix(prefix + "embed_tokens.weight", shape.vocabulary(), shape.hidden());
      String x = prefix + "embed_tokens";
      nodes.add(Embedding.node(x, List.of(table, IDS), x));
      for (int layer = 0; layer < shape.layers(); layer++) {
        x = layer(prefix + "layers." + layer + ".", layer, x);
      }
      nodes.add(LastToken.node("last", x, "last"));
      String normal = normalized("last", prefix + "norm");
      boolean own = model.constants().containsKey("lm_head.weight");
      String head = own ? matrix("lm_head.weight", shape.vocabulary(), shape.hidden()) : table;
      nodes.add(Linear.node("lm_head", List.of(normal, head, ""), LOGITS, false, head, false));
      ValueInfo ids = new ValueInfo(IDS, DType.I64, List.of(Dim.ONE, Dim.symbol("tokens")));
      ValueInfo logits =
          new ValueInfo(LOGITS, DType.F32, List.of(Dim.ONE, Dim.ONE, Dim.of(shape.vocabulary())));
      return new Graph(
              family, NetworkBuilder.OPSET, List.of(ids), List.of(logits), nodes, constants)
          .sorted();
    }

    private String layer(String name, int number, String x) {
      String self = name + "self_attn.";
      int queries = shape.heads() * shape.width();
      int keys = shape.keyHeads() * shape.width();
      String normal = normalized(x, name + "input_layernorm");
      String q = linear(self + "q_proj", normal, queries, shape.hidden(), "");
      String k = linear(self + "k_proj", normal, keys, shape.hidden(), "");
      String v = linear(self + "v_proj", normal, keys, shape.hidden(), "");
      boolean norms = model.constants().containsKey(self + "q_norm.weight");
      List<String> inputs = new ArrayList<>(List.of(q, k, v));
      if (norms) {
        inputs.add(vector(self + "q_norm.weight", shape.width()));
        inputs.add(vector(self + "k_norm.weight", shape.width()));
      }
      String attended = self + "attended";
      nodes.add(
          CachedAttention.node(
              attended,
              inputs,
              attended,
              number,
              shape.heads(),
              shape.keyHeads(),
              shape.windows().get(number),
              (float) shape.epsilon()));
      String first = linear(self + "o_proj", attended, shape.hidden(), queries, x);
      String second = normalized(first, name + "post_attention_layernorm");
      String mlp = name + "mlp.";
      String gate = linear(mlp + "gate_proj", second, shape.wide(), shape.hidden(), "");
      String up = linear(mlp + "up_proj", second, shape.wide(), shape.hidden(), "");
      nodes.add(Gated.node(mlp + "gated", gate, up, mlp + "gated", activation()));
      return linear(mlp + "down_proj", mlp + "gated", shape.hidden(), shape.wide(), first);
    }

    private Activation activation() {
      return switch (shape.activation()) {
        case "silu", "swish" -> Activation.SILU;
        case "gelu" -> Activation.GELU;
        case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
        case "relu" -> Activation.RELU;
        case "tanh" -> Activation.TANH;
        default ->
            throw new UnsupportedException(
                model.path() + " asks for the activation '" + shape.activation() + "'",
                "the nearest supported are gelu, gelu_new, relu, silu and tanh");
      };
    }

    private String normalized(String x, String name) {
      String scale = vector(name + ".weight", shape.hidden());
      nodes.add(RootMeanSquare.node(name, x, scale, name, (float) shape.epsilon()));
      return name;
    }

    private String linear(String name, String x, int out, int in, String residual) {
      String weights = matrix(name + ".weight", out, in);
      boolean biased = model.constants().containsKey(name + ".bias");
      List<String> inputs =
          new ArrayList<>(List.of(x, weights, biased ? vector(name + ".bias", out) : ""));
      Node node = Linear.node(name, inputs, name, false, name + ".weight", true);
      if (!residual.isEmpty()) {
        inputs.add(residual);
        node = Linear.extended(node, name, inputs, name, Activation.NONE);
      }
      nodes.add(node);
      return name;
    }

    private String matrix(String name, int out, int in) {
      Weights weights =
          switch (model.constants().get(name)) {
            case Constant.Compressed(Weights stored, boolean transposed) -> stored;
            case Constant.Plain(Tensor tensor)
                when tensor.shape().rank() == 2 && Dense.holds(tensor.dtype()) ->
                new Dense(
                    tensor.shape().extent(0) == out && tensor.shape().extent(1) == in
                        ? tensor
                        : tensor.permute(1, 0));
            case null, default -> throw contradicts(name, "[" + out + ", " + in + "]");
          };
      if (weights.rows() != out || weights.columns() != in) {
        throw contradicts(name, "[" + out + ", " + in + "]");
      }
      constants.put(name, new Constant.Compressed(weights, false));
      return name;
    }

    private String vector(String name, int extent) {
      Constant constant = model.constants().get(name);
      if (constant == null
          || !constant.type().dims().equals(List.of(Dim.of(extent)))
          || !constant.type().dtype().isFloating()) {
        throw contradicts(name, "[" + extent + "]");
      }
      constants.put(name, constant);
      return name;
    }

    private FormatException contradicts(String name, String wanted) {
      Constant found = model.constants().get(name);
      return new FormatException(
          model.path()
              + (found == null ? " has no '" + name + "'" : " has '" + name + "' " + found.type())
              + " where its "
              + Checkpoint.CONFIG
              + " asks for "
              + wanted,
          "use the config that belongs to the weights");
    }
  }
}
