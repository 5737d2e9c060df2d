package dev.filigree.cuda.linear;

import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.simgpu.Launch;
import dev.filigree.simgpu.SimulatedDevice;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What the simulated device's model says a launch would need of each resource of an A100: a
 * projection, never a measurement.
 *
 * @param seconds by resource
 */
record Projected(Map<String, Double> seconds) {
  static final double MULTIPROCESSORS = 108;

  static final double DRAM_BYTES_PER_SECOND = 1555e9;

  /** The last launch. */
  static Projected last(SimulatedDevice device) {
    JsonNode last = null;
    for (JsonNode devices :
        JsonMapper.builder().build().readTree(device.projection()).findValues("devices")) {
      for (JsonNode each : devices) {
        if (each.path("device").asString().equals("A100")) {
          last = each.path("seconds");
        }
      }
    }
    Map<String, Double> seconds = new TreeMap<>();
    for (String resource : last.propertyNames()) {
      seconds.put(resource, last.path(resource).asDouble());
    }
    return new Projected(seconds);
  }

  /**
   * The same of another launch of the kernel, of blocks like those that were launched: resources
   * are those of the busiest multiprocessor, and latency repeats with each wave of blocks that are
   * there together. How many that are the simulation only estimates; the manifest has the
   * compiler's registers.
   *
   * @param launch what was counted
   * @param blocks of the other launch
   * @param bytes it moves between the memory and the device
   */
  Projected scaled(KernelEntry kernel, Launch launch, int blocks, double bytes) {
    int launched = launch.grid().getFirst();
    double busiest = Math.ceil(blocks / MULTIPROCESSORS) / Math.ceil(launched / MULTIPROCESSORS);
    double waves =
        Math.ceil(blocks / (MULTIPROCESSORS * resident(kernel)))
            / Math.ceil(launched / (MULTIPROCESSORS * launch.residentBlocks()));
    Map<String, Double> other = new TreeMap<>();
    seconds.forEach(
        (resource, time) ->
            other.put(
                resource,
                switch (resource) {
                  case "launch" -> time;
                  case "latency" -> time * waves;
                  case "DRAM" -> bytes / DRAM_BYTES_PER_SECOND;
                  default -> time * busiest;
                }));
    return new Projected(other);
  }

  /** Blocks that a multiprocessor has room for, by registers, shared memory and threads. */
  static int resident(KernelEntry kernel) {
    int registersOfWarp = Math.ceilDiv(kernel.registers(), 8) * 8 * 32;
    int byRegisters = 65536 / registersOfWarp / (kernel.threads() / 32);
    int byShared = (164 << 10) / (kernel.sharedBytes() + kernel.staticSharedBytes() + 1024);
    return Math.min(Math.min(byRegisters, byShared), 2048 / kernel.threads());
  }

  double of(String resource) {
    return seconds.get(resource);
  }

  /** Seconds on the device: what the scarcest resource needs, without the launch itself. */
  double busy() {
    return seconds.entrySet().stream()
        .filter(entry -> !entry.getKey().equals("launch"))
        .mapToDouble(Map.Entry::getValue)
        .max()
        .orElseThrow();
  }

  /** With the launch, as of a kernel in a stream that is kept busy. */
  double total() {
    return busy() + of("launch");
  }
}
