package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.ValueInfo;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.PackedLinear;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * How a graph runs for one set of input shapes: steps in order, the place of every value, and the
 * reason of every choice. Immutable; a run needs a {@link Workspace}.
 */
final class Plan {
  /** An output: where its value lies, or the constant it is. */
  record Output(ValueInfo info, Slot slot, Tensor constant) {
    Shape shape() {
      return slot == null ? constant.shape() : slot.shape();
    }
  }

  /** A constant that kernels read from the arena. */
  record Resident(Slot slot, Tensor tensor) {}

  private final Kernels kernels;
  private final List<Slot> inputs;
  private final List<Output> outputs;
  private final List<Resident> residents;
  private final List<Step> steps;
  private final List<PanelChain.Range> chains;
  private final long bytes;
  private final Ragged ragged;
  private final List<LayerPlan> layers;
  private final List<Integer> stepsUpTo;
  private final Set<PackedLinear> linearKernels;
  private final List<WarmUp.Sized> linearSteps;

  /**
   * A plan.
   *
   * @param inputs where each input goes, in the graph's order
   * @param chains steps that run panel by panel together
   * @param bytes of all buffers
   * @param ragged what of the tokens it computes, or null for all
   * @param stepsUpTo for each layer, the number of steps up to its last
   * @param linearKernels packed weights it uses
   * @param linearSteps its linear layers
   */
  Plan(
      Kernels kernels,
      List<Slot> inputs,
      List<Output> outputs,
      List<Resident> residents,
      List<Step> steps,
      List<PanelChain.Range> chains,
      long bytes,
      Ragged ragged,
      List<LayerPlan> layers,
      List<Integer> stepsUpTo,
      Set<PackedLinear> linearKernels,
      List<WarmUp.Sized> linearSteps) {
    this.kernels = kernels;
    this.inputs = List.copyOf(inputs);
    this.outputs = List.copyOf(outputs);
    this.residents = List.copyOf(residents);
    this.steps = List.copyOf(steps);
    this.chains = List.copyOf(chains);
    this.bytes = bytes;
    this.ragged = ragged;
    this.layers = List.copyOf(layers);
    this.stepsUpTo = List.copyOf(stepsUpTo);
    this.linearKernels = linearKernels;
    this.linearSteps = List.copyOf(linearSteps);
  }

  /** Its linear layers, to be measured. */
  List<WarmUp.Sized> linearSteps() {
    return linearSteps;
  }

  List<Output> outputs() {
    return outputs;
  }

  List<LayerPlan> layers() {
    return layers;
  }

  Set<PackedLinear> linearKernels() {
    return linearKernels;
  }

  /** Bytes of activations one run needs. */
  long bytes() {
    return bytes;
  }

  /** Memory for one run at a time. */
  Workspace workspace(int workers) {
    Workspace workspace = new Workspace(bytes, workers, steps, chains, ragged);
    for (Resident resident : residents) {
      resident.tensor.copyTo(resident.slot.tensor(workspace.memory()));
    }
    return workspace;
  }

  /**
   * Runs the plan.
   *
   * @param infos the graph's inputs
   * @param from the inputs by name, of the shapes the plan is for
   * @param to the wanted outputs by name, contiguous
   */
  void run(
      Workspace workspace,
      WorkerPool pool,
      List<ValueInfo> infos,
      Map<String, Tensor> from,
      Map<String, Tensor> to) {
    MemorySegment memory = workspace.memory();
    take(infos, from, memory);
    workspace.run(pool);
    for (int i = 0; i < outputs.size(); i++) {
      Tensor target = to.get(outputs.get(i).info.name());
      if (target != null) {
        deliver(outputs.get(i), memory, target);
      }
    }
  }

  private void take(List<ValueInfo> infos, Map<String, Tensor> from, MemorySegment memory) {
    for (int i = 0; i < infos.size(); i++) {
      Tensor tensor = from.get(infos.get(i).name()).contiguous();
      MemorySegment.copy(tensor.data(), 0, memory, inputs.get(i).offset(), tensor.bytes());
    }
  }

  /** Runs the plan and tells what each step took. The outputs stay in the workspace. */
  List<LayerTime> profile(
      Workspace workspace, WorkerPool pool, List<ValueInfo> infos, Map<String, Tensor> from) {
    take(infos, from, workspace.memory());
    long start = System.nanoTime();
    long[] ends = workspace.timed(pool);
    List<LayerTime> times = new ArrayList<>();
    if (layers.isEmpty()) {
      return times;
    }
    int layer = 0;
    long begin = start;
    for (int i = 0; i < ends.length; i++) {
      while (layer < layers.size() - 1 && stepsUpTo.get(layer) <= i) {
        layer++;
      }
      times.add(
          new LayerTime(layers.get(layer), steps.get(i).work(), begin - start, ends[i] - begin));
      begin = ends[i];
    }
    return times;
  }

  private void deliver(Output output, MemorySegment memory, Tensor target) {
    Slot slot = output.slot;
    if (output.constant != null) {
      output.constant.copyTo(target);
    } else if (slot.layout() == Layout.ROWS) {
      MemorySegment.copy(memory, slot.offset(), target.data(), 0, target.bytes());
    } else {
      for (int p = 0; p < slot.panels().count(); p++) {
        PanelSteps.toRows(kernels, slot, p, memory, target.data(), 0);
      }
    }
  }
}
