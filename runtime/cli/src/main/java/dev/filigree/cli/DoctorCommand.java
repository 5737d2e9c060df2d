package dev.filigree.cli;

import dev.filigree.Device;
import dev.filigree.spi.DeviceProvider;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.Devices;
import dev.filigree.spi.KernelGuard;
import dev.filigree.spi.KernelProvider;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.LibraryStatus;
import java.io.PrintWriter;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Tells what is there, what is missing, and what would mend it. */
@Command(
    name = "doctor",
    description = "Show devices, kernels and libraries, found and missing with the fix.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true)
final class DoctorCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common.Format format;

  @Option(
      names = "--device",
      paramLabel = "D",
      defaultValue = "auto",
      converter = Common.DeviceConverter.class,
      description = "Show this device only, and fail if it is not ready (default: all).")
  private Device device = Device.auto();

  /** A library, with its path, or how to get it. */
  private record Library(String name, boolean found, String detail) {}

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    List<KernelSets.Installed> sets = KernelSets.installed();
    KernelSets.Installed vector =
        sets.stream().filter(set -> set.name().equals("vector")).findFirst().orElse(null);
    List<DeviceStatus> devices = wanted();
    if (format.json) {
      json(out, sets, vector, devices);
    } else {
      print(out, sets, devices);
    }
    boolean isMet = isAny() || devices.stream().allMatch(DeviceStatus::ready);
    return isMet ? Main.DONE : Main.UNMET;
  }

  private boolean isAny() {
    return device.kind() == Device.Kind.AUTO;
  }

  /** The device that is asked about, or all. */
  private List<DeviceStatus> wanted() {
    List<DeviceStatus> all = devices();
    if (isAny()) {
      return all;
    }
    return List.of(
        all.stream()
            .filter(status -> status.device().equals(device))
            .findFirst()
            .orElseGet(
                () ->
                    DeviceStatus.missing(
                        device,
                        "there is none of this name",
                        "choose one of " + all.stream().map(DeviceStatus::device).toList())));
  }

  private static void json(
      PrintWriter out,
      List<KernelSets.Installed> sets,
      KernelSets.Installed vector,
      List<DeviceStatus> shown) {
    ObjectNode document = Output.JSON.createObjectNode().put("java", Machine.java());
    ObjectNode kernels = document.putObject("vector");
    switch (vector == null ? null : vector.probe()) {
      case null ->
          kernels
              .put("bits", 0)
              .put("ready", false)
              .put("why", "the jar filigree-kernels-vector is not installed");
      case KernelProvider.Probe.Ready(String detail) ->
          kernels.put("bits", bits(detail)).put("ready", true).put("why", detail + " vectors");
      case KernelProvider.Probe.Missing(String why, String fix) ->
          kernels.put("bits", 0).put("ready", false).put("why", why).put("fix", fix);
    }
    document.put("kernels", chosen(sets));
    ArrayNode stuck = document.putArray("stuck");
    for (KernelGuard.Stuck kernel : stuck()) {
      stuck
          .addObject()
          .put("kernel", kernel.operation())
          .put("slowdown", kernel.slowdown())
          .put("fix", KernelGuard.REMEDY);
    }
    document.put("native", Machine.nativeKernels());
    document.put("jit", jit());
    ArrayNode devices = document.putArray("devices");
    for (DeviceStatus status : shown) {
      devices
          .addObject()
          .put("name", status.device().toString())
          .put("kind", status.device().kind().name().toLowerCase(Locale.ROOT))
          .put("ready", status.ready())
          .put("why", status.why())
          .put("fix", status.fix());
    }
    ArrayNode libraries = document.putArray("libraries");
    for (Library library : libraries()) {
      ObjectNode entry =
          libraries.addObject().put("name", library.name).put("found", library.found);
      if (library.found) {
        entry.put("path", library.detail);
      } else {
        entry.putNull("path").put("fix", library.detail);
      }
    }
    document.put("cache", Cache.folder().toString());
    Output.json(out, document);
  }

  /** Kernels of the set in use that the JIT compiler gave up on in this process. */
  private static List<KernelGuard.Stuck> stuck() {
    KernelSets.open("");
    try (ProgressBars progress = new ProgressBars()) {
      return KernelGuard.checkAll(progress);
    }
  }

  /** The devices of all providers, the CPU first. */
  private static List<DeviceStatus> devices() {
    List<DeviceStatus> devices = new ArrayList<>();
    for (DeviceProvider provider : Devices.providers()) {
      if (provider.kind() == Device.Kind.CPU) {
        String what = Machine.processor() + ", " + provider.devices().getFirst().why();
        devices.add(DeviceStatus.ready(Device.cpu(), what));
      } else {
        devices.addAll(provider.devices());
      }
    }
    return devices;
  }

  private static int bits(String detail) {
    return Integer.parseInt(detail.substring(0, detail.indexOf('-')));
  }

  /** The first whole set that can run is the one that serves, with the partial ones before it. */
  private static String chosen(List<KernelSets.Installed> sets) {
    return sets.stream()
        .filter(set -> !set.isPartial() && set.probe() instanceof KernelProvider.Probe.Ready)
        .findFirst()
        .orElseThrow()
        .name();
  }

  private static String jit() {
    return System.getProperty("java.vm.info", "unknown");
  }

  private static void print(
      PrintWriter out, List<KernelSets.Installed> sets, List<DeviceStatus> shown) {
    out.println("java      " + Machine.java() + " (" + jit() + ")");
    for (DeviceStatus status : shown) {
      out.println(
          "device    "
              + status.device()
              + ": "
              + (status.ready()
                  ? "ready, " + status.why()
                  : "not used: " + status.why() + "; " + status.fix()));
    }
    String chosen = chosen(sets);
    for (KernelSets.Installed set : sets) {
      String state =
          switch (set.probe()) {
            case KernelProvider.Probe.Ready(String detail) ->
                "ready, "
                    + detail
                    + (set.isPartial()
                        ? "  <- in use for int8, and bf16 with --precision bf16"
                        : chosen.equals(set.name()) ? "  <- in use" : "");
            case KernelProvider.Probe.Missing(String why, String fix) ->
                "not used: " + why + "; " + fix;
          };
      out.println("kernels   " + set.name() + ": " + state);
    }
    for (KernelGuard.Stuck kernel : stuck()) {
      out.printf(
          Locale.ROOT,
          "stuck     %s: %.0f times as slow as the scalar kernel, which replaces it; %s%n",
          kernel.operation(),
          kernel.slowdown(),
          KernelGuard.REMEDY);
    }
    for (Library library : libraries()) {
      out.println(
          "library   "
              + library.name
              + ": "
              + (library.found ? library.detail : "missing; " + library.detail));
    }
    Path cache = Cache.folder();
    out.println("cache     " + cache + (Files.isDirectory(cache) ? "" : " (not made yet)"));
  }

  /** The libraries the command can do without or that may be missing on a class path. */
  private static List<Library> libraries() {
    List<Library> libraries = new ArrayList<>();
    libraries.add(
        library("tokenizers", "ai/djl/huggingface/tokenizers/HuggingFaceTokenizer.class"));
    libraries.add(library("bundled model minilm", "all-minilm-l6-v2.onnx"));
    for (DeviceProvider provider : Devices.providers()) {
      for (LibraryStatus status : provider.libraries()) {
        libraries.add(new Library(status.name(), status.found(), status.detail()));
      }
    }
    return libraries;
  }

  private static Library library(String name, String resource) {
    URL url = DoctorCommand.class.getClassLoader().getResource(resource);
    if (url == null) {
      return new Library(name, false, "start the command by its launcher");
    }
    URI place = URI.create(url.toString().replaceFirst("^jar:", "").replaceFirst("!.*$", ""));
    boolean isFile = "file".equals(place.getScheme());
    return new Library(name, true, isFile ? Path.of(place).toString() : place.toString());
  }
}
