package dev.filigree.plan;

import java.util.List;

/**
 * The groups of a convolution, each a product of its own; all their pieces are shared among the
 * threads together.
 *
 * @param groups of the same window and shapes
 */
record GroupedConvolutionStep(List<ConvolutionStep> groups) implements Step {
  GroupedConvolutionStep {
    groups = List.copyOf(groups);
  }

  @Override
  public int scratchFloats() {
    return groups.stream().mapToInt(ConvolutionStep::scratchFloats).max().orElse(0);
  }

  @Override
  public long scratchBytes() {
    return groups.stream().mapToLong(ConvolutionStep::scratchBytes).max().orElse(0);
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    WorkerPool.Body[] bound =
        groups.stream().map(step -> step.bind(workspace)).toArray(WorkerPool.Body[]::new);
    int items = groups.getFirst().items();
    WorkerPool.Body body = (item, worker) -> bound[item / items].run(item % items, worker);
    return pool -> pool.forEach(bound.length * items, body);
  }
}
