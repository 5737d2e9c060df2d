package dev.filigree.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.inference.Predictor;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.TranslateException;
import dev.filigree.testing.MiniLm;
import dev.filigree.text.SentenceEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SentenceTranslatorTest {
  private static final List<String> TEXTS =
      List.of(
          "A man is eating food.",
          "A man is eating a piece of bread.",
          "The girl is carrying a baby, and because this sentence goes on and on it needs padding"
              + " of the shorter ones when all of them are run together in one batch.");

  private static <I, O> Criteria<I, O> criteria(Class<I> input, Class<O> output) {
    return Criteria.builder()
        .setTypes(input, output)
        .optModelPath(MiniLm.encoder())
        .optEngine(FiligreeEngine.NAME)
        .optTranslatorFactory(new SentenceTranslatorFactory())
        .build();
  }

  @Test
  void textsBecomeTheVectorsOfTheEncoder() throws Exception {
    try (ZooModel<String, float[]> model = criteria(String.class, float[].class).loadModel();
        Predictor<String, float[]> predictor = model.newPredictor();
        dev.filigree.Model plain = dev.filigree.Model.open(MiniLm.encoder());
        SentenceEncoder encoder = SentenceEncoder.open(plain)) {
      float[][] expected = encoder.embed(TEXTS);
      List<float[]> together = predictor.batchPredict(TEXTS);
      for (int i = 0; i < expected.length; i++) {
        assertArrayEquals(expected[i], together.get(i), 1e-5f);
        assertArrayEquals(expected[i], predictor.predict(TEXTS.get(i)), 1e-5f);
      }
      assertEquals(0.7553, SentenceEncoder.cosine(together.get(0), together.get(1)), 5e-5);
    }
  }

  @Test
  void requestsOfTheServerAreAnswered() throws Exception {
    try (ZooModel<Input, Output> model = criteria(Input.class, Output.class).loadModel();
        Predictor<Input, Output> predictor = model.newPredictor()) {
      Input request = new Input();
      request.addProperty("Content-Type", "application/json");
      request.add("{\"inputs\": \"A man is eating food.\"}".getBytes(StandardCharsets.UTF_8));
      Output answer = predictor.predict(request);
      assertEquals(200, answer.getCode(), answer.getMessage());
      String json = answer.getData().getAsString();
      assertEquals(384, json.split(",").length, json);
    }
  }

  @Test
  void aModelOfNoTextsIsRefusedByName(@TempDir Path folder) throws Exception {
    ProductModel.write(folder, "model");
    Criteria<String, float[]> criteria =
        Criteria.builder()
            .setTypes(String.class, float[].class)
            .optModelPath(folder)
            .optEngine(FiligreeEngine.NAME)
            .optTranslatorFactory(new SentenceTranslatorFactory())
            .build();
    try (ZooModel<String, float[]> model = criteria.loadModel();
        Predictor<String, float[]> predictor = model.newPredictor()) {
      TranslateException refused =
          assertThrows(TranslateException.class, () -> predictor.predict("text"));
      assertTrue(refused.getMessage().contains("is no text encoder"), refused.getMessage());
    }
  }
}
