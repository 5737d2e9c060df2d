package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.event.Flight;
import dev.filigree.event.KernelChoiceEvent;
import dev.filigree.event.PackEvent;
import dev.filigree.event.PlanEvent;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;

/** What planners of every device tell the flight recorder; nothing while nobody records. */
public final class Recorded {
  private Recorded() {}

  /**
   * Plans, and records it with the kernel of each operation.
   *
   * @param shapes of the inputs
   * @param planning empty if shapes inside the graph follow from data
   * @param layers of a plan, for explaining
   * @param bytes of a plan's activations
   */
  public static <P> Optional<P> plan(
      Map<String, Shape> shapes,
      Supplier<Optional<P>> planning,
      Function<P, List<LayerPlan>> layers,
      ToLongFunction<P> bytes) {
    PlanEvent event = Flight.begin(PlanEvent::new);
    Optional<P> made = planning.get();
    if (event != null) {
      event.end();
    }
    if (made.isEmpty()) {
      Flight.fallback(
          "node by node",
          "shapes of " + shapes + " follow from data",
          "export the graph with shapes that follow from those of its inputs");
    }
    if (event != null && event.shouldCommit()) {
      event.shapes = shapes.toString();
      event.operations = made.map(plan -> layers.apply(plan).size()).orElse(0);
      event.bytes = made.map(bytes::applyAsLong).orElse(0L);
      event.commit();
      made.ifPresent(plan -> layers.apply(plan).forEach(Recorded::choice));
    }
    return made;
  }

  private static void choice(LayerPlan layer) {
    KernelChoiceEvent event = new KernelChoiceEvent();
    event.operation = layer.name();
    event.operator = layer.operator();
    event.format = layer.format();
    event.kernel = layer.kernel();
    event.reason = layer.reason();
    event.commit();
  }

  /** Records that an operation does not run where it was to run. */
  public static void fallback(String what, String reason, String remedy) {
    Flight.fallback(what, reason, remedy);
  }

  /**
   * Lays weights out, and records it.
   *
   * @param bytes of what was laid out
   */
  public static <T> T pack(
      String kernel, String format, Supplier<T> packing, ToLongFunction<T> bytes) {
    PackEvent event = Flight.begin(PackEvent::new);
    T packed = packing.get();
    if (event != null && event.shouldCommit()) {
      event.kernel = kernel;
      event.format = format;
      event.bytes = bytes.applyAsLong(packed);
      event.commit();
    }
    return packed;
  }
}
