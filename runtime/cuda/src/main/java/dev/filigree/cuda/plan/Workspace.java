package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.CudaGraph;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.graph.ValueInfo;
import dev.filigree.plan.ShapePlan;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Memory on the device for one run of a plan at a time, its stream, and the plan's work bound to
 * them: what the device does by itself is captured as graphs, between the operators that run in the
 * process.
 *
 * <pre>
 *   arena: | a word for each look-up | sums of tiles that blocks share | buffers of the plan |
 * </pre>
 */
final class Workspace implements ShapePlan.Memory {
  private final DevicePlan plan;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final List<Runnable> work = new ArrayList<>();
  private final DeviceMemory arena;
  private final Stream stream;
  private final Staging staging;

  Workspace(CudaContext context, DevicePlan plan, int opset) {
    this.plan = plan;
    try {
      arena = own(context.allocate(plan.bytes()));
      arena.fill(plan.sums().offset(), plan.sums().arrivalBytes(), (byte) 0);
      stream = own(context.stream());
      List<DeviceTensor> staged = new ArrayList<>(plan.inputs());
      plan.outputs().stream()
          .filter(output -> output.place() != null)
          .forEach(output -> staged.add(output.place()));
      staging = own(new Staging(context, stream, staged));
      bind(opset);
    } catch (RuntimeException | Error failed) {
      closeAfter(failed);
      throw failed;
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  private void bind(int opset) {
    long base = arena.address();
    List<DeviceStep.Work> segment = new ArrayList<>();
    if (!plan.faults().isEmpty()) {
      long bytes = (long) plan.faults().size() * Long.BYTES;
      segment.add(into -> into.fill(base, bytes, (byte) -1));
    }
    for (DeviceStep step : plan.steps()) {
      switch (step) {
        case DeviceStep.OnDevice(DeviceStep.Binder binder) -> segment.add(binder.bind(base));
        case DeviceStep.OnHost onHost -> {
          capture(segment);
          HostOperator operator = new HostOperator(onHost, opset, staging, base);
          work.add(operator::run);
        }
      }
    }
    capture(segment);
  }

  private void capture(List<DeviceStep.Work> segment) {
    if (segment.isEmpty()) {
      return;
    }
    List<DeviceStep.Work> captured = List.copyOf(segment);
    segment.clear();
    CudaGraph graph = own(stream.capture(() -> captured.forEach(each -> each.into(stream))));
    work.add(() -> graph.launch(stream));
  }

  /** On the device and pinned. */
  @Override
  public long bytes() {
    return arena.bytes() + staging.bytes();
  }

  /**
   * Runs the plan.
   *
   * @param infos the graph's inputs
   * @param from the inputs by name, of the shapes the plan is for
   * @param to the wanted outputs by name, contiguous
   */
  void run(List<ValueInfo> infos, Map<String, Tensor> from, Map<String, Tensor> to) {
    staging.reset();
    for (int i = 0; i < infos.size(); i++) {
      staging.upload(from.get(infos.get(i).name()), plan.inputs().get(i), arena.address());
    }
    work.forEach(Runnable::run);
    checkLookUps();
    for (DevicePlan.Output output : plan.outputs()) {
      Tensor target = to.get(output.info().name());
      if (target != null && output.place() == null) {
        output.constant().copyTo(target);
      } else if (target != null) {
        staging.download(output.place(), arena.address(), target);
      }
    }
    // outputs nobody wanted were not waited for, and their kernels still use the arena
    stream.synchronize();
  }

  private void checkLookUps() {
    if (plan.faults().isEmpty()) {
      return;
    }
    MemorySegment words =
        staging.download(arena.address(), (long) plan.faults().size() * Long.BYTES);
    for (int i = 0; i < plan.faults().size(); i++) {
      long position = words.get(DType.LONG, (long) i * Long.BYTES);
      if (position >= 0) {
        DevicePlan.LookUp lookUp = plan.faults().get(i);
        throw lookUp.node().problem(lookUp.problem() + " at position " + position, lookUp.remedy());
      }
    }
  }

  /** Frees everything after a failure, which stays the one that is reported. */
  void closeAfter(Throwable failed) {
    try {
      close();
    } catch (RuntimeException second) {
      failed.addSuppressed(second);
    }
  }

  @Override
  public void close() {
    RuntimeException first = null;
    for (AutoCloseable each : owned.reversed()) {
      try {
        each.close();
      } catch (RuntimeException failed) {
        if (first == null) {
          first = failed;
        }
      } catch (Exception checked) {
        throw new IllegalStateException("closing what is on the device throws none", checked);
      }
    }
    owned.clear();
    if (first != null) {
      throw first;
    }
  }
}
