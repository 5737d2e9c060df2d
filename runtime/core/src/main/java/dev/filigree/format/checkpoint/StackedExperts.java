package dev.filigree.format.checkpoint;

import dev.filigree.Shape;
import dev.filigree.format.safetensors.SafetensorsFile.Entry;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Experts of a layer that are stored in one tensor, as transformers 5 holds them and writes them
 * with {@code save_original_format=False}, seen as the layers that checkpoints are published with.
 * Nothing is copied:
 *
 * <pre>
 *   mlp.experts.gate_up_proj [experts, 2 * wide, hidden]    gate of expert 0 | up of expert 0 | gate of expert 1 | ...
 *   mlp.experts.down_proj    [experts, hidden, wide]        expert 0 | expert 1 | ...
 * </pre>
 */
final class StackedExperts {
  private static final String JOINED = "mlp.experts.gate_up_proj";
  private static final String DOWN = "mlp.experts.down_proj";
  private static final String ROUTER = "mlp.gate.weight";

  private final Family family;
  private final Map<String, Entry> apart = new LinkedHashMap<>();

  private StackedExperts(Family family) {
    this.family = family;
  }

  /** The tensors of a checkpoint under the names that the family has for experts. */
  static CheckpointTensors apart(CheckpointTensors tensors, Family family) {
    Set<String> layers =
        tensors.entries().keySet().stream()
            .filter(name -> name.endsWith(DOWN))
            .map(name -> without(name, DOWN))
            .collect(Collectors.toSet());
    if (!family.has("experts") || layers.isEmpty()) {
      return tensors;
    }
    StackedExperts experts = new StackedExperts(family);
    tensors.entries().forEach((name, entry) -> experts.add(name, entry, layers));
    return CheckpointTensors.of(experts.apart);
  }

  private static String without(String name, String suffix) {
    return name.substring(0, name.length() - suffix.length());
  }

  private void add(String name, Entry entry, Set<String> layers) {
    boolean stacked = entry.shape().rank() == 3 && entry.shape().elements() > 0;
    if (name.endsWith(JOINED) && stacked && entry.shape().extent(1) % 2 == 0) {
      split(without(name, JOINED), entry, "expert_gate", "expert_up");
    } else if (name.endsWith(DOWN) && stacked) {
      split(without(name, DOWN), entry, "expert_down");
    } else if (name.endsWith(ROUTER) && layers.contains(without(name, ROUTER))) {
      put(without(name, ROUTER) + module("router"), entry.shape(), entry, 0);
    } else {
      apart.put(name, entry);
    }
  }

  /** Cuts each expert's rows into equal parts. */
  private void split(String layer, Entry entry, String... roles) {
    long rows = entry.shape().extent(1) / roles.length;
    Shape shape = Shape.of(rows, entry.shape().extent(2));
    long bytes = entry.data().byteSize() / entry.shape().extent(0) / roles.length;
    for (int expert = 0; expert < entry.shape().extent(0); expert++) {
      String own = layer + module("experts") + "." + expert + ".";
      for (int role = 0; role < roles.length; role++) {
        put(own + module(roles[role]), shape, entry, ((long) expert * roles.length + role) * bytes);
      }
    }
  }

  private String module(String role) {
    return family.module(role).orElseThrow();
  }

  private void put(String module, Shape shape, Entry from, long at) {
    String name = module + ".weight";
    long bytes = shape.elements() * from.data().byteSize() / from.shape().elements();
    apart.put(name, new Entry(name, from.type(), shape, from.data().asSlice(at, bytes)));
  }
}
