package dev.filigree.cuda.plan;

import dev.filigree.FiligreeException;
import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.format.AtomicFile;
import dev.filigree.spi.NativeFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Measurements of layers on disk, so that a machine measures once: a file for each device, driver
 * and text of the kernels, and for models whose weights fit into the device's cache or do not. A
 * file appears whole or not at all; one that is damaged, or that cannot be written, costs a
 * measurement and nothing else.
 *
 * @param file of this device, driver, libraries and kernels
 * @param key what it must say it is of
 */
record MeasurementStore(Path file, Map<String, String> key) {
  private static final System.Logger LOG = System.getLogger(MeasurementStore.class.getName());
  private static final JsonMapper JSON = JsonMapper.builder().build();

  /**
   * The user's file for a device.
   *
   * @param libraries those of NVIDIA and their versions: another release is as fast as it is
   * @param streamed whether weights came from memory, and not from the cache
   */
  static MeasurementStore of(GpuProperties gpu, String libraries, boolean streamed) {
    return of(gpu, libraries, streamed, NativeFolder.ofUser("cuda").candidates().getFirst());
  }

  /** The file for a device in a folder. */
  static MeasurementStore of(GpuProperties gpu, String libraries, boolean streamed, Path folder) {
    Map<String, String> key =
        Map.of(
            "device", gpu.name(),
            "driver", Integer.toString(gpu.driverVersion()),
            "libraries", libraries,
            "weights", streamed ? "from memory" : "in the cache",
            "kernels", KernelReport.kernelHash());
    String name = HexFormat.of().toHexDigits(key.hashCode());
    return new MeasurementStore(folder.resolve("measured-" + name + ".json"), key);
  }

  /** What is stored; nothing where there is no file, or none of this device. */
  Map<LayerKind, Map<String, Double>> load() {
    Map<LayerKind, Map<String, Double>> times = new HashMap<>();
    if (!Files.isRegularFile(file)) {
      return times;
    }
    try {
      JsonNode document = JSON.readTree(Files.readAllBytes(file));
      for (Map.Entry<String, String> part : key.entrySet()) {
        if (!document.path(part.getKey()).asString("").equals(part.getValue())) {
          return times;
        }
      }
      for (JsonNode layer : document.path("layers")) {
        times.put(kind(layer), micros(layer));
      }
      return times;
    } catch (IOException | JacksonException | IllegalArgumentException damaged) {
      LOG.log(
          System.Logger.Level.DEBUG, () -> file + " is not used and will be replaced: " + damaged);
      return Map.of();
    }
  }

  private static LayerKind kind(JsonNode layer) {
    return new LayerKind(
        layer.required("rows").intValue(),
        layer.required("columns").intValue(),
        layer.required("format").stringValue(),
        layer.required("stored").longValue(),
        layer.required("tokens").intValue(),
        layer.required("quantizable").booleanValue(),
        layer.required("window").stringValue());
  }

  private static Map<String, Double> micros(JsonNode layer) {
    Map<String, Double> micros = new HashMap<>();
    layer
        .required("micros")
        .properties()
        .forEach(
            each -> {
              double value = each.getValue().doubleValue();
              if (!(value > 0) || Double.isInfinite(value)) {
                throw new IllegalArgumentException(each.getKey() + " takes " + value);
              }
              micros.put(each.getKey(), value);
            });
    return micros;
  }

  /** Stores measurements beside those that others have stored meanwhile. */
  void save(Map<LayerKind, Map<String, Double>> times) {
    Map<LayerKind, Map<String, Double>> all = new HashMap<>(load());
    all.putAll(times);
    ObjectNode document = JSON.createObjectNode();
    key.forEach(document::put);
    ArrayNode layers = document.putArray("layers");
    all.forEach(
        (kind, micros) -> {
          ObjectNode layer =
              layers
                  .addObject()
                  .put("rows", kind.rows())
                  .put("columns", kind.columns())
                  .put("format", kind.format())
                  .put("stored", kind.stored())
                  .put("tokens", kind.tokens())
                  .put("quantizable", kind.quantizable())
                  .put("window", kind.window());
          ObjectNode values = layer.putObject("micros");
          micros.forEach(values::put);
        });
    try {
      Files.createDirectories(file.toAbsolutePath().getParent());
      byte[] text = JSON.writeValueAsString(document).getBytes(StandardCharsets.UTF_8);
      AtomicFile.write(file, channel -> channel.write(java.nio.ByteBuffer.wrap(text)));
    } catch (IOException | FiligreeException unwritable) {
      LOG.log(System.Logger.Level.DEBUG, () -> file + " is not written: " + unwritable);
    }
  }
}
