package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What the model predicts beside what was measured on an H200. */
class LinearModelTest {
  private static final Path REPORT = Path.of("..", "..", "benchmarks", "reports", "h200.json");

  /** A kernel's name, and how many blocks share its tiles. */
  private static final Pattern NAME = Pattern.compile("(\\w+)(?: in (\\d+) blocks)?");

  private static final LinearModel MODEL =
      new LinearModel(
          new GpuProperties(
              0,
              "NVIDIA H200",
              9,
              0,
              132,
              1_980_000,
              3_201_000,
              6144,
              150L << 30,
              60 << 20,
              232_448,
              233_472,
              65_536,
              2048,
              13_000));

  private static final List<Timing> TIMINGS = new ArrayList<>();

  private record Timing(String layer, String kernel, double measured, double predicted) {}

  @BeforeAll
  static void readTheReport() throws IOException {
    JsonNode report = JsonMapper.builder().build().readTree(Files.readAllBytes(REPORT));
    for (JsonNode timing : report.required("kernels")) {
      int rows = timing.required("rows").intValue();
      int columns = timing.required("columns").intValue();
      int tokens = timing.required("tokens").intValue();
      String kernel = timing.required("kernel").stringValue();
      predicted(kernel, rows, columns, tokens)
          .ifPresent(
              micros ->
                  TIMINGS.add(
                      new Timing(
                          timing.required("format").stringValue()
                              + (" " + rows + " x " + columns + ", " + tokens),
                          kernel,
                          timing.required("streamedMicros").doubleValue(),
                          micros)));
    }
  }

  /** Nothing for numbers of blocks that are no candidates any more. */
  private static Optional<Double> predicted(String name, int rows, int columns, int tokens) {
    long kept = (long) rows * columns / 10;
    if (name.equals(CublasOption.NAME)) {
      return Optional.of(
          MODEL.cublasMicros(rows, columns, tokens) + MODEL.epilogueMicros(rows, tokens));
    }
    if (name.equals(CusparseOption.NAME)) {
      return Optional.of(
          MODEL.cusparseMicros(kept, rows, columns, tokens, 6.0 * kept)
              + MODEL.epilogueMicros(rows, tokens));
    }
    Matcher parts = NAME.matcher(name);
    assertTrue(parts.matches(), name);
    KernelEntry kernel = KernelManifest.load().kernels().get(parts.group(1));
    if (parts.group(1).startsWith("linear_csr")) {
      return Optional.of(MODEL.sparseMicros(kernel, kept, rows, columns, tokens, 4.0 * kept));
    }
    LinearGrid whole = LinearGrid.of(kernel, rows, columns, tokens);
    int blocks = parts.group(2) == null ? whole.blocks() : Integer.parseInt(parts.group(2));
    double bytes =
        LinearDispatch.weightBytes(kernel.weights().orElseThrow(), (double) rows * columns);
    return whole.ways(MODEL.resident(kernel)).stream()
        .filter(grid -> grid.blocks() == blocks)
        .map(grid -> MODEL.micros(kernel, grid, rows, tokens, bytes))
        .findFirst();
  }

  @Test
  void predictionsAreNearWhatWasMeasured() {
    double squares =
        TIMINGS.stream()
            .mapToDouble(timing -> Math.pow(Math.log(timing.predicted / timing.measured), 2))
            .average()
            .orElseThrow();
    assertTrue(TIMINGS.size() > 500, TIMINGS.size() + " timings");
    assertTrue(Math.sqrt(squares) < 0.15, "error of " + Math.sqrt(squares));
  }

  @Test
  void whatIsPredictedFastestIsNearlyTheFastest() {
    Map<String, List<Timing>> layers = new LinkedHashMap<>();
    for (Timing timing : TIMINGS) {
      // activations of the session are f16
      if (!timing.kernel.contains("bf16") && !timing.kernel.matches("\\w+_i8_\\d.*")) {
        layers.computeIfAbsent(timing.layer, unused -> new ArrayList<>()).add(timing);
      }
    }
    double sum = 0;
    for (List<Timing> layer : layers.values()) {
      Timing chosen = layer.getFirst();
      double best = chosen.measured;
      for (Timing timing : layer) {
        chosen = timing.predicted < chosen.predicted ? timing : chosen;
        best = Math.min(best, timing.measured);
      }
      sum += chosen.measured / best;
    }
    assertTrue(sum / layers.size() < 1.03, "chosen are " + sum / layers.size() + " of the best");
  }
}
