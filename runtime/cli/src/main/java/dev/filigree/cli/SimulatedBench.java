package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.simgpu.DeviceSettings;
import dev.filigree.simgpu.SimulatedDevice;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Projected times of a model on GPUs that are not there: every kernel is run by the simulated GPU
 * and counted, and the simulation's model turns the counts into times. Never a measurement.
 */
final class SimulatedBench {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** The simulated models, by their names for settings and in projections. */
  private static final Map<String, String> GPUS = new LinkedHashMap<>();

  static {
    GPUS.put("a100", "A100");
    GPUS.put("a10", "A10");
    GPUS.put("rtx3090", "RTX 3090");
  }

  private SimulatedBench() {}

  /**
   * Launches of one kernel in a run.
   *
   * @param limits what bounds them, most often the first
   */
  record Kernel(String name, int launches, double micros, String limits) {}

  /** A run on one GPU. */
  record Result(String recipe, String gpu, int batch, int length, List<Kernel> kernels) {
    double micros() {
      return kernels.stream().mapToDouble(Kernel::micros).sum();
    }
  }

  /**
   * Projects runs of a model on every GPU.
   *
   * @param inputs for a model
   */
  static List<Result> project(
      String recipe,
      Supplier<Model> open,
      SessionOptions options,
      int batch,
      int length,
      Function<Model, Map<String, Tensor>> inputs,
      Progress progress) {
    List<Result> results = new ArrayList<>();
    for (Map.Entry<String, String> gpu : GPUS.entrySet()) {
      progress.at("simulating " + gpu.getValue(), results.size(), GPUS.size());
      DeviceSettings settings = DeviceSettings.DEFAULT.withModel(gpu.getKey()).withTraffic();
      try (SimulatedDevice device = SimulatedDevice.open(settings);
          Model model = open.get();
          Session session = model.session(options)) {
        Map<String, Tensor> tensors = inputs.apply(model);
        session.run(tensors);
        device.clear();
        session.run(tensors);
        results.add(
            new Result(
                recipe,
                gpu.getValue(),
                batch,
                length,
                kernels(device.projection(), gpu.getValue())));
      }
    }
    return results;
  }

  private static List<Kernel> kernels(String projection, String gpu) {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (JsonNode launch : JSON.readTree(projection)) {
      for (JsonNode device : launch.path("devices")) {
        if (device.path("device").asString().equals(gpu)) {
          String name = launch.path("kernel").asString();
          double micros = device.path("projectedSeconds").asDouble() * 1e6;
          String limit = device.path("limit").asString();
          kernels.merge(
              name,
              new Kernel(name, 1, micros, limit),
              (a, b) ->
                  new Kernel(
                      name,
                      a.launches + b.launches,
                      a.micros + b.micros,
                      a.limits.contains(b.limits) ? a.limits : a.limits + ", " + b.limits));
        }
      }
    }
    List<Kernel> byTime = new ArrayList<>(kernels.values());
    byTime.sort(Comparator.comparingDouble(Kernel::micros).reversed());
    return byTime;
  }

  /** Time of the dense model on the same GPU and shape over own time. */
  private static double ratio(Result result, List<Result> all) {
    for (Result other : all) {
      if (other.gpu.equals(result.gpu)
          && other.batch == result.batch
          && other.length == result.length) {
        return other.micros() / result.micros();
      }
    }
    return 1;
  }

  static void json(PrintWriter out, List<Result> results) {
    ObjectNode document = Output.JSON.createObjectNode();
    Machine.describe(document.putObject("machine"));
    document.put("projected", true);
    ArrayNode list = document.putArray("results");
    for (Result result : results) {
      double millis = result.micros() / 1e3;
      ObjectNode entry =
          list.addObject()
              .put("runtime", "filigree")
              .put("recipe", result.recipe)
              .put("device", "simulated " + result.gpu)
              .put("batch", result.batch)
              .put("length", result.length == 0 ? null : (Integer) result.length)
              .put("threads", 0)
              .put("runs", 1)
              .put("p50Millis", millis)
              .put("p95Millis", millis)
              .put("p99Millis", millis)
              .put("throughputPerSecond", result.batch * 1e3 / millis)
              .put("ratioToBaseline", ratio(result, results))
              .put("projected", true);
      ArrayNode kernels = entry.putArray("kernels");
      for (Kernel kernel : result.kernels) {
        kernels
            .addObject()
            .put("kernel", kernel.name)
            .put("launches", kernel.launches)
            .put("projectedMicros", kernel.micros)
            .put("limit", kernel.limits);
      }
    }
    Output.json(out, document);
  }

  static void print(PrintWriter out, List<Result> results) {
    out.println("Projected from counters of the simulated GPU; nothing here was measured.");
    out.println();
    Output.Table whole =
        new Output.Table(
            "gpu", "recipe", ">batch", ">length", ">projected", ">per s", ">times dense");
    for (Result result : results) {
      whole.row(
          result.gpu,
          result.recipe,
          Integer.toString(result.batch),
          result.length == 0 ? "" : Integer.toString(result.length),
          Output.format("%.3f ms", result.micros() / 1e3),
          Output.format("%.0f", result.batch * 1e6 / result.micros()),
          Output.format("%.2fx", ratio(result, results)));
    }
    whole.print(out);
    for (Result result : results) {
      out.println();
      String size = result.length == 0 ? "" : " x " + result.length;
      out.println(result.gpu + ", " + result.recipe + ", " + result.batch + size);
      Output.Table table = new Output.Table("kernel", ">launches", ">projected", "limited by");
      for (Kernel kernel : result.kernels) {
        table.row(
            kernel.name,
            Integer.toString(kernel.launches),
            Output.format("%.1f µs", kernel.micros),
            kernel.limits);
      }
      table.print(out);
    }
  }
}
