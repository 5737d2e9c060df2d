package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Graph;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A decoder that reads a sequence piece by piece and remembers the keys and values of what it has
 * read. It is made from a model of the families of {@link Family} and its {@code config.json}, over
 * the same weights: {@code input_ids} i64 {@code [1, tokens]}, and for some families {@code
 * positions} i64 {@code [tokens]}, to {@code logits} f32 {@code [1, 1, vocabulary]} of the last
 * token.
 *
 * @param graph of fused operators, which needs a cache to run
 * @param layers number of layers
 * @param keyHeads heads of keys and values
 * @param width features of a head
 * @param vocabulary number of tokens
 * @param trained positions the model was trained for; 0 if the config does not say
 * @param positions tokens a sequence can have at most; 0 for no end
 * @param ends tokens after which a text is complete
 * @param rotations by which layers turn queries and keys
 * @param window tokens that the layers look back at most, the reading one among them; 0 for all
 */
public record CachedDecoder(
    Graph graph,
    int layers,
    int keyHeads,
    int width,
    int vocabulary,
    int trained,
    int positions,
    List<Long> ends,
    List<Rotation> rotations,
    int window) {
  /** Angles a position of a head's pairs, for sequences of at most a length. */
  @FunctionalInterface
  public interface Frequencies {
    float[] of(int length);
  }

  /**
   * A rotation of queries and keys by their positions.
   *
   * @param turned features of a head that are turned, the first ones
   * @param amplitude factor of the cosines and sines
   * @param frequencies of the pairs
   */
  public record Rotation(int turned, double amplitude, Frequencies frequencies) {
    /**
     * The cosines of a position, then its sines.
     *
     * @param angles a position, see {@link #frequencies}
     * @param into receives {@code [turned]} numbers
     * @param at where
     */
    public void turn(int position, float[] angles, float[] into, int at) {
      int half = turned / 2;
      for (int i = 0; i < half; i++) {
        float angle = position * angles[i];
        into[at + i] = (float) (Math.cos(angle) * amplitude);
        into[at + half + i] = (float) (Math.sin(angle) * amplitude);
      }
    }
  }

  /** Name of the input. */
  public static final String IDS = "input_ids";

  /** Name of the input of families that look positions up. */
  public static final String POSITIONS = "positions";

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
              + String.join(", ", Family.DECODERS.names())
              + ", or a .filigree file made from one");
    }
    JsonFile config = TextPart.configIn(JsonFile.parse(model.path(), document.toArray(DType.BYTE)));
    String family = config.text("model_type").orElse("");
    if (!Family.DECODERS.isKnown(family)) {
      throw new UnsupportedException(
          model.path() + " is of the family '" + family + "', which writes no text",
          "use one of " + String.join(", ", Family.DECODERS.names()));
    }
    DecoderConfig shape = DecoderConfig.read(family, config);
    JsonFile known = shape.family().config();
    boolean isBounded = shape.family().isTabled();
    int trained = known.number("max_position_embeddings", 1, Integer.MAX_VALUE).orElse(0);
    return new CachedDecoder(
        CachedBuilder.graph(family, shape, new ModelWeights(model)),
        shape.layers(),
        shape.keyHeads(),
        shape.width(),
        shape.vocabulary(),
        trained,
        isBounded ? trained : 0,
        config.wholeNumbers("eos_token_id"),
        shape.ropes().stream()
            .map(rope -> new Rotation(rope.turned(), rope.amplitude(), rope::frequencies))
            .toList(),
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
    if (positions > 0 && length + (long) tokens.length > positions) {
      throw new InputException(
          "a sequence of " + (length + (long) tokens.length) + " tokens is too long",
          "the model knows " + positions + " positions");
    }
    if (length + (long) tokens.length > longest) {
      throw new InputException(
          "a sequence of " + (length + (long) tokens.length) + " tokens is too long",
          "read at most " + longest + " tokens, or open the decoder for more");
    }
  }
}
