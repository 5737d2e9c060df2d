package dev.filigree.cuda.linear;

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
   * The same of a launch of many blocks like this one: resources are those of the busiest
   * multiprocessor, and latency repeats with each wave of blocks that are there together.
   *
   * @param blocks of the launch
   * @param resident blocks that a multiprocessor has room for
   */
  Projected times(int blocks, int resident) {
    double busiest = Math.ceil(blocks / MULTIPROCESSORS);
    double waves = Math.ceil(blocks / (MULTIPROCESSORS * resident));
    Map<String, Double> more = new TreeMap<>();
    seconds.forEach(
        (resource, time) ->
            more.put(
                resource,
                switch (resource) {
                  case "launch" -> time;
                  case "latency" -> time * waves;
                  case "DRAM" -> time * blocks; // too much: blocks share what they read
                  default -> time * busiest;
                }));
    return new Projected(more);
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
