package dev.filigree.cli;

import dev.filigree.compress.Compression;
import dev.filigree.compress.Stage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** What to know about what a recipe learned from, and what was done about it. */
final class CalibrationNotes {
  /**
   * Vectors for each input of a layer below which a fit follows chance: with 2,700 tokens, a fit of
   * 1,536 inputs gained nothing on other texts, with 23,000 it did.
   */
  private static final int VECTORS_PER_INPUT = 10;

  private CalibrationNotes() {}

  /** Lines to print, each naming a layer; none if all is well. */
  static List<String> of(Compression compression) {
    List<String> notes = new ArrayList<>();
    List<Compression.Layer> learned =
        compression.layers().stream().filter(layer -> layer.calibrated() != null).toList();
    List<Compression.Layer> few =
        learned.stream()
            .filter(layer -> layer.calibrated().tokens() < VECTORS_PER_INPUT * inputs(layer))
            .toList();
    few.stream()
        .max(Comparator.comparingLong(CalibrationNotes::inputs))
        .ifPresent(layer -> notes.add(few(layer, few.size() - 1)));
    double asked = asked(compression);
    for (Compression.Layer layer : learned) {
      if (layer.calibrated().damping() > asked) {
        notes.add(
            layer.matrix().name()
                + ": damping raised to "
                + layer.calibrated().damping()
                + ", its inputs depend on each other too much for less");
      }
      if (layer.calibrated().deadInputs() > 0) {
        notes.add(
            layer.matrix().name()
                + ": "
                + layer.calibrated().deadInputs()
                + " of its "
                + inputs(layer)
                + " inputs were zero in all samples; their weights were the first to go");
      }
    }
    return notes;
  }

  /** What a layer learned too little from, and what that may mean. */
  private static String few(Compression.Layer layer, int others) {
    return String.format(
        Locale.ROOT,
        "%s%s: learned from %,d input vectors, fewer than %d for each of its %,d inputs (%,d);"
            + " on others it may be worse than without calibration, pass more calibration samples",
        layer.matrix().name(),
        others(others),
        layer.calibrated().tokens(),
        VECTORS_PER_INPUT,
        inputs(layer),
        VECTORS_PER_INPUT * inputs(layer));
  }

  /** How many layers a note speaks of beside the one it names. */
  static String others(int count) {
    return count == 0 ? "" : " (and " + count + " more layer" + (count == 1 ? ")" : "s)");
  }

  private static long inputs(Compression.Layer layer) {
    return layer.matrix().weights().columns();
  }

  /** The greatest damping that the recipe itself asks for. */
  private static double asked(Compression compression) {
    double asked = Stage.DAMPING;
    for (Stage stage : compression.recipe().stages()) {
      asked =
          switch (stage) {
            case Stage.Prune prune -> Math.max(asked, prune.damping());
            case Stage.Quantize quantize -> Math.max(asked, quantize.damping());
            default -> asked;
          };
    }
    return asked;
  }
}
