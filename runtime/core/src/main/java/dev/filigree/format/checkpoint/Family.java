package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * How the networks of a family are made, read from a file beside this class: what its modules are
 * called, which kinds of normalisation, projection, positions and feed-forward layer it has, what
 * its config calls them, and what holds where a config is silent. A family is written as its
 * difference to the one it is like, or else to the first of the file; members under {@code when}
 * hold for configs with certain values. Immutable.
 *
 * @param about the family's members, with those of the families it is like
 * @param config of a network, completed by what holds where it is silent
 */
record Family(JsonFile about, JsonFile config) {
  /** Families of decoders. */
  static final Table DECODERS = Table.load("decoders.json");

  /** Families of encoders. */
  static final Table ENCODERS = Table.load("encoders.json");

  /** Kinds of normalisation. */
  enum Norm {
    /** By the root of the mean square. */
    RMS,
    /** By mean and variance. */
    LAYER,
    /** Not at all: features are scaled and shifted as they are. */
    NONE
  }

  /** How queries, keys and values are made. */
  enum Projection {
    /** By three layers. */
    SEPARATE,
    /** By one: all queries, all keys, all values. */
    JOINED,
    /** By one: for each head of keys its queries, its key and its value. */
    GROUPED,
    /** By one: for each quarter of the heads their queries, their values and their keys. */
    QUARTERS
  }

  /** Kinds of feed-forward layers. */
  enum Feed {
    /** {@code down(f(gate(x)) * up(x))}. */
    GATED,
    /** The same with gate and up in one layer. */
    JOINED,
    /** {@code down(f(up(x)))}. */
    PLAIN
  }

  /** How a network knows where a token stands. */
  enum Positions {
    ROTARY,
    /** By a table whose rows are added to the words'. */
    LEARNED,
    /** By sines and cosines that are added to the words'. */
    SINUSOIDAL,
    /** By such a table, of which padding has a row of its own and text the rows behind it. */
    PADDED,
    /** By what is added to scores, a number a place. */
    ALIBI,
    /** By nothing that is added or turned. */
    NONE
  }

  /** Which features a rotation turns together. */
  enum Pairs {
    /** The first half of a head with the second. */
    HALVES,
    /** Each with its neighbour. */
    NEIGHBOURS
  }

  /** Which layers turn queries and keys. */
  enum Rotary {
    ALL,
    /** Those that have a window, if any has. */
    SLIDING,
    /** Those that {@code no_rope_layers} marks with 1. */
    LISTED
  }

  /** Whether a config's {@code sliding_window} holds, and where it does. */
  enum Windows {
    NEVER,
    /** In the layers that the config names. */
    ALWAYS,
    /** In all layers, whatever types the config gives them. */
    EVERYWHERE,
    /** In the layers that the config names, where {@code use_sliding_window} says so. */
    FLAG,
    /**
     * In the layers that the config names, or else in every second one from the first on, below
     * {@code max_window_layers}, where {@code use_sliding_window} says so.
     */
    SECOND,
    /**
     * In the layers that the config names, or else in all but every {@code
     * global_attn_every_n_layers}th from the first on; it is half of {@code local_attention}.
     */
    HALVED,
    /**
     * In the layers that the config names, or else in all but every {@code
     * global_attn_every_n_layers}th from the first on.
     */
    FIRST_WHOLE,
    /** In the layers that turn nothing, where {@code use_sliding_window} says so. */
    UNTURNED
  }

  Norm norm() {
    return choice("norm", Norm.class);
  }

  Projection projection() {
    return choice("projection", Projection.class);
  }

  Feed feed() {
    return choice("feed", Feed.class);
  }

  Positions positions() {
    return choice("positions", Positions.class);
  }

  Pairs pairs() {
    return choice("pairs", Pairs.class);
  }

  Rotary rotary() {
    return choice("rotary", Rotary.class);
  }

  Windows windows() {
    return choice("windows", Windows.class);
  }

  /**
   * Something that a family has or not: {@code one_more} (norms scale by one more than their
   * weights), {@code parallel} (attention and feed-forward layer read the same), {@code norms_last}
   * (norms follow the sum), {@code wide_norms} (queries and keys are normalised over all heads),
   * {@code transposed} (weights lie {@code [in, out]}), {@code partial} (a part of each head is
   * turned), {@code local_rope} (layers with a window turn by frequencies of their own), {@code
   * long_rope} (frequencies are scaled by {@code longrope} alone, also by its older names), {@code
   * caps} (scores and logits are bounded by a tanh), {@code clipped} (queries, keys and values may
   * be clipped), {@code scores_by_layer} (scores are divided by the layer's number), {@code
   * both_ways} (tokens see later ones too), {@code scales_by_head} (normalisations of queries and
   * keys have scales of their own for each head), {@code relative_by_layer} (layers have tables of
   * distances of their own), {@code counted} (padding has no place: tokens are numbered by the
   * mask), {@code rounded_bias} (what is added to scores by places is rounded to bf16), {@code
   * from_last} (it counts places from the last one), {@code norms_summed} (layers add to normalised
   * states), {@code experts} (tokens choose their feed-forward layers), {@code pools_end} (a text's
   * state is that of the token that ends it), {@code bottleneck} (layers work on fewer features
   * than states have), {@code turns_values} (values are turned as keys are), {@code counts_names}
   * (scores are divided by the number of kinds of them that the config names, known or not), {@code
   * bare_first} (the first layer attends to states as they are), {@code up_first} (in the layer
   * that joins gate and up, up is first), {@code scales_both} (an older name of scalings is for
   * both kinds of layers), {@code turned_experts} (stacked experts lie {@code [in, out]}), {@code
   * stacked_alone} (experts are published in one tensor a layer), {@code turned_first} (queries and
   * keys are normalised once they are turned), {@code grows} (queries grow with their positions),
   * {@code alpha_rope} (dynamic scaling of positions may have an alpha of its own), {@code
   * softmax_router} (a router with a bias has the scores of a softmax), {@code dense_first} and
   * {@code dense_last} (the first or last layers of networks with experts may have none), {@code
   * mrope} (positions may have parts for pictures), {@code ntk} (positions may be scaled by {@code
   * ntk}).
   */
  boolean has(String feature) {
    return about.flag(feature, false);
  }

  /** Number of the row of a table of positions that the first token has. */
  int offset() {
    return about.number("offset", 0, 1 << 10).orElse(0);
  }

  /** Whether tokens are numbered from the row {@link #offset} of a table on. */
  boolean isTabled() {
    return positions() == Positions.LEARNED || positions() == Positions.SINUSOIDAL;
  }

  /** Tokens of the longest text, where a table of positions ends. */
  Optional<Integer> longest() {
    Optional<Integer> rows = config.number("max_position_embeddings", 1, 1 << 24);
    return switch (positions()) {
      case LEARNED, SINUSOIDAL -> rows;
      // padding has a row, and so have the numbers before its own
      case PADDED ->
          rows.map(all -> all - 1 - config.number("pad_token_id", 0, 1 << 24).orElse(1))
              .filter(longest -> longest > 0);
      case ROTARY, ALIBI, NONE -> Optional.empty();
    };
  }

  /** Name of a module by its role; nothing if the family has none. */
  Optional<String> module(String role) {
    return about
        .object("modules")
        .flatMap(modules -> modules.text(role))
        .filter(name -> !name.isEmpty());
  }

  /**
   * A factor of {@code words}, {@code residual}, {@code logits}, {@code scores} or their {@code
   * bias}: a number or a key of the config, where wanted the root of it, where wanted one over it.
   *
   * @param width features of a head, which configs may leave out
   */
  double factor(String of, int width) {
    String text = about.object("factors").flatMap(factors -> factors.text(of)).orElse("1").strip();
    List<String> words = new ArrayList<>(List.of(text.split(" ")));
    String last = words.removeLast();
    double value =
        last.equals("head_dim")
            ? width
            : last.equals("1") ? 1 : config.real(last, 1e-9, 1e9).orElse(1.0);
    if (words.remove("sqrt")) {
      value = Math.sqrt(value);
    }
    return words.contains("/") ? 1 / value : value;
  }

  private <E extends Enum<E>> E choice(String key, Class<E> set) {
    return about.choice(key, set).orElseThrow();
  }

  /**
   * The families of a file.
   *
   * @param base name of the family that others differ from
   * @param all their descriptions
   */
  record Table(String base, JsonNode all) {
    private static Table load(String file) {
      try (InputStream in = Family.class.getResourceAsStream(file)) {
        JsonNode all = JsonFile.parse(Path.of(file), in.readAllBytes()).node();
        return new Table(all.propertyNames().iterator().next(), all);
      } catch (IOException unreadable) {
        throw new UncheckedIOException(unreadable);
      }
    }

    /** Names of the families, sorted. */
    List<String> names() {
      return List.copyOf(new TreeSet<>(all.propertyNames()));
    }

    /** Whether a family is known. */
    boolean isKnown(String name) {
      return all.has(name);
    }

    /**
     * The family of a config, as that config has it.
     *
     * @throws UnsupportedException if the config turns something on that the family's graph lacks
     */
    Family of(String name, JsonFile config) {
      ObjectNode about = described(name);
      JsonFile known = complete(about, config);
      for (JsonNode when : about.path("when")) {
        if (holds(when.path("if"), known)) {
          merge(about, (ObjectNode) when);
          known = complete(about, config);
        }
      }
      for (JsonNode key : about.path("refused")) {
        if (known.flag(key.asString(), false)) {
          throw new UnsupportedException(
              config.file() + " sets '" + key.asString() + "' for a model of the family " + name,
              "the nearest supported is such a model without it; or export the model as ONNX");
        }
      }
      for (var only : about.path("only").properties()) {
        JsonNode value = known.node().path(only.getKey());
        if (!value.isMissingNode() && !isSame(value, only.getValue())) {
          throw new UnsupportedException(
              config.file()
                  + " sets '"
                  + only.getKey()
                  + "' to "
                  + value
                  + " for a model of the family "
                  + name,
              "the nearest supported is such a model where it is "
                  + only.getValue()
                  + "; or export the model as ONNX");
        }
      }
      return new Family(new JsonFile(config.file(), "family", about), known);
    }

    private ObjectNode described(String name) {
      ObjectNode own = (ObjectNode) all.get(name);
      if (name.equals(base)) {
        return own.deepCopy();
      }
      ObjectNode about = described(own.has("like") ? own.get("like").asString() : base);
      merge(about, own);
      return about;
    }

    /** Members of objects and lists are added, others replaced. */
    private static void merge(ObjectNode into, ObjectNode from) {
      from.properties()
          .forEach(
              member -> {
                JsonNode old = into.get(member.getKey());
                JsonNode value = member.getValue();
                if (old instanceof ObjectNode owner && value instanceof ObjectNode more) {
                  merge(owner, more);
                } else if (old instanceof ArrayNode list && value instanceof ArrayNode more) {
                  list.addAll(more);
                } else {
                  into.set(member.getKey(), value.deepCopy());
                }
              });
    }

    private static JsonFile complete(ObjectNode about, JsonFile config) {
      JsonFile known = config.over(about.path("defaults"));
      for (var key : about.path("keys").properties()) {
        if (key.getValue().isString()) {
          known = known.renamed(key.getKey(), key.getValue().asString());
        }
      }
      for (var forced : about.path("config").properties()) {
        known = known.with(forced.getKey(), forced.getValue());
      }
      return known;
    }

    /** Numbers are the same whether they are written with a point or without. */
    private static boolean isSame(JsonNode value, JsonNode wanted) {
      return value.isNumber() && wanted.isNumber()
          ? value.doubleValue() == wanted.doubleValue()
          : value.equals(wanted);
    }

    private static boolean holds(JsonNode conditions, JsonFile config) {
      for (var condition : conditions.properties()) {
        JsonNode value = config.node().path(condition.getKey());
        JsonNode wanted = condition.getValue();
        if (wanted.isNull() ? !value.isMissingNode() && !value.isNull() : !wanted.equals(value)) {
          return false;
        }
      }
      return true;
    }
  }
}
