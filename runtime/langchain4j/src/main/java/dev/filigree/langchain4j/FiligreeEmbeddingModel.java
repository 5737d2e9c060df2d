package dev.filigree.langchain4j;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Compression;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Recipe;
import dev.filigree.text.EncoderOptions;
import dev.filigree.text.SentenceEncoder;
import dev.filigree.text.SentenceModel;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.request.EmbeddingInput;
import dev.langchain4j.model.embedding.request.EmbeddingRequest;
import dev.langchain4j.model.embedding.response.EmbeddingResponse;
import dev.langchain4j.model.embedding.response.EmbeddingResponseMetadata;
import dev.langchain4j.model.output.Response;
import dev.langchain4j.model.output.TokenUsage;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Embeds texts for LangChain4j with any encoder model that Filigree runs, compressed by any recipe
 * that needs no calibration, or by a {@code .filigree} file of any other. Texts of one call run in
 * batches of similar length. Thread-safe; calls of many threads run side by side.
 */
public final class FiligreeEmbeddingModel implements EmbeddingModel, AutoCloseable {
  private final Model model;
  private final SentenceEncoder encoder;
  private final String name;
  private final int dimension;
  private final ExecutorService asynchronous = Executors.newVirtualThreadPerTaskExecutor();

  private FiligreeEmbeddingModel(Model model, SentenceEncoder encoder, String name) {
    this.model = model;
    this.encoder = encoder;
    this.name = name;
    this.dimension = encoder.embed(List.of("dimension"))[0].length;
  }

  /**
   * An embedding model of a file, as it is.
   *
   * @param file a {@code .filigree} or {@code .onnx} file with its tokenizer, or a checkpoint's
   *     folder
   * @throws dev.filigree.FiligreeException if it cannot be opened or is no text encoder
   */
  public static FiligreeEmbeddingModel of(Path file) {
    return builder(file).build();
  }

  /** Settings of an embedding model of a file. */
  public static Builder builder(Path file) {
    return new Builder(file);
  }

  /** Collects settings. Not thread-safe. */
  public static final class Builder {
    private final Path file;
    private Recipe recipe;
    private SessionOptions session = SessionOptions.defaults();
    private EncoderOptions options = EncoderOptions.DEFAULTS;

    private Builder(Path file) {
      this.file = file;
    }

    /**
     * Compresses the model in memory when it is built.
     *
     * @param name of a recipe, for example {@code int8}
     * @throws InputException if there is no such recipe
     */
    public Builder recipe(String name) {
      return recipe(Recipe.named(name));
    }

    /** Compresses the model in memory when it is built. */
    public Builder recipe(Recipe wanted) {
      this.recipe = wanted;
      return this;
    }

    /** Device, threads and runs at the same time. */
    public Builder session(SessionOptions wanted) {
      this.session = wanted;
      return this;
    }

    /** Texts that run together, and whether those too long for the model are cut. */
    public Builder encoder(EncoderOptions wanted) {
      this.options = wanted;
      return this;
    }

    /**
     * Opens the model.
     *
     * @throws dev.filigree.FiligreeException if it cannot be opened or compressed or is no text
     *     encoder
     */
    public FiligreeEmbeddingModel build() {
      Model model = recipe == null ? Model.open(file) : compressed();
      SentenceEncoder encoder = null;
      try {
        encoder = SentenceEncoder.open(model, session, options);
        return new FiligreeEmbeddingModel(model, encoder, name(model));
      } catch (RuntimeException | Error failed) {
        if (encoder != null) {
          encoder.close();
        }
        model.close();
        throw failed;
      }
    }

    private Model compressed() {
      try (Model original = Model.open(file)) {
        Compression compression =
            Compressor.compress(original, recipe, session.threads(), Progress.NONE);
        return compression.toModel();
      }
    }

    private String name(Model model) {
      return recipe == null ? model.name() : model.name() + " (" + recipe.name() + ")";
    }
  }

  /**
   * @return a vector of length 1 for each segment, in their order, and the tokens that were
   *     computed, special tokens included
   * @throws InputException if a text is longer than the model's limit and is not to be cut
   */
  @Override
  public Response<List<Embedding>> embedAll(List<TextSegment> segments) {
    List<String> texts = segments.stream().map(TextSegment::text).toList();
    SentenceModel.Embedded embedded = encoder.embedded(texts, Progress.NONE);
    List<Embedding> vectors = Arrays.stream(embedded.vectors()).map(Embedding::from).toList();
    return Response.from(vectors, new TokenUsage(embedded.tokens()));
  }

  @Override
  public EmbeddingResponse doEmbed(EmbeddingRequest request) {
    List<TextSegment> segments =
        request.inputs().stream().map(EmbeddingInput::text).map(TextSegment::from).toList();
    Response<List<Embedding>> response = embedAll(segments);
    return EmbeddingResponse.builder()
        .embeddings(response.content())
        .metadata(
            EmbeddingResponseMetadata.builder()
                .modelName(name)
                .tokenUsage(response.tokenUsage())
                .build())
        .build();
  }

  /** Runs on a virtual thread; a call that was cancelled before it began never runs. */
  @Override
  public CompletableFuture<EmbeddingResponse> doEmbedAsync(EmbeddingRequest request) {
    return CompletableFuture.supplyAsync(() -> doEmbed(request), asynchronous);
  }

  @Override
  public int dimension() {
    return dimension;
  }

  /** The model's name and its recipe. */
  @Override
  public String modelName() {
    return name;
  }

  /** Waits for the calls that go on and frees the model. May be called again. */
  @Override
  public void close() {
    asynchronous.close();
    encoder.close();
    model.close();
  }
}
