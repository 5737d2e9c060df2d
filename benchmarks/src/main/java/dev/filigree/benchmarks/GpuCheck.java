package dev.filigree.benchmarks;

import dev.filigree.DType;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.plan.KernelReport;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Measures the GPU of this machine: copies, and every candidate of linear layers, dense beside 2:4.
 * Writes {@code gpu-check.json} and {@code gpu-check.md} into the folder it is given. Called by
 * {@code benchmarks/gpu-check}.
 */
public final class GpuCheck {
  /** Outputs, K and tokens: MiniLM's layers, and what the targets of the kernels are stated for. */
  private static final int[][] SHAPES = {
    {384, 384, 128},
    {1536, 384, 128},
    {384, 1536, 128},
    {3072, 768, 512},
    {4096, 4096, 1},
    {4096, 4096, 16},
    {4096, 4096, 4096}
  };

  private GpuCheck() {}

  /** Everything that is reported. */
  record Report(
      GpuProperties gpu,
      String kernelHash,
      List<KernelReport.Copy> copies,
      List<KernelReport.Timing> timings) {}

  /** Measures and writes. */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    CudaDriver driver = CudaDriver.open();
    GpuProperties gpu = driver.properties(0);
    if (gpu.isSimulated()) {
      throw new IllegalStateException("the simulated GPU has no speed of its own to measure");
    }
    Report report = measure(driver.context(0));
    Files.createDirectories(folder);
    Files.writeString(folder.resolve("gpu-check.json"), json(report));
    Files.writeString(folder.resolve("gpu-check.md"), markdown(report));
    System.out.println("written: " + folder.resolve("gpu-check.md"));
  }

  private static Report measure(CudaContext context) {
    try (KernelReport device = new KernelReport(context)) {
      List<KernelReport.Timing> timings = new ArrayList<>();
      List<Function<Dense, Weights>> forms = List.of(dense -> dense, GpuCheck::half);
      for (int[] shape : SHAPES) {
        for (Function<Dense, Weights> form : forms) {
          timings.addAll(device.linear(shape[0], shape[1], shape[2], form));
        }
      }
      return new Report(context.properties(), KernelReport.kernelHash(), device.copies(), timings);
    }
  }

  /** Every other weight: two of any four. */
  private static Weights half(Dense dense) {
    Mask mask = Mask.of(dense.rows(), dense.columns(), (row, column) -> (row + column) % 2 == 0);
    return Sparse24.pack(dense, mask, (values, rows, kept) -> FloatValues.of(DType.F16, values));
  }

  static String json(Report report) {
    ObjectNode document = JsonMapper.builder().build().createObjectNode();
    GpuProperties gpu = report.gpu;
    document
        .putObject("gpu")
        .put("name", gpu.name())
        .put("architecture", gpu.architecture())
        .put("multiprocessors", gpu.multiprocessors())
        .put("clockKilohertz", gpu.clockKilohertz())
        .put("memoryClockKilohertz", gpu.memoryClockKilohertz())
        .put("memoryBytes", gpu.memoryBytes())
        .put("driverVersion", gpu.driverVersion());
    document.put("kernelHash", report.kernelHash);
    ArrayNode copies = document.putArray("copies");
    for (KernelReport.Copy copy : report.copies) {
      copies
          .addObject()
          .put("direction", copy.direction())
          .put("gigabytesPerSecond", copy.gigabytesPerSecond());
    }
    ArrayNode timings = document.putArray("kernels");
    for (KernelReport.Timing timing : report.timings) {
      timings
          .addObject()
          .put("kernel", timing.kernel())
          .put("format", timing.format())
          .put("rows", timing.rows())
          .put("columns", timing.columns())
          .put("tokens", timing.tokens())
          .put("micros", timing.micros())
          .put("predictedMicros", timing.predictedMicros());
    }
    return document.toPrettyString() + "\n";
  }

  static String markdown(Report report) {
    GpuProperties gpu = report.gpu;
    StringBuilder text = new StringBuilder();
    text.append("# ").append(gpu.name()).append("\n\n");
    line(
        text, "Driver for CUDA %d.%d", gpu.driverVersion() / 1000, gpu.driverVersion() % 1000 / 10);
    line(text, ", highest clocks %d MHz", gpu.clockKilohertz() / 1000);
    line(text, " and %d MHz of the memory", gpu.memoryClockKilohertz() / 1000);
    line(text, ", kernels `%s`.%n%n", report.kernelHash);
    text.append("| copy | GB/s |\n|---|---|\n");
    for (KernelReport.Copy copy : report.copies) {
      line(text, "| %s | %.1f |%n", copy.direction(), copy.gigabytesPerSecond());
    }
    text.append(
        "\n| outputs x K, tokens | weights | kernel | µs | predicted |\n|---|---|---|---|---|\n");
    for (KernelReport.Timing timing : report.timings) {
      line(
          text,
          "| %d x %d, %d | %s | %s | %.1f | %.1f |%n",
          timing.rows(),
          timing.columns(),
          timing.tokens(),
          timing.format(),
          timing.kernel(),
          timing.micros(),
          timing.predictedMicros());
    }
    return text.toString();
  }

  private static void line(StringBuilder text, String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values));
  }
}
