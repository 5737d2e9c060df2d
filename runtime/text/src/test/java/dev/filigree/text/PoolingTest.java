package dev.filigree.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Folders as sentence-transformers and Hugging Face lay them out. */
final class PoolingTest {
  private static final List<String> TEXTS = List.of(Sentences.EATING_FOOD, "The sky is blue.");

  @TempDir private Path folder;

  @BeforeEach
  void links() throws IOException {
    Path model = MiniLm.DENSE.file().toAbsolutePath();
    Path tokenizer = MiniLm.DENSE.tokenizer().toAbsolutePath();
    Files.createDirectories(folder.resolve("onnx"));
    Files.createSymbolicLink(folder.resolve("onnx/model.onnx"), model);
    Files.createSymbolicLink(folder.resolve(Model.TOKENIZER), tokenizer);
    Files.createDirectories(folder.resolve("1_Pooling"));
  }

  private void pooling(String json) throws IOException {
    Files.writeString(folder.resolve("1_Pooling/config.json"), json);
  }

  private Model open() {
    return Model.open(folder.resolve("onnx/model.onnx"));
  }

  private double[] expected(SentenceEncoder encoder, int token) {
    SentenceModel.Batch batch = encoder.batch(TEXTS);
    Tensor hidden = encoder.session().run(batch.inputs()).values().iterator().next();
    int features = (int) hidden.shape().extent(2);
    double[] vector = new double[features];
    double squares = 0;
    for (int f = 0; f < features; f++) {
      vector[f] = hidden.getDouble((long) token * features + f);
      squares += vector[f] * vector[f];
    }
    for (int f = 0; f < features; f++) {
      vector[f] /= Math.sqrt(squares);
    }
    return vector;
  }

  private void assertTakes(int token) {
    try (Model model = open();
        SentenceEncoder encoder =
            SentenceEncoder.open(model, SessionOptions.defaults(), EncoderOptions.DEFAULTS)) {
      double[] expected =
          expected(encoder, token < 0 ? encoder.batch(TEXTS).tokens()[0] + token : token);
      float[] actual = encoder.embed(TEXTS)[0];
      for (int f = 0; f < actual.length; f++) {
        assertEquals(expected[f], actual[f], 1e-5);
      }
    }
  }

  @Test
  void clsTakesTheFirstTokenInTheOldFormOfTheFile() throws IOException {
    pooling("{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}");
    assertTakes(0);
  }

  @Test
  void lasttokenTakesTheLastThatIsNoPaddingInTheNewForm() throws IOException {
    pooling("{\"embedding_dimension\": 384, \"pooling_mode\": \"lasttoken\"}");
    assertTakes(-1);
  }

  @Test
  void whatIsPooledOtherwiseIsRefusedByName() throws IOException {
    pooling("{\"pooling_mode\": \"weightedmean\"}");
    try (Model model = open()) {
      UnsupportedException refused =
          assertThrows(UnsupportedException.class, () -> SentenceEncoder.open(model));
      assertTrue(refused.getMessage().contains("'weightedmean'"), refused.getMessage());
    }
    pooling("{\"pooling_mode_mean_tokens\": true}");
    Files.createDirectories(folder.resolve("2_Dense"));
    try (Model model = open()) {
      UnsupportedException refused =
          assertThrows(UnsupportedException.class, () -> SentenceEncoder.open(model));
      assertTrue(refused.getMessage().contains("'mean+dense'"), refused.getMessage());
    }
  }

  @Test
  void aFileThatNamesNoWayIsDamaged() throws IOException {
    pooling("{\"word_embedding_dimension\": 384}");
    assertThrows(FormatException.class, this::open);
  }
}
