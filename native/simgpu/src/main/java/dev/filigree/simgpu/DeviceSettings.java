package dev.filigree.simgpu;

import java.util.Objects;
import java.util.StringJoiner;

/**
 * What can be chosen about a simulated device.
 *
 * @param model {@code a100}, {@code a10}, {@code rtx3090} or {@code rtx5090}
 * @param memoryBytes size of the device's memory; 0 for the model's own
 * @param checks uninitialised reads, races, missing waits, sparse metadata; bounds and alignment
 *     are checked always
 * @param exactRounding tensor cores round 16-bit products as measured hardware does, slower
 * @param traffic memory counters are filled in, at some cost
 * @param projectedTimes event times are projected device times instead of times of the simulation;
 *     memory counters are then on
 * @param eager asynchronous work runs at once instead of when it is waited for
 * @param workers threads that run blocks; 0 for one per core
 * @param watchdog warp instructions during which no block of a launch comes to its end, after which
 *     it is stopped as an endless one: {@code CUDA_ERROR_LAUNCH_TIMEOUT}, and a finding that names
 *     the kernel, the block and the line; 0 for never
 * @param faults calls that are to fail, such as {@code alloc=3,launch=2,copy=4,lost=100,ecc=5}; may
 *     be empty
 */
public record DeviceSettings(
    String model,
    long memoryBytes,
    boolean checks,
    boolean exactRounding,
    boolean traffic,
    boolean projectedTimes,
    boolean eager,
    int workers,
    long watchdog,
    String faults) {

  /** The usual watchdog: minutes of simulation, and the same as that of programs without Java. */
  public static final long DEFAULT_WATCHDOG = 2_000_000_000L;

  /** An A100 with all checks on. */
  public static final DeviceSettings DEFAULT =
      new DeviceSettings("a100", 0, true, false, false, false, false, 0, DEFAULT_WATCHDOG, "");

  /** Refuses what no device could be; names are checked by the device. */
  public DeviceSettings {
    Objects.requireNonNull(model, "model");
    Objects.requireNonNull(faults, "faults");
    if (memoryBytes < 0 || workers < 0 || watchdog < 0) {
      throw new IllegalArgumentException(
          "memoryBytes, workers and watchdog must not be negative: "
              + memoryBytes
              + ", "
              + workers
              + ", "
              + watchdog);
    }
  }

  /** The same with another device model. */
  public DeviceSettings withModel(String other) {
    return new DeviceSettings(
        other,
        memoryBytes,
        checks,
        exactRounding,
        traffic,
        projectedTimes,
        eager,
        workers,
        watchdog,
        faults);
  }

  /** The same with other faults on demand. */
  public DeviceSettings withFaults(String other) {
    return new DeviceSettings(
        model,
        memoryBytes,
        checks,
        exactRounding,
        traffic,
        projectedTimes,
        eager,
        workers,
        watchdog,
        other);
  }

  /** The same with memory counters. */
  public DeviceSettings withTraffic() {
    return new DeviceSettings(
        model,
        memoryBytes,
        checks,
        exactRounding,
        true,
        projectedTimes,
        eager,
        workers,
        watchdog,
        faults);
  }

  /** The same with event times projected for a device. */
  public DeviceSettings withProjectedTimes() {
    return new DeviceSettings(
        model, memoryBytes, checks, exactRounding, true, true, eager, workers, watchdog, faults);
  }

  /** The same with another watchdog; 0 for none. */
  public DeviceSettings withWatchdog(long warpInstructions) {
    return new DeviceSettings(
        model,
        memoryBytes,
        checks,
        exactRounding,
        traffic,
        projectedTimes,
        eager,
        workers,
        warpInstructions,
        faults);
  }

  /** The words {@code simgpuConfigure} takes. */
  String words() {
    StringJoiner words = new StringJoiner(" ");
    words.add("report=off").add("device=" + model);
    if (memoryBytes > 0) {
      words.add("memory=" + memoryBytes);
    }
    words.add("checks=" + (checks ? "on" : "off")).add("exact=" + (exactRounding ? "on" : "off"));
    words.add("traffic=" + (traffic ? "on" : "off")).add("async=" + (eager ? "eager" : "deferred"));
    if (projectedTimes) {
      words.add("times=projected");
    }
    words.add("workers=" + workers).add("watchdog=" + watchdog);
    if (!faults.isEmpty()) {
      words.add("faults=" + faults);
    }
    return words.toString();
  }
}
