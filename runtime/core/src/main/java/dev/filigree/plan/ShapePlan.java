package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.ValueInfo;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * The plan for one set of input shapes and the workspaces made for it. Thread-safe.
 *
 * @param <P> a device's plan
 * @param <W> memory for one run of it at a time
 */
public final class ShapePlan<P, W extends ShapePlan.Memory> {
  /** Memory that a run takes and gives back. */
  public interface Memory extends AutoCloseable {
    /** Bytes off the heap. */
    long bytes();

    @Override
    void close();
  }

  /** The one used longest ago first. */
  static final Comparator<ShapePlan<?, ?>> BY_LAST_USE =
      Comparator.comparingLong(plan -> plan.lastUse);

  private final Map<String, Shape> shapes;
  private final Shape[] inOrder;
  private final int tokens;
  private final Optional<P> plan;
  private final ArrayDeque<W> idle = new ArrayDeque<>();
  private volatile long lastUse = System.nanoTime();
  private volatile long idleBytes;
  private boolean retired;

  /**
   * A plan with its shapes.
   *
   * @param tokens it computes of those the shapes have, or {@link ShapePlans#ALL}
   * @param plan nothing if only the interpreter can run the graph
   */
  ShapePlan(List<ValueInfo> inputs, Map<String, Shape> shapes, int tokens, Optional<P> plan) {
    this.shapes = Map.copyOf(shapes);
    this.inOrder = inputs.stream().map(input -> shapes.get(input.name())).toArray(Shape[]::new);
    this.tokens = tokens;
    this.plan = plan;
  }

  /** Nothing if only the interpreter can run the graph. */
  public Optional<P> plan() {
    return plan;
  }

  boolean isFor(Map<String, Shape> others, int ofThem) {
    return tokens == ofThem && shapes.equals(others);
  }

  /** Whether it computes some of the tokens only. */
  boolean leavesOut() {
    return tokens != ShapePlans.ALL;
  }

  /** Whether inputs have the shapes of this plan; allocates nothing. */
  boolean fits(List<ValueInfo> inputs, Map<String, Tensor> tensors, int ofThem) {
    if (tokens != ofThem) {
      return false;
    }
    for (int i = 0; i < inOrder.length; i++) {
      if (!inOrder[i].equals(tensors.get(inputs.get(i).name()).shape())) {
        return false;
      }
    }
    return true;
  }

  /** Notes that the plan is in use. */
  void touch() {
    lastUse = System.nanoTime();
  }

  /** Bytes of the workspaces that wait for a run. */
  long idleBytes() {
    return idleBytes;
  }

  /** A workspace for one run, made if none is idle. */
  public W take(Function<P, W> maker) {
    synchronized (this) {
      W workspace = idle.poll();
      if (workspace != null) {
        idleBytes -= workspace.bytes();
        return workspace;
      }
    }
    return maker.apply(plan.orElseThrow());
  }

  /** Gives a workspace back. */
  public void give(W workspace) {
    synchronized (this) {
      if (!retired) {
        idle.push(workspace);
        idleBytes += workspace.bytes();
        return;
      }
    }
    workspace.close();
  }

  /** Frees the workspaces that wait for a run. */
  void freeIdle() {
    List<W> free;
    synchronized (this) {
      free = new ArrayList<>(idle);
      idle.clear();
      idleBytes = 0;
    }
    free.forEach(ShapePlan.Memory::close);
  }

  /** Frees the workspaces, those in use when they come back. */
  void retire() {
    synchronized (this) {
      retired = true;
    }
    freeIdle();
  }
}
