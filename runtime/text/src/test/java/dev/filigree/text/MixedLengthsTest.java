package dev.filigree.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.Batcher;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests of texts of different length that run together, on the real MiniLM. */
@Timeout(120)
final class MixedLengthsTest {
  private static final String OUTPUT = "last_hidden_state";

  /** What a text encoder takes of one text of made-up tokens. */
  private static Map<String, Tensor> text(Model model, int length, SplittableRandom random) {
    Map<String, Tensor> inputs = new HashMap<>();
    model
        .inputs()
        .forEach(
            input -> {
              long[] values = new long[length];
              for (int i = 0; i < length; i++) {
                values[i] =
                    switch (input.name()) {
                      case "input_ids" -> random.nextInt(1000, 20_000);
                      case "attention_mask" -> 1;
                      default -> 0;
                    };
              }
              inputs.put(input.name(), Tensor.of(values, 1, length));
            });
    return inputs;
  }

  @Test
  void everyTextGetsWhatItGetsAlone() throws Exception {
    SplittableRandom random = new SplittableRandom(5);
    try (Model model = Model.open(MiniLm.DENSE.file());
        Session session = model.session(SessionOptions.defaults());
        Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      List<Map<String, Tensor>> texts = new ArrayList<>();
      for (int length : new int[] {300, 1, 2, 17, 31, 32, 33, 64, 5, 9, 128, 127, 24, 3, 16, 510}) {
        texts.add(text(model, length, random));
        texts.add(text(model, random.nextInt(1, 40), random));
      }
      for (int round = 0; round < 3; round++) {
        List<CompletableFuture<Map<String, Tensor>>> answers = new ArrayList<>();
        for (Map<String, Tensor> text : texts) {
          answers.add(batcher.submit(text));
        }
        for (int i = 0; i < texts.size(); i++) {
          Tensor expected = session.run(texts.get(i)).get(OUTPUT);
          Tensor found = answers.get(i).get().get(OUTPUT);
          assertArrayEquals(expected.shape().extents(), found.shape().extents());
          assertArrayEquals(expected.toFloats(), found.toFloats(), 1e-4f, "text " + i);
        }
      }
      assertTrue(batcher.statistics().batches() < 3 * texts.size(), "texts ran together");
    }
  }
}
