package dev.filigree.format.onnx;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.FiligreeException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.conformance.OnnxTestData;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import dev.filigree.testing.MiniLm;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Damaged files: whatever byte of a real model changes, reading it either works or ends in a typed
 * error. Bytes of weights are left alone, since any of them are legal.
 */
final class OnnxFuzzTest {
  /** Tensors from this size on are weights and not structure. */
  private static final long WEIGHTS = 4096;

  /** Bytes that the values of a damaged model may take for it to be run. */
  private static final long RUNNABLE = 1 << 22;

  private static Arena arena;
  private static MemorySegment model;
  private static List<Path> smallModels;

  /** Starts and ends of the stretches of the file that are structure. */
  private static final List<long[]> structure = new ArrayList<>();

  @BeforeAll
  static void mapTheModel() throws IOException {
    arena = Arena.ofShared();
    try (FileChannel file =
        FileChannel.open(MiniLm.dense(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      // copy on write: a change stays in this process, and only its page is copied
      model = file.map(MapMode.PRIVATE, 0, file.size(), arena);
    }
    Optional<Path> suite = OnnxTestData.folder();
    smallModels = suite.isPresent() ? OnnxTestData.cases(suite.get()) : List.of();
    Graph graph = read("minilm.onnx", model);
    TreeMap<Long, Long> weights = new TreeMap<>();
    for (Constant constant : graph.constants().values()) {
      if (constant.bytes() >= WEIGHTS) {
        weights.put(constant.toTensor().data().address() - model.address(), constant.bytes());
      }
    }
    long start = 0;
    for (Map.Entry<Long, Long> each : weights.entrySet()) {
      structure.add(new long[] {start, each.getKey()});
      start = each.getKey() + each.getValue();
    }
    structure.add(new long[] {start, model.byteSize()});
  }

  @AfterAll
  static void unmap() {
    arena.close();
  }

  private static Graph read(String source, MemorySegment data) {
    return OnnxReader.read(source, data, OnnxReader.complete(source));
  }

  private static void assertReadsOrIsRefused(MemorySegment damaged) {
    try {
      Graph graph = Passes.standard(read("damaged.onnx", damaged));
      ShapeInference.infer(graph, Operators::find);
    } catch (FiligreeException refused) {
      assertTrue(refused.getMessage().length() > 20, refused::getMessage);
    }
  }

  /** A place in the structure, each byte as likely as any other. */
  private static long place(Samples samples) {
    long bytes = structure.stream().mapToLong(part -> part[1] - part[0]).sum();
    long at = samples.between(0, (int) bytes - 1);
    for (long[] part : structure) {
      if (at < part[1] - part[0]) {
        return part[0] + at;
      }
      at -= part[1] - part[0];
    }
    throw new AssertionError("the stretches add up to fewer bytes than counted");
  }

  private static byte changed(byte old, Samples samples) {
    return switch (samples.between(0, 4)) {
      case 0 -> (byte) (old ^ 1 << samples.between(0, 7));
      case 1 -> (byte) 0xff;
      case 2 -> 0;
      case 3 -> (byte) (old + samples.oneOf(List.of(-1, 1)));
      default -> samples.bytes(1)[0];
    };
  }

  @Test
  void theStructureIsASmallPartOfTheRealModel() {
    long bytes = structure.stream().mapToLong(part -> part[1] - part[0]).sum();
    assertTrue(bytes > 100_000 && bytes < 1_000_000, () -> bytes + " bytes of structure");
  }

  @Seeded(150)
  void theRealModelWithChangedBytesIsReadOrRefused(Samples samples) {
    Map<Long, Byte> originals = new TreeMap<>();
    try {
      for (int i = samples.between(1, 4); i > 0; i--) {
        long at = place(samples);
        byte old = model.get(ValueLayout.JAVA_BYTE, at);
        originals.putIfAbsent(at, old);
        model.set(ValueLayout.JAVA_BYTE, at, changed(old, samples));
      }
      assertReadsOrIsRefused(model);
    } finally {
      originals.forEach((at, old) -> model.set(ValueLayout.JAVA_BYTE, at, old));
    }
  }

  @Seeded(50)
  void theRealModelCutOffAnywhereIsRefused(Samples samples) {
    long length = place(samples);
    try {
      read("cut.onnx", model.asSlice(0, length));
    } catch (FiligreeException refused) {
      return;
    }
    throw new AssertionError("the first " + length + " bytes were taken for a model");
  }

  @Seeded(400)
  void smallModelsWithChangedBytesRunOrAreRefused(Samples samples) throws IOException {
    assumeTrue(!smallModels.isEmpty(), OnnxTestData.remedy());
    Path folder = samples.oneOf(smallModels);
    byte[] bytes = Files.readAllBytes(folder.resolve("model.onnx"));
    for (int i = samples.between(1, 6); i > 0; i--) {
      int at = samples.between(0, bytes.length - 1);
      bytes[at] = changed(bytes[at], samples);
    }
    try {
      Graph graph = read(folder + " damaged", MemorySegment.ofArray(bytes));
      run(graph, samples);
      run(Passes.standard(graph), samples);
    } catch (FiligreeException refused) {
      assertTrue(refused.getMessage().length() > 20, refused::getMessage);
    }
  }

  /** Runs a graph on inputs of its declared shapes, if its values stay small. */
  private static void run(Graph graph, Samples samples) {
    Map<String, Shape> shapes = new HashMap<>();
    for (ValueInfo input : graph.inputs()) {
      if (input.dims() == null) {
        return;
      }
      shapes.put(
          input.name(),
          Shape.of(
              input.dims().stream().mapToLong(dim -> dim.isKnown() ? dim.value() : 2).toArray()));
    }
    long bytes = 0;
    for (ValueType type : ShapeInference.infer(graph, shapes, Operators::find).values()) {
      bytes +=
          type.isConcrete() ? Math.min(RUNNABLE, Tensor.byteSize(type.dtype(), type.shape())) : 0;
    }
    if (bytes >= RUNNABLE) {
      return;
    }
    Map<String, Tensor> inputs = new HashMap<>();
    for (ValueInfo input : graph.inputs()) {
      Tensor tensor = Tensor.zeros(input.dtype(), shapes.get(input.name()));
      for (long i = 0; i < tensor.elements(); i++) {
        tensor.setLong(i, samples.between(-2, 3));
      }
      inputs.put(input.name(), tensor);
    }
    new Interpreter(graph).run(inputs);
  }
}
