package dev.filigree.cuda.plan;

import dev.filigree.Shape;
import dev.filigree.cuda.driver.CudaContext;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The plan for one set of input shapes and the workspaces made for it. Thread-safe. */
final class ShapePlan {
  private final Map<String, Shape> shapes;
  private final Optional<DevicePlan> plan;
  private final ArrayDeque<Workspace> idle = new ArrayDeque<>();
  private volatile long lastUse = System.nanoTime();
  private volatile long idleBytes;
  private boolean retired;

  ShapePlan(Map<String, Shape> shapes, Optional<DevicePlan> plan) {
    this.shapes = Map.copyOf(shapes);
    this.plan = plan;
  }

  boolean isFor(Map<String, Shape> others) {
    return shapes.equals(others);
  }

  /** Nothing if only the interpreter can run the graph. */
  Optional<DevicePlan> plan() {
    return plan;
  }

  long lastUse() {
    return lastUse;
  }

  void touch() {
    lastUse = System.nanoTime();
  }

  /** Bytes of the workspaces that wait for a run. */
  long idleBytes() {
    return idleBytes;
  }

  /** A workspace for one run, made if none is idle. */
  Workspace take(CudaContext context, int opset) {
    synchronized (this) {
      Workspace workspace = idle.poll();
      if (workspace != null) {
        idleBytes -= workspace.bytes();
        return workspace;
      }
    }
    return new Workspace(context, plan.orElseThrow(), opset);
  }

  /** Gives a workspace back. */
  void give(Workspace workspace) {
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
    List<Workspace> free;
    synchronized (this) {
      free = new ArrayList<>(idle);
      idle.clear();
      idleBytes = 0;
    }
    free.forEach(Workspace::close);
  }

  /** Frees the workspaces, those in use when they come back. */
  void retire() {
    synchronized (this) {
      retired = true;
    }
    freeIdle();
  }
}
