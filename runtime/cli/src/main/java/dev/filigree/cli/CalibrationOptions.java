package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.compress.Calibration;
import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import dev.filigree.image.ImageInputs;
import dev.filigree.image.Preprocessing;
import dev.filigree.text.TextBatches;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** The texts, images or arrays that a recipe learns from. */
final class CalibrationOptions {
  /** Samples of arrays that run together where the model leaves that open. */
  private static final int BATCH = 32;

  @Option(
      names = "--calibration",
      paramLabel = "FILE",
      description = "Texts that recipes learn from, one a line.")
  private Path file;

  @Option(
      names = "--calibration-image",
      paramLabel = "FILE",
      arity = "1..*",
      description = "Images to learn from, or folders that are searched for some.")
  private List<Path> images = List.of();

  @Option(
      names = "--calibration-input",
      paramLabel = "NAME=FILE.npy",
      description = "Arrays to learn from, samples along the first axis; one for each input.")
  private Map<String, Path> arrays = Map.of();

  @Option(
      names = "--calibration-samples",
      paramLabel = "N",
      defaultValue = "2000",
      description = "Lines, images or samples to use at most (default: 2000).")
  private int samples;

  @Option(
      names = "--calibration-tokens",
      paramLabel = "N",
      defaultValue = "64",
      description = "Tokens of a text to use at most (default: 64).")
  private int tokens;

  /** Whether there is something to learn from. */
  boolean isGiven() {
    return file != null || !images.isEmpty() || !arrays.isEmpty();
  }

  /** The texts, or none. */
  List<String> texts() {
    check();
    if (file == null) {
      return List.of();
    }
    List<String> texts = TextLines.read("--calibration", file);
    return texts.subList(0, Math.min(samples, texts.size()));
  }

  private void check() {
    Common.checkPositive("--calibration-samples", samples);
    Common.checkPositive("--calibration-tokens", tokens);
    int kinds = (file == null ? 0 : 1) + (images.isEmpty() ? 0 : 1) + (arrays.isEmpty() ? 0 : 1);
    if (kinds > 1) {
      throw new UsageException(
          "a recipe learns either from texts (--calibration), from images (--calibration-image) or"
              + " from arrays (--calibration-input); pass one kind");
    }
  }

  /** Samples of a model, or null if there is nothing to learn from. */
  Calibration samples(Model model) {
    List<String> texts = texts();
    if (!texts.isEmpty()) {
      return new Calibration(TextBatches.of(model, texts, tokens));
    }
    if (!images.isEmpty()) {
      List<Path> files = ImageFiles.of("--calibration-image", images);
      return new Calibration(
          ImageInputs.of(model, Preprocessing.of(model))
              .batches(files.subList(0, Math.min(samples, files.size()))));
    }
    return arrays.isEmpty() ? null : new Calibration(batches(model));
  }

  /** Arrays cut into batches of as many samples as the model takes. */
  private List<Map<String, Tensor>> batches(Model model) {
    Map<String, Tensor> whole = new LinkedHashMap<>();
    arrays.forEach((name, path) -> whole.put(name, array(name, path)));
    for (ValueInfo input : model.inputs()) {
      if (!whole.containsKey(input.name())) {
        throw new UsageException(
            "--calibration-input has no array for the input '"
                + input.name()
                + "'; the model takes "
                + model.inputs());
      }
    }
    for (String name : whole.keySet()) {
      if (model.inputs().stream().noneMatch(input -> input.name().equals(name))) {
        throw new UsageException(
            "--calibration-input " + name + " is no input; the model takes " + model.inputs());
      }
    }
    long count = whole.values().iterator().next().shape().extent(0);
    whole.forEach(
        (name, tensor) -> {
          if (tensor.shape().extent(0) != count) {
            throw new UsageException(
                "--calibration-input "
                    + name
                    + " holds "
                    + tensor.shape().extent(0)
                    + " samples where another holds "
                    + count
                    + "; give all inputs the same samples");
          }
        });
    long used = Math.min(count, samples);
    long batch = batch(model, used);
    List<Map<String, Tensor>> batches = new ArrayList<>();
    // a model of one size of batch takes whole ones only
    boolean isFixed = fixed(model) > 0;
    for (long from = 0; from < used && (!isFixed || from + batch <= used); from += batch) {
      Map<String, Tensor> part = new LinkedHashMap<>();
      for (Map.Entry<String, Tensor> entry : whole.entrySet()) {
        part.put(entry.getKey(), slice(entry.getValue(), from, Math.min(used, from + batch)));
      }
      batches.add(part);
    }
    return batches;
  }

  private static Tensor array(String name, Path path) {
    Tensor tensor = Npy.read(path);
    if (tensor.shape().rank() == 0 || tensor.shape().extent(0) == 0) {
      throw new UsageException(
          "--calibration-input " + name + "=" + path + " holds no samples along its first axis");
    }
    return tensor;
  }

  /** The samples of a batch that the model insists on, or 0. */
  private static long fixed(Model model) {
    ValueInfo first = model.inputs().getFirst();
    Dim dim = first.dims() == null || first.dims().isEmpty() ? null : first.dims().getFirst();
    return dim != null && dim.isKnown() ? dim.value() : 0;
  }

  private static long batch(Model model, long samples) {
    long fixed = fixed(model);
    if (fixed > samples) {
      throw new UsageException(
          "--calibration-input has "
              + samples
              + " samples but the model takes batches of "
              + fixed
              + "; pass at least as many");
    }
    return fixed > 0 ? fixed : BATCH;
  }

  private static Tensor slice(Tensor whole, long from, long to) {
    Tensor dense = whole.contiguous();
    Shape shape = dense.shape();
    long[] extents = shape.extents();
    extents[0] = to - from;
    long each = dense.bytes() / shape.extent(0);
    return Tensor.of(
        dense.dtype(), Shape.of(extents), dense.data().asSlice(from * each, (to - from) * each));
  }
}
