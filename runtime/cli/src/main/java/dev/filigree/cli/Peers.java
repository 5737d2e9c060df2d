package dev.filigree.cli;

import dev.filigree.UnsupportedException;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/** Finds the runtimes that are named on the command line. */
final class Peers {
  /** Those that come with Filigree. */
  private static final List<String> KNOWN = List.of("onnxruntime", "djl-pytorch");

  private Peers() {}

  /**
   * The runtimes of these names, in their order.
   *
   * @throws UsageException if nothing has such a name
   * @throws UnsupportedException if one is not on the class path
   */
  static List<PeerRuntime> named(List<String> names) {
    List<PeerRuntime> found = new ArrayList<>();
    if (names.isEmpty()) {
      return found;
    }
    List<PeerRuntime> installed = new ArrayList<>();
    ServiceLoader.load(PeerRuntime.class, Peers.class.getClassLoader()).forEach(installed::add);
    for (String name : names) {
      found.add(
          installed.stream()
              .filter(peer -> peer.name().equals(name))
              .findFirst()
              .orElseThrow(() -> missing(name)));
    }
    return found;
  }

  private static RuntimeException missing(String name) {
    if (!KNOWN.contains(name)) {
      return new UsageException(
          "--against " + name + " is no runtime; use " + String.join(", ", KNOWN));
    }
    return new UnsupportedException(
        "the runtime " + name + " is not on the class path",
        "start the command by its launcher, which adds it when --against names it, or add the jars"
            + " of filigree-benchmarks-peers");
  }
}
