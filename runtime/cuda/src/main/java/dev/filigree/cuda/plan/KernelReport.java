package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Event;
import dev.filigree.cuda.driver.PinnedMemory;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.weights.Weights;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Measurements of a device: copies, and every kernel. */
public final class KernelReport implements AutoCloseable {
  private static final int COPY_ROUNDS = 5;
  private static final long COPY_BYTES = 256 << 20;

  private final DeviceState device;

  /**
   * A report of a device.
   *
   * @param context of its own, which it closes
   */
  public KernelReport(CudaContext context) {
    this.device = new DeviceState(context, "");
  }

  /** A way to copy and how fast it is. */
  public record Copy(String direction, double gigabytesPerSecond) {}

  /**
   * A way to run a linear layer at a shape.
   *
   * @param kernel its name; {@code cublas} and {@code cusparse} where they are installed
   * @param micros measured on this device, with the weights in its second-level cache
   * @param streamedMicros with the weights from its memory
   * @param predictedMicros by the model that chooses what is measured
   */
  public record Timing(
      String kernel,
      String format,
      int rows,
      int columns,
      int tokens,
      double micros,
      double streamedMicros,
      double predictedMicros) {}

  /**
   * Any other kernel.
   *
   * @param gigabytesPerSecond of its operands and results
   */
  public record OperationTiming(String kernel, double micros, double gigabytesPerSecond) {}

  /** Copies between process and device, and on the device. */
  public List<Copy> copies() {
    CudaContext context = device.context();
    try (Stream stream = context.stream();
        PinnedMemory host = context.allocatePinned(COPY_BYTES);
        DeviceMemory from = context.allocate(COPY_BYTES);
        DeviceMemory to = context.allocate(COPY_BYTES)) {
      from.fill(0, COPY_BYTES, (byte) 1);
      return List.of(
          copy("process to device", stream, 1, () -> stream.upload(host.segment(), to.address())),
          copy(
              "device to process",
              stream,
              1,
              () -> stream.download(from.address(), host.segment())),
          // every byte is read and written
          copy(
              "on the device",
              stream,
              2,
              () -> stream.copy(from.address(), to.address(), COPY_BYTES)));
    }
  }

  private Copy copy(String direction, Stream stream, int times, Runnable copy) {
    double best = Double.POSITIVE_INFINITY;
    try (Event start = device.context().event();
        Event end = device.context().event()) {
      for (int round = 0; round < COPY_ROUNDS; round++) {
        start.record(stream);
        copy.run();
        end.record(stream);
        end.synchronize();
        best = Math.min(best, end.microsSince(start));
      }
    }
    return new Copy(direction, times * COPY_BYTES / best / 1e3);
  }

  /** Measures all ways to run a linear layer of a size, in every format. */
  public List<Timing> linear(int rows, int columns, int tokens) {
    List<Timing> timings = new ArrayList<>();
    for (Weights weights : LinearSamples.of(rows, columns)) {
      LinearLayer layer = new LinearLayer("report", weights, tokens, true);
      List<LinearOption> options = device.dispatch().all(layer);
      Map<String, Double> micros;
      Map<String, Double> streamed;
      try (LayerBench bench = LinearBench.of(device, layer, options)) {
        micros = new LayerTiming(device, false).measure(bench);
        streamed = new LayerTiming(device, true).measure(bench);
      }
      device.dispatch().close();
      for (LinearOption option : options) {
        timings.add(
            new Timing(
                option.name(),
                weights.format(),
                rows,
                columns,
                tokens,
                micros.get(option.name()),
                streamed.get(option.name()),
                option.predictedMicros()));
      }
    }
    return timings;
  }

  /** Measures all other kernels, on matrices of a size. */
  public List<OperationTiming> operations(int rows, int columns) {
    List<OperationTiming> timings = new ArrayList<>();
    try (OperationBench bench = new OperationBench(device, rows, columns);
        Stream stream = device.context().stream();
        Event start = device.context().event();
        Event end = device.context().event()) {
      for (OperationBench.Case each : bench.cases()) {
        double micros = LayerTiming.median(stream, start, end, each.launch()::into);
        timings.add(new OperationTiming(each.kernel(), micros, each.bytes() / micros / 1e3));
      }
    }
    return timings;
  }

  /** Hash of all kernels' text: measurements of others do not compare. */
  public static String kernelHash() {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      KernelManifest.load().kernels().values().stream()
          .map(entry -> entry.ptx())
          .distinct()
          .sorted()
          .forEach(ptx -> digest.update(KernelManifest.ptx(ptx)));
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  @Override
  public void close() {
    device.close();
  }
}
