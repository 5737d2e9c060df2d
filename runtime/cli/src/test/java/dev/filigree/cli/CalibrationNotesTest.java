package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Tensor;
import dev.filigree.compress.Calibration;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Recipe;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CalibrationNotesTest {
  @TempDir Path folder;

  private List<String> notes(float[] x, int tokens) {
    try (Model model = Model.open(TinyOnnx.write(folder.resolve("tiny.onnx")))) {
      Calibration samples = new Calibration(List.of(Map.of("x", Tensor.of(x, tokens, 8))));
      return CalibrationNotes.of(
          Compressor.compress(model, Recipe.named("2:4-sparsegpt"), samples, 1, Progress.NONE));
    }
  }

  @Test
  void fewTokensAndDeadInputsAreToldWithTheLayer() {
    float[] few = new Samples(1).normal(20 * 8);
    for (int i = 3; i < few.length; i += 8) {
      few[i] = 0;
    }
    List<String> notes = notes(few, 20);
    assertTrue(
        notes
            .getFirst()
            .contains(
                ": learned from 20 input vectors, fewer than 10 for each of its 8 inputs (80)"),
        notes.toString());
    assertTrue(
        notes.getFirst().contains("(80); on others it may be worse than without calibration"),
        notes.toString());
    assertTrue(
        notes.stream().anyMatch(note -> note.contains(": 1 of its 8 inputs were zero")),
        notes.toString());
  }

  @Test
  void enoughTextIsNotTalkedAbout() {
    assertEquals(List.of(), notes(new Samples(1).normal(200 * 8), 200));
  }
}
