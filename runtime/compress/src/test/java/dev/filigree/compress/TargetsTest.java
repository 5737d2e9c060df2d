package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.WeightMatrix;
import dev.filigree.weights.Dense;
import java.util.List;
import org.junit.jupiter.api.Test;

class TargetsTest {
  private static final WeightMatrix LAYER = matrix("body.0", WeightMatrix.Use.LINEAR);
  private static final WeightMatrix HEAD = matrix("head", WeightMatrix.Use.LINEAR);
  private static final WeightMatrix WINDOW = matrix("stem", WeightMatrix.Use.CONVOLUTION);

  private static WeightMatrix matrix(String name, WeightMatrix.Use use) {
    Dense weights = Dense.of(2, 2, new float[] {1, 2, 3, 4});
    return new WeightMatrix(name, use, name + ".weight", false, weights);
  }

  @Test
  void kindsNamesAndExpressionsFitAndWhatIsIgnoredDoesNot() {
    Targets targets = new Targets(List.of("Linear", "re:st.m"), List.of("head"));
    assertTrue(targets.include(LAYER));
    assertTrue(targets.include(WINDOW));
    assertFalse(targets.include(HEAD));
    assertFalse(new Targets(List.of("body"), null).include(LAYER), "a name is a whole name");
    assertEquals("[Linear, re:st.m] without [head]", targets.toString());
    assertEquals("[Linear]", Targets.LINEAR.toString());
  }

  @Test
  void namesThatNoLayerHasAreToldButKindsAndExpressionsMayFitNothing() {
    List<WeightMatrix> layers = List.of(LAYER, HEAD);
    List<String> misspelt = List.of("body.0", "body.1", "haed", "re:x.*");
    assertEquals(List.of("body.1", "haed"), Targets.unknown(misspelt, layers));
    assertEquals(List.of(), Targets.unknown(List.of("Convolution", "re:x"), layers));
  }

  @Test
  void theNameOfTheWeightsIsOneOfTheLayersButNotForExpressions() {
    WeightMatrix layer =
        new WeightMatrix(
            "layer1.conv", WeightMatrix.Use.CONVOLUTION, "onnx::Conv_4", false, LAYER.weights());
    assertTrue(new Targets(List.of("onnx::Conv_4"), null).include(layer));
    assertFalse(new Targets(List.of("Convolution"), List.of("onnx::Conv_4")).include(layer));
    assertEquals(List.of(), Targets.unknown(List.of("onnx::Conv_4"), List.of(layer)));
    assertTrue(new Targets(List.of("body.0.weight"), null).include(LAYER));
    assertFalse(new Targets(List.of("re:(?!layer1).*"), null).include(layer));
  }
}
