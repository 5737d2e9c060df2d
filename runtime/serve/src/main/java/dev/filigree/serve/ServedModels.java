package dev.filigree.serve;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.serving.ModelHost;
import dev.filigree.serving.ModelLease;
import dev.filigree.text.EncoderOptions;
import dev.filigree.text.SentenceModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The models of a server by name, text encoders with their tokenizers. Thread-safe. */
final class ServedModels implements AutoCloseable {
  private static final String NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}";

  /** A text whose tokens, padded, are the shortest that texts usually have. */
  private static final String WARM_TEXT = "A man is eating a piece of bread.";

  private final ModelHost host;
  private final EncoderOptions encoding;
  private final int maxBatch;
  private final Map<String, Path> files = new ConcurrentHashMap<>();

  ServedModels(ModelHost host, EncoderOptions encoding, int maxBatch) {
    this.host = host;
    this.encoding = encoding;
    this.maxBatch = maxBatch;
  }

  ModelHost host() {
    return host;
  }

  /** Opens a model, or replaces the one of that name; see {@link ModelHost#load}. */
  int load(String name, Path file) {
    if (!name.matches(NAME)) {
      throw new InputException(
          "'" + Text.shown(name) + "' is no name for a model in an address",
          "use letters, digits, dot, underscore and hyphen, for example NAME=" + file);
    }
    int version = host.load(name, file, new Prepared());
    files.put(name, file);
    return version;
  }

  /** Reads the file of a model anew and lets it take over. */
  int reload(String name) {
    Path file = files.get(name);
    if (file == null) {
      throw unknown(name);
    }
    return host.load(name, file, new Prepared());
  }

  /**
   * The version that serves a name now.
   *
   * @throws HttpFailure if there is none
   */
  ModelLease lease(String name) {
    check(name);
    return host.lease(name);
  }

  /**
   * Makes sure that a name is served.
   *
   * @throws HttpFailure if it is not
   */
  void check(String name) {
    if (!host.has(name)) {
      throw unknown(name);
    }
  }

  private HttpFailure unknown(String name) {
    return new HttpFailure(
        404, "no model '" + Text.shown(name) + "' is served; use one of " + files.keySet());
  }

  /** Tokenizer and warm-up of text encoders; other models are served as they are. */
  private final class Prepared implements ModelHost.Preparation {
    private SentenceModel sentences;

    @Override
    public AutoCloseable companion(Model model) {
      sentences = SentenceModel.fits(model) ? SentenceModel.open(model, encoding) : null;
      return sentences;
    }

    @Override
    public List<Map<String, Tensor>> warmUp(Model model) {
      List<Map<String, Tensor>> inputs = new ArrayList<>();
      if (sentences != null) {
        inputs.add(sentences.inputs(List.of(WARM_TEXT)));
        inputs.add(sentences.inputs(Collections.nCopies(maxBatch, WARM_TEXT)));
      }
      return inputs;
    }
  }

  @Override
  public void close() {
    host.close();
  }
}
