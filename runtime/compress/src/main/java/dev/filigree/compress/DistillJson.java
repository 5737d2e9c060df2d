package dev.filigree.compress;

import dev.filigree.compress.train.Distillation;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The stage that distils, as JSON. What is left out has its default. */
final class DistillJson {
  private static final String BLOCK_EPOCHS = "block_epochs";
  private static final String BLOCK_RATE = "block_rate";
  private static final String MODEL_EPOCHS = "model_epochs";
  private static final String MODEL_RATE = "model_rate";
  private static final String HIDDEN = "hidden";
  private static final String POSITIONS = "positions";
  private static final String SEED = "seed";

  private DistillJson() {}

  static Stage.Distill read(String place, JsonNode body) {
    RecipeJson.keys(
        place,
        body,
        Set.of(BLOCK_EPOCHS, BLOCK_RATE, MODEL_EPOCHS, MODEL_RATE, HIDDEN, POSITIONS, SEED));
    Distillation.Options otherwise = Distillation.Options.DEFAULTS;
    return new Stage.Distill(
        new Distillation.Options(
            RecipeJson.whole(place, body, BLOCK_EPOCHS, otherwise.blockEpochs()),
            number(place, body, BLOCK_RATE, otherwise.blockRate()),
            RecipeJson.whole(place, body, MODEL_EPOCHS, otherwise.modelEpochs()),
            number(place, body, MODEL_RATE, otherwise.modelRate()),
            number(place, body, HIDDEN, otherwise.hidden()),
            RecipeJson.whole(place, body, POSITIONS, otherwise.positions()),
            RecipeJson.whole(place, body, SEED, Math.toIntExact(otherwise.seed()))));
  }

  private static double number(String place, JsonNode body, String key, double otherwise) {
    JsonNode value = body.get(key);
    return value == null ? otherwise : RecipeJson.number(place, key, value);
  }

  static void write(ObjectNode body, Distillation.Options options) {
    body.put(BLOCK_EPOCHS, options.blockEpochs())
        .put(BLOCK_RATE, options.blockRate())
        .put(MODEL_EPOCHS, options.modelEpochs())
        .put(MODEL_RATE, options.modelRate())
        .put(HIDDEN, options.hidden())
        .put(POSITIONS, options.positions())
        .put(SEED, options.seed());
  }
}
