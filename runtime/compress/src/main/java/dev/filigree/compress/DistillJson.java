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
  private static final String FIT_SAMPLES = "fit_samples";

  private DistillJson() {}

  static Stage.Distill read(String place, JsonNode body) {
    JsonFields.keys(
        place,
        body,
        Set.of(
            BLOCK_EPOCHS,
            BLOCK_RATE,
            MODEL_EPOCHS,
            MODEL_RATE,
            HIDDEN,
            POSITIONS,
            SEED,
            FIT_SAMPLES));
    Distillation.Options otherwise = Distillation.Options.DEFAULTS;
    return new Stage.Distill(
        new Distillation.Options(
            JsonFields.whole(place, body, BLOCK_EPOCHS, otherwise.blockEpochs()),
            number(place, body, BLOCK_RATE, otherwise.blockRate()),
            JsonFields.whole(place, body, MODEL_EPOCHS, otherwise.modelEpochs()),
            number(place, body, MODEL_RATE, otherwise.modelRate()),
            number(place, body, HIDDEN, otherwise.hidden()),
            JsonFields.whole(place, body, POSITIONS, otherwise.positions()),
            JsonFields.whole(place, body, SEED, Math.toIntExact(otherwise.seed()))),
        JsonFields.whole(place, body, FIT_SAMPLES, Stage.Distill.FIT_SAMPLES));
  }

  private static double number(String place, JsonNode body, String key, double otherwise) {
    JsonNode value = body.get(key);
    return value == null ? otherwise : JsonFields.number(place, key, value);
  }

  static void write(ObjectNode body, Stage.Distill stage) {
    Distillation.Options options = stage.options();
    body.put(BLOCK_EPOCHS, options.blockEpochs())
        .put(BLOCK_RATE, options.blockRate())
        .put(MODEL_EPOCHS, options.modelEpochs())
        .put(MODEL_RATE, options.modelRate())
        .put(HIDDEN, options.hidden())
        .put(POSITIONS, options.positions())
        .put(SEED, options.seed())
        .put(FIT_SAMPLES, stage.fitSamples());
  }
}
