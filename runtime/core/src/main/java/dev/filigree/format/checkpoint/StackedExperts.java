package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.format.safetensors.SafetensorsFile.Entry;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Experts of a layer that are stored in one tensor, as transformers 5 holds them and writes them
 * with {@code save_original_format=False}, and as Granite's and gpt-oss are published, seen as
 * layers that stand alone. Nothing is copied:
 *
 * <pre>
 *   mlp.experts.gate_up_proj [experts, 2 * wide, hidden]    gate of expert 0 | up of expert 0 | gate of expert 1 | ...
 *   mlp.experts.down_proj    [experts, hidden, wide]        expert 0 | expert 1 | ...
 * </pre>
 *
 * <p>Those of gpt-oss lie {@code [experts, in, out]} and keep gate and up joined; beside them are
 * {@code _bias [experts, out]}, and in their place may be {@code _blocks [experts, out, in / 32,
 * 16]} and {@code _scales [experts, out, in / 32]}.
 */
final class StackedExperts {
  /** Ends of a stacked tensor's name, and what they are called of an expert that stands alone. */
  private static final Map<String, String> PARTS =
      Map.of("", "weight", "_bias", "bias", "_blocks", "blocks", "_scales", "scales");

  /** A stacked tensor: the layer it is of, which of its roles it holds, and which part of them. */
  private record Stacked(String layer, boolean isJoined, String part) {}

  private final Family family;
  private final List<String> joined;
  private final List<String> down;
  private final List<String> routers;
  private final Map<String, Entry> apart = new LinkedHashMap<>();

  private StackedExperts(Family family) {
    this.family = family;
    JsonFile names = family.about().object("stacked").orElseThrow();
    this.joined = names.texts("joined");
    this.down = names.texts("down");
    this.routers = names.texts("router");
  }

  /** The tensors of a checkpoint under the names that the family has for experts. */
  static CheckpointTensors apart(CheckpointTensors tensors, Family family) {
    if (!family.has("experts")) {
      return tensors;
    }
    StackedExperts experts = new StackedExperts(family);
    Set<String> layers =
        tensors.entries().values().stream()
            .flatMap(entry -> experts.stacked(entry).stream())
            .map(Stacked::layer)
            .collect(Collectors.toSet());
    if (layers.isEmpty()) {
      return tensors;
    }
    tensors.entries().forEach((name, entry) -> experts.add(name, entry, layers));
    return CheckpointTensors.of(experts.apart);
  }

  private Optional<Stacked> stacked(Entry entry) {
    return stacked(entry.name(), joined, true).or(() -> stacked(entry.name(), down, false));
  }

  private static Optional<Stacked> stacked(String name, List<String> choices, boolean isJoined) {
    for (String choice : choices) {
      for (String end : PARTS.keySet()) {
        if (name.endsWith(choice + end)) {
          String layer = without(name, choice + end);
          return Optional.of(new Stacked(layer, isJoined, PARTS.get(end)));
        }
      }
    }
    return Optional.empty();
  }

  private static String without(String name, String suffix) {
    return name.substring(0, name.length() - suffix.length());
  }

  private void add(String name, Entry entry, Set<String> layers) {
    Optional<Stacked> stacked = stacked(entry);
    Optional<String> router =
        routers.stream()
            .filter(name::endsWith)
            .filter(own -> layers.contains(without(name, own)))
            .findFirst();
    if (stacked.isPresent()) {
      split(stacked.get(), entry);
    } else if (router.isPresent()) {
      String module = without(name, router.get()) + module("router");
      put(module + ".weight", entry.shape(), entry, 0);
    } else {
      apart.put(name, entry);
    }
  }

  /** Cuts each expert's rows into as many equal parts as it has layers. */
  private void split(Stacked of, Entry entry) {
    List<String> roles =
        !of.isJoined
            ? List.of("expert_down")
            : family.module("expert_both").isPresent()
                ? List.of("expert_both")
                : List.of("expert_gate", "expert_up");
    Shape shape = entry.shape();
    int experts = family.config().required("num_experts", 1, FeedForward.MOST_EXPERTS);
    boolean fits = shape.rank() > 1 && shape.elements() > 0 && shape.extent(0) == experts;
    if (!fits || shape.extent(1) % roles.size() != 0) {
      throw new FormatException(
          "the tensor '"
              + entry.name()
              + "' of experts has the shape "
              + shape
              + " where config.json says "
              + experts
              + " experts",
          "use the config that belongs to the weights");
    }
    boolean isTurned = family.has("turned_experts") && of.part.equals("weight");
    long[] extents = new long[shape.rank() - 1];
    Arrays.setAll(extents, i -> shape.extent(i + 1));
    extents[0] /= roles.size();
    Shape own = Shape.of(extents);
    long bytes = entry.data().byteSize() / experts / roles.size();
    for (int expert = 0; expert < experts; expert++) {
      String prefix = of.layer + module("experts") + "." + expert + ".";
      for (int role = 0; role < roles.size(); role++) {
        String name = prefix + module(roles.get(role)) + "." + (isTurned ? "turned" : of.part);
        put(name, own, entry, ((long) expert * roles.size() + role) * bytes);
      }
    }
  }

  private String module(String role) {
    return family.module(role).orElseThrow();
  }

  private void put(String name, Shape shape, Entry from, long at) {
    long bytes = shape.elements() * from.data().byteSize() / from.shape().elements();
    apart.put(name, new Entry(name, from.type(), shape, from.data().asSlice(at, bytes)));
  }
}
