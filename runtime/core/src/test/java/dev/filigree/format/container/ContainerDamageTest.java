package dev.filigree.format.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.format.safetensors.SafetensorsWriter;
import dev.filigree.testing.Samples;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Containers whose tensors contradict each other are refused with file, layer and tensor. */
class ContainerDamageTest {
  private static final int ROWS = 5;
  private static final int COLUMNS = 6;

  @TempDir Path folder;
  private Path file;

  /** One layer in each format: d, q, c, s, u. */
  @BeforeEach
  void writeAContainer() {
    Dense dense = Dense.of(ROWS, COLUMNS, new Samples(1).normal(ROWS * COLUMNS));
    Mask half = Mask.of(ROWS, COLUMNS, (row, column) -> column % 4 < 2);
    Sparse24.Encoder f32 = (kept, rows, perRow) -> FloatValues.of(DType.F32, kept);
    IntegerValues integers =
        new IntegerValues(
            DType.I8,
            MemorySegment.ofArray(new byte[ROWS * COLUMNS]),
            MemorySegment.ofArray(new float[ROWS]),
            MemorySegment.ofArray(new byte[ROWS]));
    Map<String, Weights> layers = new LinkedHashMap<>();
    layers.put("d", dense);
    layers.put("q", new Quantized(ROWS, COLUMNS, integers));
    layers.put(
        "c", new Codebook(ROWS, COLUMNS, CodeValues.of(1, new byte[ROWS * COLUMNS], new float[2])));
    layers.put("s", Sparse24.pack(dense, half, f32));
    layers.put("u", SparseCsr.pack(dense, half, f32));
    Map<String, Boolean> transposed = new LinkedHashMap<>();
    layers.keySet().forEach(name -> transposed.put(name, false));
    file = folder.resolve("model.filigree");
    new Containers(layers, transposed, Map.of("p", Tensor.of(new Samples(2).normal(100), 100)))
        .writer()
        .write(file);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "d.module.weight", "q.module.weight", "q.module.weight_scale", "c.module.codes",
        "c.module.codebook", "c.module.weight_shape", "s.module.compressed", "s.module.bitmask",
        "s.module.shape", "u.module.compressed", "u.module.bitmask", "u.module.shape",
        "u.module.row_offsets"
      })
  void aMissingTensorIsNamed(String tensor) {
    rewrite(tensor, null);
    refused("layer " + tensor.charAt(0) + ".module: its tensor '" + tensor + "' is missing");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "d.module.weight",
        "q.module.weight",
        "q.module.weight_scale",
        "q.module.weight_zero_point",
        "c.module.codes",
        "c.module.codebook",
        "c.module.weight_shape",
        "s.module.compressed",
        "s.module.bitmask",
        "s.module.shape",
        "u.module.compressed",
        "u.module.bitmask",
        "u.module.shape",
        "u.module.row_offsets"
      })
  void aTensorOfAnotherTypeIsNamed(String tensor) {
    SafetensorsFile.Entry entry = entry(tensor);
    SafetensorsType other =
        entry.type().bytes() == 1
            ? SafetensorsType.BOOL
            : entry.type().bytes() == 8 ? SafetensorsType.U64 : SafetensorsType.I32;
    rewrite(tensor, new SafetensorsFile.Entry(tensor, other, entry.shape(), entry.data()));
    refused("its tensor '" + tensor + "' has the type " + other);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "d.module.weight",
        "q.module.weight",
        "s.module.compressed",
        "s.module.bitmask",
        "u.module.bitmask"
      })
  void aTensorThatIsTransposedIsRefusedAlthoughItHasTheSameSize(String tensor) {
    SafetensorsFile.Entry entry = entry(tensor);
    Shape turned = Shape.of(entry.shape().extent(1), entry.shape().extent(0));
    rewrite(tensor, new SafetensorsFile.Entry(tensor, entry.type(), turned, entry.data()));
    refused("its tensor '" + tensor + "' has the shape " + turned + " where " + entry.shape());
  }

  @ParameterizedTest
  @ValueSource(strings = {"c.module.weight_shape", "s.module.shape", "u.module.shape"})
  void extentsThatAreNotTheGraphsAreRefused(String tensor) {
    replace(tensor, MemorySegment.ofArray(new long[] {COLUMNS, ROWS}));
    refused("its tensor '" + tensor + "' says [6, 5] where the graph expects [5, 6]");
    replace(tensor, MemorySegment.ofArray(new long[] {-5, -6}));
    refused("its tensor '" + tensor + "' says [-5, -6] where the graph expects [5, 6]");
  }

  @Test
  void contentsAreValidatedWithTheLayersName() {
    Path whole = file;
    replace("q.module.weight_scale", MemorySegment.ofArray(new float[] {1, 1, Float.NaN, 1, 1}));
    refused("layer q.module has the scale NaN in row 2");
    file = whole;
    replace("s.module.bitmask", MemorySegment.ofArray(new byte[] {0x33, 0x31, 0x33, 0x33, 0x33}));
    refused("layer s.module keeps 1 of the columns 0 to 3 in row 1, so it is not 2:4");
    file = whole;
    replace("u.module.row_offsets", MemorySegment.ofArray(new long[] {0, 4, 9, 12, 16}));
    refused("layer u.module says row 2 starts at value 9 but its mask puts it at 8");
    file = whole;
    replace("c.module.codebook", MemorySegment.ofArray(new float[] {0, Float.POSITIVE_INFINITY}));
    refused("layer c.module has the centroid Infinity in codebook 0");
  }

  @Test
  void aPlainConstantMustBeWhatTheGraphSays() {
    SafetensorsFile.Entry entry = entry("p");
    Path whole = file;
    rewrite("p", new SafetensorsFile.Entry("p", entry.type(), Shape.of(50, 2), entry.data()));
    refused("initializer 'p' is f32[100] but its tensor is F32[50, 2]");
    file = whole;
    rewrite("p", null);
    refused("lacks the tensor 'p' of initializer 'p'");
  }

  @Test
  void theGraphMustBeThere() {
    rewrite(Container.GRAPH, null);
    refused("lacks its tensor 'filigree.graph'");
  }

  @ParameterizedTest
  @CsvSource({
    "sparse24, sparse25, has the format 'sparse25'",
    "quantized, quantizes, has the format 'quantizes'"
  })
  void aFormatThatIsNotKnownIsUnsupported(String known, String unknown, String problem) {
    byte[] graph = entry(Container.GRAPH).data().toArray(DType.BYTE);
    String text = new String(graph, StandardCharsets.ISO_8859_1);
    byte[] other = text.replace(known, unknown).getBytes(StandardCharsets.ISO_8859_1);
    replace(Container.GRAPH, MemorySegment.ofArray(other));
    UnsupportedException refusal = refused(UnsupportedException.class);
    assertTrue(refusal.problem().startsWith(file + ": "), refusal.problem());
    assertTrue(refusal.problem().endsWith(problem), refusal.problem());
  }

  @Test
  void aSafetensorsFileOfAnotherKindOrVersionIsRefused() {
    file = folder.resolve("other.safetensors");
    new SafetensorsWriter().add("a", Tensor.of(new float[1], 1)).write(file);
    refused(file + " is a safetensors file without a Filigree graph");
    new SafetensorsWriter().metadata(Container.VERSION, "999").write(file);
    UnsupportedException refusal = refused(UnsupportedException.class);
    assertEquals(file + " has version 999 of the .filigree format", refusal.problem());
  }

  private SafetensorsFile.Entry entry(String name) {
    return SafetensorsFile.map(file, Arena.ofAuto()).entry(name).orElseThrow();
  }

  private void replace(String name, MemorySegment data) {
    SafetensorsFile.Entry entry = entry(name);
    rewrite(name, new SafetensorsFile.Entry(name, entry.type(), entry.shape(), data));
  }

  /** Writes the file again, under another name, with another tensor or without it. */
  private void rewrite(String name, SafetensorsFile.Entry other) {
    SafetensorsFile original = SafetensorsFile.map(file, Arena.ofAuto());
    SafetensorsWriter writer = new SafetensorsWriter();
    original.metadata().forEach(writer::metadata);
    for (SafetensorsFile.Entry entry : original.entries().values()) {
      SafetensorsFile.Entry chosen = entry.name().equals(name) ? other : entry;
      if (chosen != null) {
        writer.add(chosen.name(), chosen.type(), chosen.shape(), chosen.data());
      }
    }
    file = folder.resolve("damaged.filigree");
    writer.write(file);
  }

  private void refused(String problem) {
    FormatException refusal = refused(FormatException.class);
    assertTrue(refusal.problem().startsWith(file.toString()), refusal.problem());
    assertTrue(refusal.problem().contains(problem), refusal.problem());
  }

  private <T extends FiligreeException> T refused(Class<T> kind) {
    try (Arena arena = Arena.ofConfined()) {
      return assertThrows(kind, () -> Container.map(file, arena));
    }
  }
}
