package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

final class SteadyStateTest {
  /**
   * Kernels that carry a sum or a maximum from vector to vector. On a busy machine C2 may compile
   * them with an object for each of its values; {@link SteadyState#main} shows it. They are not
   * covered here.
   */
  private static final Pattern ACCUMULATING =
      Pattern.compile("(layer normalisation|softmax|range|attention).*");

  @Test
  void warmLinearLayersActivationsAndMovesAllocateNothing() {
    assertEquals(Map.of(), SteadyState.stuck(name -> !ACCUMULATING.matcher(name).matches()));
  }
}
