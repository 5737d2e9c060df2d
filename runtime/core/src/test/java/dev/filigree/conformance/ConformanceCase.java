package dev.filigree.conformance;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.format.onnx.OnnxFiles;
import dev.filigree.format.onnx.OnnxReader;
import dev.filigree.graph.Graph;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One model of the suite with its sets of inputs and outputs.
 *
 * @param folder holds {@code model.onnx} and the sets
 */
record ConformanceCase(Path folder) {
  /** What became of a case. */
  sealed interface Outcome {
    /** Every output of every set is as expected. */
    record Passed() implements Outcome {}

    /** An output differs, or something but {@link UnsupportedException} was thrown. */
    record Failed(String why) implements Outcome {}

    /** The model was refused with {@link UnsupportedException}. */
    record Unsupported(String why) implements Outcome {}
  }

  /**
   * Parts of the names of cases whose expected numbers stand in the suite's source with four
   * digits, or were computed with 3.1415 for pi.
   */
  private static final Set<String> PRINTED = Set.of("window", "gridsample", "roialign");

  /** Name within the suite, for example {@code node/test_abs}. */
  String name() {
    return folder.getParent().getFileName() + "/" + folder.getFileName();
  }

  /** The operator a model of one node is about; larger models stand under one heading. */
  String operator() {
    List<String> operators = OnnxFiles.operators(model());
    return operators.size() == 1 ? operators.getFirst() : "(several nodes)";
  }

  private Path model() {
    return folder.resolve("model.onnx");
  }

  /** Runs every set through the graph as it was read and through the graph after the passes. */
  Outcome run() {
    try (Arena arena = Arena.ofConfined()) {
      Graph graph = OnnxReader.read(model(), arena);
      Graph optimised = Passes.standard(graph);
      int sets = 0;
      for (Path set = set(0); Files.isDirectory(set); set = set(++sets)) {
        for (Graph each : List.of(graph, optimised)) {
          String difference = difference(each, set, arena);
          if (difference != null) {
            return new Outcome.Failed((each == optimised ? "after passes: " : "") + difference);
          }
        }
      }
      return sets == 0 ? new Outcome.Failed("has no data") : new Outcome.Passed();
    } catch (UnsupportedException unsupported) {
      return new Outcome.Unsupported(unsupported.problem());
    } catch (RuntimeException broken) {
      return new Outcome.Failed(broken.toString());
    }
  }

  private Path set(int i) {
    return folder.resolve("test_data_set_" + i);
  }

  /** How the outputs of a graph differ from those of a set, or null if they do not. */
  private String difference(Graph graph, Path set, Arena arena) {
    Map<String, Tensor> inputs = new LinkedHashMap<>();
    for (int i = 0; i < graph.inputs().size(); i++) {
      inputs.put(
          graph.inputs().get(i).name(),
          tensor(set.resolve("input_" + i + ".pb"), graph.inputs().get(i), arena));
    }
    Map<String, Tensor> outputs = new Interpreter(graph).run(inputs);
    for (int i = 0; i < graph.outputs().size(); i++) {
      ValueInfo info = graph.outputs().get(i);
      Tensor expected = tensor(set.resolve("output_" + i + ".pb"), info, arena);
      String difference = difference(expected, outputs.get(info.name()), isRandom(graph));
      if (difference != null) {
        return "output '" + info.name() + "' " + difference;
      }
    }
    return null;
  }

  /** A tensor of the suite, which keeps bfloat16 as the integers of its bits. */
  private static Tensor tensor(Path file, ValueInfo info, Arena arena) {
    Tensor tensor = OnnxFiles.tensor(file, arena);
    return info.dtype() == DType.BF16 && tensor.dtype() == DType.U16
        ? Tensor.of(DType.BF16, tensor.shape(), tensor.data())
        : tensor;
  }

  /** Where chance decides, the type and the shape are all that two runtimes can agree on. */
  private static boolean isRandom(Graph graph) {
    return graph.nodes().stream().anyMatch(node -> Operators.find(node).isRandom());
  }

  private String difference(Tensor expected, Tensor actual, boolean isRandom) {
    if (actual.dtype() != expected.dtype() || !actual.shape().equals(expected.shape())) {
      return "is " + actual + " instead of " + expected;
    }
    if (isRandom) {
      return null;
    }
    boolean printed = PRINTED.stream().anyMatch(name()::contains);
    for (long i = 0; i < expected.elements(); i++) {
      double want = expected.getDouble(i);
      double got = actual.getDouble(i);
      boolean same =
          expected.dtype().isFloating()
              ? isNear(want, got, expected.dtype(), printed)
              : expected.getLong(i) == actual.getLong(i);
      if (!same) {
        return "has " + got + " instead of " + want + " at element " + i;
      }
    }
    return null;
  }

  /**
   * The suite's numbers come from numpy in the type's own precision, sums included; ours are
   * rounded once at the end. ONNX itself allows a relative error of 1e-3.
   */
  private static boolean isNear(double want, double got, DType dtype, boolean printed) {
    // the suite cuts bfloat16 off where it should be rounded
    double relative = dtype == DType.BF16 ? 0x1p-7 : dtype == DType.F32 && !printed ? 1e-5 : 1e-3;
    return Double.compare(want, got) == 0
        || want == got
        || Math.abs(want - got) <= 1e-7 + relative * Math.abs(want);
  }
}
