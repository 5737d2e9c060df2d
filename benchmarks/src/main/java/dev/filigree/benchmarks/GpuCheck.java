package dev.filigree.benchmarks;

import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.plan.KernelReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Measures the GPU of this machine: copies, every way to run linear layers in every format, beside
 * cuBLAS where it is installed, every other kernel beside the device's own copy, and a whole model.
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
      TestReports tests,
      List<KernelReport.Copy> copies,
      List<KernelReport.Timing> timings,
      List<KernelReport.OperationTiming> operations,
      List<GpuModels.Timing> models) {
    /**
     * Time of cuBLAS for the same layer over that of a kernel, both with weights in the cache; NaN
     * where it is not installed.
     */
    double timesCublas(KernelReport.Timing timing) {
      return timings.stream()
          .filter(
              other ->
                  other.kernel().equals("cublas")
                      && other.format().equals(timing.format())
                      && other.rows() == timing.rows()
                      && other.columns() == timing.columns()
                      && other.tokens() == timing.tokens())
          .mapToDouble(other -> other.micros() / timing.micros())
          .findFirst()
          .orElse(Double.NaN);
    }

    /** Part of the bandwidth of copies on the device that a kernel reaches. */
    double shareOfCopy(KernelReport.OperationTiming timing) {
      return timing.gigabytesPerSecond() / copies.getLast().gigabytesPerSecond();
    }
  }

  /** Matrices that other kernels work on: large enough that caches hold none of them. */
  private static final int OPERATION_ROWS = 16384;

  private static final int OPERATION_COLUMNS = 768;

  /**
   * Measures and writes; ends with 1 if a test failed, with 3 where there is no GPU.
   *
   * @param arguments the folder to write into, and the one with the XML reports of the tests; none
   *     to be told only which GPU it would be
   */
  public static void main(String[] arguments) throws IOException {
    CudaDriver driver;
    try {
      driver = CudaDriver.open();
    } catch (DeviceException missing) {
      System.err.println("gpu-check: no GPU is measured: " + missing.getMessage());
      System.exit(3);
      return;
    }
    GpuProperties gpu = driver.properties(0);
    if (arguments.length == 0) {
      System.err.println("gpu-check: " + gpu.name());
      return;
    }
    Path folder = Path.of(arguments[0]);
    TestReports tests = TestReports.read(Path.of(arguments[1]));
    if (gpu.isSimulated()) {
      throw new IllegalStateException("the simulated GPU has no speed of its own to measure");
    }
    Report report = measure(driver.context(0), tests, GpuModels.measure(Device.parse("cuda:0")));
    Files.createDirectories(folder);
    Files.writeString(folder.resolve("gpu-check.json"), json(report));
    Files.writeString(folder.resolve("gpu-check.md"), markdown(report));
    System.out.println("written: " + folder.resolve("gpu-check.md"));
    if (!tests.failures().isEmpty()) {
      System.exit(1);
    }
  }

  private static Report measure(
      CudaContext context, TestReports tests, List<GpuModels.Timing> models) {
    try (KernelReport device = new KernelReport(context)) {
      List<KernelReport.Timing> timings = new ArrayList<>();
      for (int[] shape : SHAPES) {
        timings.addAll(device.linear(shape[0], shape[1], shape[2]));
      }
      return new Report(
          context.properties(),
          KernelReport.kernelHash(),
          tests,
          device.copies(),
          timings,
          device.operations(OPERATION_ROWS, OPERATION_COLUMNS),
          models);
    }
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
    ObjectNode tests = document.putObject("tests");
    tests.put("passed", report.tests.passed()).put("skipped", report.tests.skipped());
    ArrayNode failures = tests.putArray("failures");
    report.tests.failures().forEach(failures::add);
    ArrayNode copies = document.putArray("copies");
    for (KernelReport.Copy copy : report.copies) {
      copies
          .addObject()
          .put("direction", copy.direction())
          .put("gigabytesPerSecond", copy.gigabytesPerSecond());
    }
    ArrayNode timings = document.putArray("kernels");
    for (KernelReport.Timing timing : report.timings) {
      ObjectNode entry =
          timings
              .addObject()
              .put("kernel", timing.kernel())
              .put("format", timing.format())
              .put("rows", timing.rows())
              .put("columns", timing.columns())
              .put("tokens", timing.tokens())
              .put("micros", timing.micros())
              .put("streamedMicros", timing.streamedMicros())
              .put("predictedMicros", timing.predictedMicros());
      double ratio = report.timesCublas(timing);
      if (Double.isNaN(ratio)) {
        entry.putNull("timesCublas");
      } else {
        entry.put("timesCublas", ratio);
      }
    }
    ArrayNode operations = document.putArray("operations");
    for (KernelReport.OperationTiming timing : report.operations) {
      operations
          .addObject()
          .put("kernel", timing.kernel())
          .put("micros", timing.micros())
          .put("gigabytesPerSecond", timing.gigabytesPerSecond())
          .put("shareOfCopy", report.shareOfCopy(timing));
    }
    ArrayNode models = document.putArray("minilm");
    for (GpuModels.Timing timing : report.models) {
      ObjectNode entry =
          models
              .addObject()
              .put("recipe", timing.recipe())
              .put("batch", timing.batch())
              .put("length", timing.length())
              .put("micros", timing.micros())
              .put("percentile99Micros", timing.percentile99Micros())
              .put("deviceBytes", timing.deviceBytes());
      ArrayNode kernels = entry.putArray("kernels");
      timing.kernels().forEach(kernels::add);
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
    line(
        text,
        "%d tests passed on it, %d need the simulated GPU, %d failed.%n%n",
        report.tests.passed(),
        report.tests.skipped(),
        report.tests.failures().size());
    report.tests.failures().forEach(failure -> line(text, "- failed: `%s`%n", failure));
    text.append(report.tests.failures().isEmpty() ? "" : "\n");
    text.append("| copy | GB/s |\n|---|---|\n");
    for (KernelReport.Copy copy : report.copies) {
      line(text, "| %s | %.1f |%n", copy.direction(), copy.gigabytesPerSecond());
    }
    text.append(
        "\n"
            + "| outputs x K, tokens | weights | kernel | µs | weights from memory | predicted |"
            + " times cuBLAS |\n"
            + "|---|---|---|---|---|---|---|\n");
    for (KernelReport.Timing timing : report.timings) {
      line(
          text,
          "| %d x %d, %d | %s | %s | %.1f | %.1f | %.1f | %s |%n",
          timing.rows(),
          timing.columns(),
          timing.tokens(),
          timing.format(),
          timing.kernel(),
          timing.micros(),
          timing.streamedMicros(),
          timing.predictedMicros(),
          Double.isNaN(report.timesCublas(timing))
              ? "not installed"
              : String.format(Locale.ROOT, "%.2f", report.timesCublas(timing)));
    }
    text.append("\n| other kernels | µs | GB/s | of the copy's |\n|---|---|---|---|\n");
    for (KernelReport.OperationTiming timing : report.operations) {
      line(
          text,
          "| %s | %.1f | %.1f | %.2f |%n",
          timing.kernel(),
          timing.micros(),
          timing.gigabytesPerSecond(),
          report.shareOfCopy(timing));
    }
    text.append(
        "\n| MiniLM | texts x tokens | µs | 99 % | weights on the device | linear layers |\n"
            + "|---|---|---|---|---|---|\n");
    for (GpuModels.Timing timing : report.models) {
      line(
          text,
          "| %s | %d x %d | %.0f | %.0f | %.1f MB | %s |%n",
          timing.recipe(),
          timing.batch(),
          timing.length(),
          timing.micros(),
          timing.percentile99Micros(),
          timing.deviceBytes() / 1e6,
          String.join(", ", timing.kernels()));
    }
    return text.toString();
  }

  private static void line(StringBuilder text, String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values));
  }
}
