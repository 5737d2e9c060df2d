package dev.filigree.simgpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads the JSON texts of the simulated device. */
final class Reports {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private Reports() {}

  static List<Finding> findings(String json) {
    List<Finding> findings = new ArrayList<>();
    for (JsonNode node : JSON.readTree(json).path("findings")) {
      findings.add(
          new Finding(
              node.path("kind").asString(),
              node.path("status").asString(),
              node.path("call").asString(),
              node.path("text").asString(),
              node.path("kernel").asString(""),
              node.path("line").asLong(-1),
              node.path("instruction").asString(""),
              integers(node.path("block")),
              node.path("warp").asInt(-1),
              node.path("lane").asInt(-1),
              node.path("address").asString(""),
              node.path("allocation").asString("")));
    }
    return List.copyOf(findings);
  }

  static List<Launch> launches(String json) {
    List<Launch> launches = new ArrayList<>();
    for (JsonNode node : JSON.readTree(json).path("launches")) {
      JsonNode counters = node.path("counters");
      launches.add(
          new Launch(
              node.path("kernel").asString(),
              node.path("status").asString(),
              integers(node.path("grid")),
              integers(node.path("block")),
              node.path("residentBlocks").asInt(),
              numbers(counters.path("warpInstructions")),
              numbers(counters)));
    }
    return List.copyOf(launches);
  }

  static List<Projection> projections(String json) {
    List<Projection> projections = new ArrayList<>();
    for (JsonNode launch : JSON.readTree(json)) {
      for (JsonNode device : launch.path("devices")) {
        Map<String, Double> seconds = new TreeMap<>();
        device
            .path("seconds")
            .properties()
            .forEach(field -> seconds.put(field.getKey(), field.getValue().asDouble()));
        projections.add(
            new Projection(
                launch.path("kernel").asString(),
                device.path("device").asString(),
                device.path("projectedSeconds").asDouble(),
                device.path("limit").asString(),
                Map.copyOf(seconds)));
      }
    }
    return List.copyOf(projections);
  }

  static KernelSignature signature(String json) {
    JsonNode node = JSON.readTree(json);
    List<KernelSignature.Parameter> parameters = new ArrayList<>();
    for (JsonNode each : node.path("parameters")) {
      parameters.add(
          new KernelSignature.Parameter(
              each.path("name").asString(),
              each.path("offset").asInt(),
              each.path("size").asInt(),
              each.path("alignment").asInt()));
    }
    return new KernelSignature(
        node.path("kernel").asString(), node.path("bytes").asInt(), parameters);
  }

  private static List<Integer> integers(JsonNode array) {
    List<Integer> values = new ArrayList<>();
    for (JsonNode value : array) {
      values.add(value.asInt());
    }
    return List.copyOf(values);
  }

  private static Map<String, Long> numbers(JsonNode object) {
    Map<String, Long> values = new TreeMap<>();
    object
        .properties()
        .forEach(
            field -> {
              if (field.getValue().isNumber()) {
                values.put(field.getKey(), field.getValue().asLong());
              }
            });
    return Map.copyOf(values);
  }
}
