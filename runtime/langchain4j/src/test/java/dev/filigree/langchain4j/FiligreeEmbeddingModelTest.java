package dev.filigree.langchain4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.SessionOptions;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.MiniLm;
import dev.filigree.testing.OnnxModel;
import dev.filigree.text.EncoderOptions;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.onnx.OnnxEmbeddingModel;
import dev.langchain4j.model.embedding.onnx.PoolingMode;
import dev.langchain4j.model.embedding.request.EmbeddingRequest;
import dev.langchain4j.model.embedding.response.EmbeddingResponse;
import dev.langchain4j.model.output.Response;
import dev.langchain4j.store.embedding.CosineSimilarity;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FiligreeEmbeddingModelTest {
  /** Texts of many lengths, so that batches are sorted and put back in order. */
  private static final List<TextSegment> SEGMENTS =
      IntStream.range(0, 70)
          .mapToObj(i -> TextSegment.from("Text " + i + " says" + " something".repeat(i * 7 % 40)))
          .toList();

  @Test
  void vectorsAreThoseOfTheModelThatLangChainRunsItself() {
    EmbeddingModel peer =
        new OnnxEmbeddingModel(
            MiniLm.encoder(),
            MiniLm.unpacked("all-minilm-l6-v2-tokenizer.json"),
            PoolingMode.MEAN,
            Runnable::run);
    try (FiligreeEmbeddingModel model = FiligreeEmbeddingModel.of(MiniLm.encoder())) {
      List<Embedding> expected = peer.embedAll(SEGMENTS).content();
      List<Embedding> actual = model.embedAll(SEGMENTS).content();
      for (int i = 0; i < SEGMENTS.size(); i++) {
        assertArrayEquals(expected.get(i).vector(), actual.get(i).vector(), 2e-5f, "text " + i);
      }
      assertEquals(384, model.dimension());
      assertEquals("all-minilm-l6-v2", model.modelName());
    }
  }

  @Test
  void tokensAreCountedWithTheSpecialOnes() {
    try (FiligreeEmbeddingModel model = FiligreeEmbeddingModel.of(MiniLm.encoder())) {
      Response<Embedding> one = model.embed("A man is eating food.");
      assertEquals(8, one.tokenUsage().inputTokenCount());
      assertTrue(model.embedAll(List.of()).content().isEmpty());
    }
  }

  @Test
  void aRecipeCompressesInMemoryAndIsNamed() {
    try (FiligreeEmbeddingModel dense = FiligreeEmbeddingModel.of(MiniLm.encoder());
        FiligreeEmbeddingModel int8 =
            FiligreeEmbeddingModel.builder(MiniLm.encoder()).recipe("int8").build()) {
      assertEquals("all-minilm-l6-v2 (int8)", int8.modelName());
      Embedding plain = dense.embed("A man is eating food.").content();
      Embedding small = int8.embed("A man is eating food.").content();
      double cosine = CosineSimilarity.between(plain, small);
      assertTrue(cosine > 0.999 && cosine < 1, "cosine " + cosine);
    }
  }

  @Test
  void manyCallersAtOnceGetTheirOwnAnswers() throws Exception {
    try (FiligreeEmbeddingModel model = FiligreeEmbeddingModel.of(MiniLm.encoder())) {
      List<Embedding> expected = model.embedAll(SEGMENTS).content();
      List<CompletableFuture<EmbeddingResponse>> answers = new ArrayList<>();
      for (TextSegment segment : SEGMENTS) {
        answers.add(model.embedAsync(EmbeddingRequest.builder().textSegment(segment).build()));
      }
      for (int i = 0; i < answers.size(); i++) {
        EmbeddingResponse answer = answers.get(i).get();
        assertEquals("all-minilm-l6-v2", answer.metadata().modelName());
        assertArrayEquals(expected.get(i).vector(), answer.embeddings().getFirst().vector(), 1e-5f);
      }
    }
  }

  @Test
  void aTextTooLongIsRefusedOrCut() {
    String endless = "word ".repeat(600);
    try (FiligreeEmbeddingModel strict = FiligreeEmbeddingModel.of(MiniLm.encoder());
        FiligreeEmbeddingModel cutting =
            FiligreeEmbeddingModel.builder(MiniLm.encoder())
                .session(SessionOptions.defaults().withThreads(1))
                .encoder(EncoderOptions.DEFAULTS.withTruncation())
                .build()) {
      InputException refused = assertThrows(InputException.class, () -> strict.embed(endless));
      assertTrue(refused.getMessage().contains("512"), refused.getMessage());
      ExecutionException later =
          assertThrows(
              ExecutionException.class,
              () ->
                  strict
                      .embedAsync(
                          EmbeddingRequest.builder().textSegment(TextSegment.from(endless)).build())
                      .get());
      assertTrue(later.getCause() instanceof InputException, "" + later.getCause());
      assertEquals(512, cutting.embed(endless).tokenUsage().inputTokenCount());
    }
  }

  @Test
  void otherModelsAndUnknownRecipesAreRefused(@TempDir Path folder) {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "3")
            .output("y", DType.F32, "batch", "3")
            .node("Relu", "y", "x")
            .write(folder.resolve("relu.onnx"));
    UnsupportedException other =
        assertThrows(UnsupportedException.class, () -> FiligreeEmbeddingModel.of(file));
    assertTrue(other.getMessage().contains("relu.onnx"), other.getMessage());
    assertThrows(InputException.class, () -> FiligreeEmbeddingModel.builder(file).recipe("in8"));
  }

  @Test
  void aClosedModelSaysSo() {
    FiligreeEmbeddingModel model = FiligreeEmbeddingModel.of(MiniLm.encoder());
    model.close();
    model.close();
    assertThrows(IllegalStateException.class, () -> model.embed("text"));
  }
}
