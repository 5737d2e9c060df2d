package dev.filigree.benchmarks;

import dev.filigree.Precision;
import dev.filigree.SessionOptions;
import dev.filigree.langchain4j.FiligreeEmbeddingModel;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.onnx.allminilml6v2.AllMiniLmL6V2EmbeddingModel;
import dev.langchain4j.store.embedding.CosineSimilarity;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Compares LangChain4j's in-process MiniLM, which runs one text at a time on ONNX Runtime, with
 * Filigree's in batches, dense and by recipes. All embed the same texts with the threads they take
 * by themselves, in turns; a ratio is the median of the ratios of each round. Beside them stands
 * what the processors could do at most: the multiply-adds of all linear layers at the peak that a
 * thread for each processor reaches in the same rounds.
 */
public final class EmbeddingComparison {
  private static final int TEXTS = 1000;
  private static final int ROUNDS = 7;

  /** Multiply-adds of a token in MiniLM: six layers of four 384x384 and two 384x1536 products. */
  private static final double MULTIPLY_ADDS = 6 * (4.0 * 384 * 384 + 2 * 384 * 1536);

  /** Steps of {@link Peak#multiplyAdd}: some hundredths of a second. */
  private static final int PEAK_STEPS = 1 << 22;

  private static final List<String> FILES =
      List.of("all-minilm-l6-v2.onnx", "all-minilm-l6-v2-tokenizer.json");

  private EmbeddingComparison() {}

  /**
   * A file of sentences, one a line; then recipes, {@code int8} and {@code 2:4} if none. {@code
   * dense@bf16} is the recipe {@code dense} at precision bf16.
   */
  public static void main(String[] args) throws IOException {
    List<TextSegment> texts = texts(Files.readAllLines(Path.of(args[0])));
    List<String> recipes =
        args.length > 1 ? List.of(args).subList(1, args.length) : List.of("int8", "2:4");
    Path folder = Files.createTempDirectory("filigree-comparison");
    Map<String, EmbeddingModel> models = new LinkedHashMap<>();
    List<FiligreeEmbeddingModel> ours = new ArrayList<>();
    try {
      for (String file : FILES) {
        try (InputStream in = EmbeddingComparison.class.getResourceAsStream("/" + file)) {
          Files.copy(in, folder.resolve(file));
        }
      }
      models.put("langchain4j, onnx", new AllMiniLmL6V2EmbeddingModel());
      Path model = folder.resolve(FILES.getFirst());
      ours.add(FiligreeEmbeddingModel.of(model));
      models.put("filigree, dense", ours.getLast());
      for (String recipe : recipes) {
        ours.add(open(model, recipe));
        models.put("filigree, " + recipe, ours.getLast());
      }
      compare(models, texts);
    } finally {
      ours.forEach(FiligreeEmbeddingModel::close);
      for (String file : FILES) {
        Files.deleteIfExists(folder.resolve(file));
      }
      Files.delete(folder);
    }
  }

  private static FiligreeEmbeddingModel open(Path model, String recipeAndPrecision) {
    String[] parts = recipeAndPrecision.split("@");
    SessionOptions session = SessionOptions.defaults();
    return FiligreeEmbeddingModel.builder(model)
        .recipe(parts[0])
        .session(parts.length == 1 ? session : session.withPrecision(Precision.parse(parts[1])))
        .build();
  }

  /** A thousand texts of one to three sentences. */
  static List<TextSegment> texts(List<String> sentences) {
    List<String> usable = sentences.stream().filter(line -> !line.isBlank()).toList();
    List<TextSegment> texts = new ArrayList<>();
    for (int i = 0; i < TEXTS; i++) {
      StringBuilder text = new StringBuilder(usable.get(i % usable.size()));
      for (int more = 0; more < i / usable.size() % 3; more++) {
        text.append(' ')
            .append(usable.get((i * 7 + more * 13 + i / usable.size()) % usable.size()));
      }
      texts.add(TextSegment.from(text.toString()));
    }
    return texts;
  }

  private static void compare(Map<String, EmbeddingModel> models, List<TextSegment> texts) {
    List<EmbeddingModel> candidates = List.copyOf(models.values());
    List<List<Embedding>> vectors = new ArrayList<>();
    for (EmbeddingModel candidate : candidates) {
      // twice: what is compiled in the first run is fast in the second
      candidate.embedAll(texts);
      vectors.add(candidate.embedAll(texts).content());
    }
    double[][] times = new double[candidates.size()][ROUNDS];
    double[] peaks = new double[ROUNDS];
    peak();
    for (int round = 0; round < ROUNDS; round++) {
      for (int i = 0; i < candidates.size(); i++) {
        int turn = round % 2 == 0 ? i : candidates.size() - 1 - i;
        long start = System.nanoTime();
        candidates.get(turn).embedAll(texts);
        times[turn][round] = (System.nanoTime() - start) / 1e9;
      }
      peaks[round] = peak();
    }
    System.out.printf("%-32s %9s %7s %12s%n", "", "texts/s", "times", "mean cosine");
    int row = 0;
    for (String name : models.keySet()) {
      double[] ratios = new double[ROUNDS];
      for (int round = 0; round < ROUNDS; round++) {
        ratios[round] = times[0][round] / times[row][round];
      }
      System.out.printf(
          Locale.ROOT,
          "%-32s %9.0f %6.2fx %12.4f%n",
          name,
          texts.size() / Percentiles.median(times[row]),
          Percentiles.median(ratios),
          cosine(vectors.get(0), vectors.get(row)));
      row++;
    }
    // of Filigree's own model: it counts as many as it computes
    int tokens = candidates.get(1).embedAll(texts).tokenUsage().totalTokenCount();
    double[] shares = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      shares[round] = 2 * MULTIPLY_ADDS * tokens / peaks[round] / times[1][round];
    }
    System.out.printf(
        Locale.ROOT,
        "%d tokens; at the peak of %.0f GFLOP/s their linear layers take %.2f s, %.0f texts/s;"
            + " dense runs at %.0f %% of that%n",
        tokens,
        Percentiles.median(peaks) / 1e9,
        2 * MULTIPLY_ADDS * tokens / Percentiles.median(peaks),
        texts.size() * Percentiles.median(peaks) / (2 * MULTIPLY_ADDS * tokens),
        100 * Percentiles.median(shares));
  }

  /** Floating-point operations a second of a thread for each processor. */
  private static double peak() {
    int threads = Runtime.getRuntime().availableProcessors();
    long start = System.nanoTime();
    double sum =
        IntStream.range(0, threads)
            .parallel()
            .mapToDouble(i -> Peak.multiplyAdd(PEAK_STEPS, 0.5f, 0.25f))
            .sum();
    double seconds = (System.nanoTime() - start) / 1e9;
    if (sum <= 0) {
      throw new AssertionError("the chains are sums of what is positive");
    }
    return threads * Peak.flops(PEAK_STEPS) / seconds;
  }

  private static double cosine(List<Embedding> expected, List<Embedding> actual) {
    double sum = 0;
    for (int i = 0; i < expected.size(); i++) {
      sum += CosineSimilarity.between(expected.get(i), actual.get(i));
    }
    return sum / expected.size();
  }
}
