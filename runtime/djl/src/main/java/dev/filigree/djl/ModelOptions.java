package dev.filigree.djl;

import ai.djl.Device;
import dev.filigree.InputException;
import dev.filigree.SessionOptions;
import java.time.Duration;
import java.util.Map;
import java.util.Set;

/**
 * What {@code Criteria.optOption} and {@code option.} lines of {@code serving.properties} may say.
 *
 * <table>
 * <caption>Options</caption>
 * <tr><td>{@code file}</td><td>name of the model's file in its folder</td></tr>
 * <tr><td>{@code device}</td><td>{@code cpu}, {@code cuda}, {@code cuda:N} or {@code simulated}
 *     instead of the device that DJL chose</td></tr>
 * <tr><td>{@code threads}</td><td>threads of one run</td></tr>
 * <tr><td>{@code concurrent_runs}</td><td>runs at the same time, over all models that share the
 *     session</td></tr>
 * <tr><td>{@code kernels}</td><td>name of a set of kernels</td></tr>
 * <tr><td>{@code idle_seconds}</td><td>how long a session that nobody holds is kept, 60 at
 *     first</td></tr>
 * </table>
 *
 * @param file name, or empty
 * @param session how it runs
 * @param idle how long a session is kept after its last model was closed
 */
record ModelOptions(String file, SessionOptions session, Duration idle) {
  private static final Duration IDLE = Duration.ofSeconds(60);

  /** Names of the options that are ours. */
  static final Set<String> NAMES =
      Set.of("file", "device", "threads", "concurrent_runs", "kernels", "idle_seconds");

  /**
   * Reads options; those of other parts of DJL are left to them.
   *
   * @throws InputException if a value is not one
   */
  static ModelOptions of(Map<String, ?> options, Device device) {
    SessionOptions session =
        SessionOptions.defaults().withDevice(device(text(options, "device", ""), device));
    session = session.withThreads(number(options, "threads", session.threads()));
    session =
        session.withConcurrentRuns(number(options, "concurrent_runs", session.concurrentRuns()));
    session = session.withKernels(text(options, "kernels", session.kernels()));
    int seconds = number(options, "idle_seconds", (int) IDLE.toSeconds());
    if (seconds < 0) {
      throw new InputException("option idle_seconds is " + seconds, "choose 0 or more");
    }
    return new ModelOptions(text(options, "file", ""), session, Duration.ofSeconds(seconds));
  }

  private static dev.filigree.Device device(String wanted, Device device) {
    if (!wanted.isEmpty()) {
      return dev.filigree.Device.parse(wanted);
    }
    return device.isGpu()
        ? new dev.filigree.Device(dev.filigree.Device.Kind.CUDA, device.getDeviceId())
        : dev.filigree.Device.cpu();
  }

  private static String text(Map<String, ?> options, String name, String otherwise) {
    Object value = options == null ? null : options.get(name);
    return value == null ? otherwise : value.toString().strip();
  }

  private static int number(Map<String, ?> options, String name, int otherwise) {
    String value = text(options, name, "");
    try {
      return value.isEmpty() ? otherwise : Integer.parseInt(value);
    } catch (NumberFormatException none) {
      throw new InputException("option " + name + " is '" + value + "'", "give it a whole number");
    }
  }
}
