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
