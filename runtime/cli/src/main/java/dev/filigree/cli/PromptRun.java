package dev.filigree.cli;

import dev.filigree.DecoderOptions;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.SessionOptions;
import dev.filigree.text.Generation;
import dev.filigree.text.Sampling;
import dev.filigree.text.TextGenerator;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Options and work of {@code run --prompt}: goes on writing a text. */
final class PromptRun {
  @Option(names = "--prompt", paramLabel = "TEXT", description = "A text to go on writing.")
  private String prompt;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      description = "Tokens to write at most (default: 128).")
  private Integer maxTokens;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      description = "Divisor of the scores; 0 always takes the likeliest (default: 0).")
  private Double temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Consider that many likeliest tokens (default: all).")
  private Integer topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Consider the likeliest tokens up to that probability (default: 1).")
  private Double topP;

  @Option(
      names = "--seed",
      paramLabel = "S",
      description = "Seed of the random numbers (default: 0).")
  private Long seed;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Tokens that are read and written at most (default: 4096).")
  private Integer context;

  /** Whether a prompt was given; refuses options that mean nothing without. */
  boolean isWanted() {
    boolean options =
        maxTokens != null
            || temperature != null
            || topK != null
            || topP != null
            || seed != null
            || context != null;
    if (prompt == null && options) {
      throw new UsageException(
          "--max-tokens, --temperature, --top-k, --top-p, --seed and --context belong to"
              + " --prompt; pass a text");
    }
    if (prompt != null && prompt.isBlank()) {
      throw new UsageException("--prompt is empty; pass a text");
    }
    return prompt != null;
  }

  private Sampling sampling() {
    try {
      Sampling sampling = Sampling.greedy();
      sampling = maxTokens == null ? sampling : sampling.withMaxTokens(maxTokens);
      sampling = temperature == null ? sampling : sampling.withTemperature(temperature);
      sampling = topK == null ? sampling : sampling.withTopK(topK);
      sampling = topP == null ? sampling : sampling.withTopP(topP);
      return seed == null ? sampling : sampling.withSeed(seed);
    } catch (InputException wrong) {
      throw usage(wrong);
    }
  }

  private DecoderOptions decoding(SessionOptions session) {
    try {
      DecoderOptions options = DecoderOptions.defaults().withSession(session);
      return context == null ? options : options.withLongest(context);
    } catch (InputException wrong) {
      throw usage(wrong);
    }
  }

  /** What is wrong with an option, by the name it has on the command line. */
  private static UsageException usage(InputException wrong) {
    String message = wrong.getMessage();
    for (String[] name :
        new String[][] {
          {"maxTokens", "--max-tokens"},
          {"temperature", "--temperature"},
          {"topK", "--top-k"},
          {"topP", "--top-p"},
          {"longest", "--context"}
        }) {
      message = message.replaceFirst("^option " + name[0], name[1]);
    }
    return new UsageException(message);
  }

  /**
   * Writes a text and prints it, piece by piece where people read it.
   *
   * @param name of the model as the user wrote it
   * @param file of the model, compressed if a recipe was asked for
   */
  void run(
      String name,
      Path file,
      SessionOptions session,
      boolean json,
      ProgressBars progress,
      PrintWriter out) {
    Sampling sampling = sampling();
    try (Model model = Model.open(file);
        TextGenerator generator = TextGenerator.open(model, decoding(session))) {
      progress.finish();
      Generation written =
          generator.generate(
              prompt,
              sampling,
              piece -> {
                if (!json) {
                  out.print(piece);
                  out.flush();
                }
                return true;
              });
      if (json) {
        Output.json(out, document(name, model, generator, written));
        return;
      }
      out.println();
      out.println();
      out.println(summary(name, model, generator, session, written));
    }
  }

  private static String summary(
      String name,
      Model model,
      TextGenerator generator,
      SessionOptions session,
      Generation written) {
    double rate = written.tokensPerSecond();
    return Output.format(
        "%s, %s, on %s (%s, %d threads): %d tokens read in %.1f ms, %d written%s, %s of cache a"
            + " token",
        name,
        Models.recipe(model),
        generator.decoder().device(),
        generator.decoder().kernels(),
        session.threads(),
        written.prompt().size(),
        written.promptMillis(),
        written.tokens().size(),
        Double.isNaN(rate) ? "" : Output.format(" at %.1f a second", rate),
        Output.bytes(Math.round(generator.decoder().bytesPerToken())));
  }

  private ObjectNode document(
      String name, Model model, TextGenerator generator, Generation written) {
    ObjectNode document = Output.JSON.createObjectNode();
    document.put("model", name);
    document.put("device", generator.decoder().device().toString());
    document.put("recipe", Models.recipe(model));
    document.put("prompt", prompt);
    document.put("promptTokens", written.prompt().size());
    document.put("text", written.text());
    ArrayNode tokens = document.putArray("tokens");
    written.tokens().forEach(token -> tokens.add(token.longValue()));
    document.put("end", written.end().name().toLowerCase(Locale.ROOT));
    document.put("promptMillis", written.promptMillis());
    document.put("elapsedMillis", written.promptMillis() + written.writeMillis());
    if (!Double.isNaN(written.tokensPerSecond())) {
      document.put("tokensPerSecond", written.tokensPerSecond());
    }
    document.put("weightBytes", model.weightBytes());
    document.put("cacheBytesPerToken", generator.decoder().bytesPerToken());
    return document;
  }
}
