package dev.filigree.plan;

import dev.filigree.InputException;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.ValueInfo;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * The plans of a runner by the shapes of its inputs, as many as the session keeps. Thread-safe: a
 * run finds its plan without a lock.
 *
 * @param <P> a device's plan
 * @param <W> memory for one run of it at a time
 */
public final class ShapePlans<P, W extends ShapePlan.Memory> {
  /** In place of a number of tokens: all that the shapes have. */
  static final int ALL = -1;

  /** Makes plans. */
  interface Planning<P> {
    /**
     * Makes a plan.
     *
     * @param tokens to be computed of those the shapes have, or {@link #ALL}
     * @return nothing if there is none
     */
    Optional<P> plan(Map<String, Shape> shapes, int tokens);
  }

  private final List<ValueInfo> inputs;
  private final SessionOptions options;
  private final Planning<P> planner;
  private final ToLongFunction<P> bytes;

  /** Replaced as a whole. */
  private volatile List<ShapePlan<P, W>> plans = List.of();

  /**
   * No plans yet.
   *
   * @param inputs of the graph
   * @param planner makes a plan for shapes; nothing if only the interpreter can run the graph
   * @param bytes of activations that a run of a plan takes
   */
  public ShapePlans(
      List<ValueInfo> inputs,
      SessionOptions options,
      Function<Map<String, Shape>, Optional<P>> planner,
      ToLongFunction<P> bytes) {
    this(inputs, options, (shapes, tokens) -> planner.apply(shapes), bytes);
  }

  /**
   * No plans yet.
   *
   * @param planner makes a plan for some or all tokens of shapes
   * @param bytes of activations that a run of a plan takes
   */
  ShapePlans(
      List<ValueInfo> inputs,
      SessionOptions options,
      Planning<P> planner,
      ToLongFunction<P> bytes) {
    this.inputs = inputs;
    this.options = options;
    this.planner = planner;
    this.bytes = bytes;
  }

  /** Shapes of tensors by name. */
  public static Map<String, Shape> shapes(Map<String, Tensor> tensors) {
    Map<String, Shape> shapes = new HashMap<>();
    tensors.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    return shapes;
  }

  /** The same tensors, each without gaps. */
  public static Map<String, Tensor> contiguous(Map<String, Tensor> tensors) {
    Map<String, Tensor> all = new HashMap<>(tensors);
    all.replaceAll((name, tensor) -> tensor.contiguous());
    return all;
  }

  /**
   * Checks the tensor a caller gives for an output.
   *
   * @throws InputException if it is of another type or shape, or not contiguous
   */
  public static void check(ValueInfo info, Shape shape, Tensor target) {
    if (!target.shape().equals(shape) || target.dtype() != info.dtype() || !target.isContiguous()) {
      throw new InputException(
          "output '"
              + info.name()
              + "' is "
              + info.dtype()
              + shape
              + " but the tensor for it is "
              + target,
          "pass a contiguous tensor of that type and shape");
    }
  }

  /** All plans. */
  public List<ShapePlan<P, W>> all() {
    return plans;
  }

  /** The plan for inputs, made if there is none; allocates nothing if there is. */
  public ShapePlan<P, W> plan(Map<String, Tensor> tensors) {
    return plan(tensors, ALL);
  }

  /** The same for some of the tokens that the shapes have. */
  ShapePlan<P, W> plan(Map<String, Tensor> tensors, int tokens) {
    List<ShapePlan<P, W>> known = plans;
    // by index: an iterator would be garbage of every run
    for (int i = 0; i < known.size(); i++) {
      if (known.get(i).fits(inputs, tensors, tokens)) {
        known.get(i).touch();
        return known.get(i);
      }
    }
    return planFor(shapes(tensors), tokens);
  }

  /**
   * The plan for shapes, made if there is none; the one used longest ago makes room for it.
   *
   * @throws InputException if a run would take more memory than the session may
   */
  public ShapePlan<P, W> planFor(Map<String, Shape> shapes) {
    return planFor(shapes, ALL);
  }

  /** The same for some of the tokens that the shapes have. */
  synchronized ShapePlan<P, W> planFor(Map<String, Shape> shapes, int tokens) {
    for (ShapePlan<P, W> plan : plans) {
      if (plan.isFor(shapes, tokens)) {
        plan.touch();
        return plan;
      }
    }
    Optional<P> made = planner.plan(shapes, tokens);
    made.filter(plan -> bytes.applyAsLong(plan) > options.activationBytes())
        .ifPresent(
            plan -> {
              throw new InputException(
                  "inputs of the shapes "
                      + shapes
                      + " need "
                      + bytes.applyAsLong(plan)
                      + " bytes of activations, more than the "
                      + options.activationBytes()
                      + " the session may take",
                  "use smaller batches or shorter sequences, or raise"
                      + " SessionOptions.activationBytes");
            });
    List<ShapePlan<P, W>> kept = new ArrayList<>(plans);
    if (kept.size() >= options.shapes()) {
      ShapePlan<P, W> oldest = Collections.min(kept, ShapePlan.BY_LAST_USE);
      kept.remove(oldest);
      oldest.retire();
    }
    ShapePlan<P, W> plan = new ShapePlan<>(inputs, shapes, tokens, made);
    kept.add(plan);
    plans = List.copyOf(kept);
    return plan;
  }

  /** Drops the plan for all tokens of shapes and those for some tokens, to be made anew. */
  public synchronized void forget(Map<String, Shape> shapes) {
    List<ShapePlan<P, W>> kept = new ArrayList<>(plans);
    kept.removeIf(
        plan -> {
          if (plan.isFor(shapes, ALL) || plan.leavesOut()) {
            plan.retire();
            return true;
          }
          return false;
        });
    plans = List.copyOf(kept);
  }

  /** Bytes of the workspaces that wait for a run. */
  public long idleBytes() {
    List<ShapePlan<P, W>> known = plans;
    long sum = 0;
    for (int i = 0; i < known.size(); i++) {
      sum += known.get(i).idleBytes();
    }
    return sum;
  }

  /** Frees memory of the shapes used longest ago until the rest is within the session's limit. */
  public void freeIdle() {
    if (idleBytes() <= options.activationBytes()) {
      return;
    }
    synchronized (this) {
      List<ShapePlan<P, W>> byLastUse = new ArrayList<>(plans);
      byLastUse.sort(ShapePlan.BY_LAST_USE);
      for (ShapePlan<P, W> plan : byLastUse) {
        if (idleBytes() > options.activationBytes()) {
          plan.freeIdle();
        }
      }
    }
  }

  /** Drops all plans; memory in use is freed when it comes back. */
  public synchronized void retire() {
    plans.forEach(ShapePlan::retire);
    plans = List.of();
  }
}
