package dev.filigree.text;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import dev.filigree.spi.Runner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.function.UnaryOperator;

/**
 * What a text encoder such as all-MiniLM-L6-v2 takes and makes, whatever runs it: tokenises, makes
 * batches of similar length, makes one vector of those of the tokens and scales it to length 1 (as
 * sentence-transformers does; a model whose output is one vector a text is only scaled). How is
 * what the model's folder says ({@code 1_Pooling}), their mean if it says nothing. Thread-safe.
 */
public final class SentenceModel implements AutoCloseable {
  static final String IDS = "input_ids";
  static final String MASK = Runner.MASK;
  private static final String TYPES = "token_type_ids";

  /** Length where the search for a model's limit ends. */
  private static final int LONGEST = 1 << 16;

  private final Model model;
  private final Tokenizer tokenizer;
  private final EncoderOptions options;
  private final ValueInfo output;
  private final Pooling pooling;
  private final int limit;

  private SentenceModel(Model model, Tokenizer tokenizer, EncoderOptions options, int limit) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.options = options;
    this.output = model.outputs().getFirst();
    this.pooling = Pooling.of(model);
    this.limit = limit;
  }

  /**
   * Texts that were encoded.
   *
   * @param vectors of length 1, one for each text in their order
   * @param tokens that were computed, special tokens included, padding not
   */
  public record Embedded(float[][] vectors, int tokens) {}

  /**
   * Texts that run together.
   *
   * @param inputs of the model by name, each {@code [texts, length]}
   * @param tokens of each text, without padding
   */
  public record Batch(Map<String, Tensor> inputs, int[] tokens) {}

  /** Whether a model takes and makes what a text encoder does, and has a tokenizer. */
  public static boolean fits(Model model) {
    return isEncoder(model) && model.documents().containsKey(Model.TOKENIZER);
  }

  /**
   * Opens the tokenizer of a model.
   *
   * @param model a text encoder with its tokenizer; must stay open as long as this is used
   * @throws UnsupportedException if the model is no text encoder
   * @throws dev.filigree.FormatException if it has no tokenizer
   */
  public static SentenceModel open(Model model, EncoderOptions options) {
    check(model);
    // reading a vocabulary takes as long as making a graph ready for planning: both at once
    Future<Tokenizer> reading = Callers.beside(() -> Tokenizer.of(model));
    int limit;
    try {
      limit = limit(model);
    } catch (RuntimeException | Error failed) {
      Callers.await(reading).close();
      throw failed;
    }
    return new SentenceModel(model, Callers.await(reading), options, limit);
  }

  private static boolean isEncoder(Model model) {
    List<String> names = model.inputs().stream().map(ValueInfo::name).toList();
    boolean known = List.of(IDS, MASK, TYPES).containsAll(names) && names.contains(IDS);
    boolean twoAxes =
        model.inputs().stream()
            .allMatch(
                input ->
                    input.dtype() == DType.I64 && input.dims() != null && input.dims().size() == 2);
    ValueInfo first = model.outputs().getFirst();
    boolean vectors =
        first.dtype() == DType.F32
            && first.dims() != null
            && (first.dims().size() == 2 || first.dims().size() == 3);
    return known && twoAxes && vectors;
  }

  /**
   * Refuses a model that is no text encoder.
   *
   * @throws UnsupportedException if it is none
   */
  static void check(Model model) {
    if (!isEncoder(model)) {
      throw new UnsupportedException(
          model.path()
              + " is no text encoder: it takes "
              + model.inputs()
              + " and makes "
              + model.outputs(),
          "use a model that takes "
              + IDS
              + ", "
              + MASK
              + " and "
              + TYPES
              + " as i64 [batch, sequence], or pass tensors with --input");
    }
  }

  /** The longest sequence the model takes, from its own shapes. */
  private static int limit(Model model) {
    ValueInfo ids =
        model.inputs().stream().filter(input -> input.name().equals(IDS)).findFirst().orElseThrow();
    Dim length = ids.dims().get(1);
    return length.isKnown() ? (int) length.value() : model.longest(length.toString(), LONGEST);
  }

  /** Tokens of the longest text it takes, special tokens included. */
  public int limit() {
    return limit;
  }

  /**
   * Encodes texts, one batch after the other.
   *
   * @param run runs the model on one batch: inputs to outputs, both by name
   * @param progress hears how many texts are done
   * @throws InputException if a text is longer than the model's limit and is not to be cut
   */
  public Embedded embed(
      List<String> texts, UnaryOperator<Map<String, Tensor>> run, Progress progress) {
    return embed(texts, run, progress, 1);
  }

  /**
   * Encodes texts, several batches at a time: where each has a processor to itself, none waits for
   * another at the end of every layer.
   *
   * @param run runs the model on one batch; called by several threads at once
   * @param progress hears how many texts are done
   * @param callers threads that run batches, the calling one included
   * @throws InputException if a text is longer than the model's limit and is not to be cut
   */
  public Embedded embed(
      List<String> texts, UnaryOperator<Map<String, Tensor>> run, Progress progress, int callers) {
    Tokenizer.Tokens[] tokens = texts.isEmpty() ? new Tokenizer.Tokens[0] : tokens(texts);
    float[][] vectors = new float[tokens.length][];
    // the longest first, so that what is left at the end, when threads run out of work, is short
    List<List<Integer>> batches = batches(tokens).reversed();
    int[] done = {0};
    Callers.each(
        batches,
        callers,
        batch -> {
          Batch together = batch(tokens, batch);
          float[][] found = vectors(together, run.apply(together.inputs()));
          synchronized (done) {
            for (int row = 0; row < found.length; row++) {
              vectors[batch.get(row)] = found[row];
            }
            done[0] += batch.size();
            progress.at("embedding", done[0], tokens.length);
          }
        });
    return new Embedded(
        vectors, Arrays.stream(tokens).mapToInt(Tokenizer.Tokens::count).reduce(0, Math::addExact));
  }

  private Tokenizer.Tokens[] tokens(List<String> texts) {
    Tokenizer.Tokens[] tokens = tokenizer.encode(texts);
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i].count() > limit) {
        if (!options.truncate()) {
          throw new InputException(
              "text "
                  + (i + 1)
                  + " has "
                  + tokens[i].count()
                  + " tokens, the model takes at most "
                  + limit,
              "shorten it, split it, or ask for truncation (--truncate)");
        }
        tokens[i] = tokens[i].cut(limit);
      }
    }
    return tokens;
  }

  /** Texts of similar length together, so that little is padding. */
  private List<List<Integer>> batches(Tokenizer.Tokens[] tokens) {
    List<Integer> byLength = new ArrayList<>();
    for (int i = 0; i < tokens.length; i++) {
      byLength.add(i);
    }
    byLength.sort(Comparator.comparingInt(i -> tokens[i].count()));
    List<List<Integer>> batches = new ArrayList<>();
    for (int from = 0; from < byLength.size(); from += options.batch()) {
      batches.add(byLength.subList(from, Math.min(byLength.size(), from + options.batch())));
    }
    return batches;
  }

  /**
   * Inputs of the model for some texts, padded to a length that few batches do not share, so that
   * few shapes are planned.
   *
   * @param texts to run together
   * @throws InputException if a text is longer than the model's limit and is not to be cut
   */
  public Batch batch(List<String> texts) {
    Tokenizer.Tokens[] tokens = tokens(texts);
    List<Integer> all = new ArrayList<>();
    for (int i = 0; i < tokens.length; i++) {
      all.add(i);
    }
    return batch(tokens, all);
  }

  /** Inputs of the model for some texts; see {@link #batch}. */
  public Map<String, Tensor> inputs(List<String> texts) {
    return batch(texts).inputs();
  }

  private Batch batch(Tokenizer.Tokens[] tokens, List<Integer> batch) {
    int longest = batch.stream().mapToInt(i -> tokens[i].count()).max().orElse(1);
    int length = Math.min(limit, bucket(longest));
    long[] ids = new long[batch.size() * length];
    long[] mask = new long[ids.length];
    long[] types = new long[ids.length];
    for (int row = 0; row < batch.size(); row++) {
      Tokenizer.Tokens text = tokens[batch.get(row)];
      System.arraycopy(text.ids(), 0, ids, row * length, text.count());
      System.arraycopy(text.types(), 0, types, row * length, text.count());
      Arrays.fill(mask, row * length, row * length + text.count(), 1);
    }
    Map<String, Tensor> inputs = new LinkedHashMap<>();
    for (ValueInfo input : model.inputs()) {
      long[] values =
          switch (input.name()) {
            case IDS -> ids;
            case MASK -> mask;
            default -> types;
          };
      inputs.put(input.name(), Tensor.of(values, batch.size(), length));
    }
    int[] counts = batch.stream().mapToInt(i -> tokens[i].count()).toArray();
    return new Batch(inputs, counts);
  }

  /**
   * Lengths are rounded up to a multiple of 4, later of 8, 16 and 32: at most a quarter of what is
   * longer than 8 is padding, mostly far less.
   */
  static int bucket(int length) {
    int step = length <= 32 ? 4 : length <= 64 ? 8 : length <= 128 ? 16 : 32;
    return (length + step - 1) / step * step;
  }

  /**
   * The texts' vectors from what the model made of a batch.
   *
   * @param outputs of the model by name
   * @return a vector of length 1 for each text
   */
  public float[][] vectors(Batch batch, Map<String, Tensor> outputs) {
    Tensor result = outputs.get(output.name());
    float[] values = result.toFloats();
    int features = (int) result.shape().extent(-1);
    float[][] vectors = new float[batch.tokens().length][features];
    for (int row = 0; row < vectors.length; row++) {
      if (result.shape().rank() == 2) {
        System.arraycopy(values, row * features, vectors[row], 0, features);
      } else {
        int length = (int) result.shape().extent(1);
        pooling.pool(values, row * length * features, batch.tokens()[row], vectors[row]);
      }
      normalise(vectors[row]);
    }
    return vectors;
  }

  private static void normalise(float[] vector) {
    double squares = 0;
    for (float value : vector) {
      squares += (double) value * value;
    }
    // the floor that sentence-transformers divides by
    float length = (float) Math.max(Math.sqrt(squares), 1e-12);
    for (int i = 0; i < vector.length; i++) {
      vector[i] /= length;
    }
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
