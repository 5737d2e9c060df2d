package dev.filigree.cuda.linear;

import dev.filigree.DType;
import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.GridRule;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Runs kernels of linear layers on the device. */
final class LinearLaunch implements AutoCloseable {
  static final KernelManifest MANIFEST = KernelManifest.load();

  /** The kernels on tensor cores; those of unstructured weights have tests of their own. */
  static List<KernelEntry> kernels() {
    return MANIFEST.of("linear").stream().filter(k -> k.grid() == GridRule.STREAM_K).toList();
  }

  /** Residual and result in f32, see {@code gemm/wide.cuh}. */
  private static final int WIDE = 3;

  /** What results hold before a launch: a value no result has by chance. */
  private static final byte UNTOUCHED = 0x5a;

  private final CudaContext context = CudaDriver.open().context(0);
  private final KernelLibrary library = new KernelLibrary(context);

  /**
   * Runs a kernel by as many blocks as there are tiles.
   *
   * @return {@code [tokens, rows]}
   */
  float[] run(String entry, LinearCase layer) {
    return run(entry, layer, 0, 0);
  }

  /**
   * Runs a kernel.
   *
   * @param blocks 0 for as many as there are tiles
   * @param morePitch elements that rows of activations and results are longer than they need be
   * @return {@code [tokens, rows]}
   */
  float[] run(String entry, LinearCase layer, int blocks, int morePitch) {
    KernelEntry kernel = MANIFEST.kernel(entry);
    int rows = layer.weights().rows();
    int columns = layer.weights().columns();
    int bytes = layer.type() == ActivationType.I8 ? 1 : 2;
    int pitchX = pitch(columns, 16 / bytes) + morePitch;
    int pitchY = pitch(rows, 16 / layer.result().bytes()) + morePitch;
    List<DeviceMemory> owned = new ArrayList<>();
    try (Arena arena = Arena.ofConfined();
        Stream stream = context.stream()) {
      PackedWeights packed =
          PackedWeights.pack(
              "test",
              layer.weights(),
              kernel.weights().orElseThrow(),
              layer.type(),
              Arena.ofAuto());
      Kernel compiled = library.kernel(kernel);
      LinearGrid grid = LinearGrid.of(kernel, rows, columns, layer.tokens());
      grid = blocks == 0 ? grid : grid.by(blocks);
      Arguments arguments = compiled.arguments();
      for (var parameter : kernel.parameters()) {
        String name = parameter.name();
        switch (name) {
          case "x" -> arguments.pointer(name, upload(owned, activations(arena, layer, pitchX)));
          case "w", "meta", "scales", "codebook", "offsets", "groups" ->
              arguments.pointer(name, upload(owned, packed.parts().get(name)));
          case "stepsPerGroup", "booksPerPanel" -> arguments.i32(name, packed.numbers().get(name));
          case "tokenScales" -> arguments.pointer(name, upload(owned, floats(layer.tokenScales())));
          case "bias" -> arguments.pointer(name, upload(owned, floats(layer.bias())));
          case "residual" -> arguments.pointer(name, upload(owned, residual(arena, layer, pitchY)));
          case "y" -> {}
          case "tokens" -> arguments.i32(name, layer.tokens());
          case "rows" -> arguments.i32(name, rows);
          case "columns" -> arguments.i32(name, columns);
          case "pitchX" -> arguments.i32(name, pitchX);
          case "pitchY", "pitchResidual" -> arguments.i32(name, pitchY);
          case "activationKind" -> arguments.i32(name, LinearEpilogue.kind(layer.activation()));
          case "wide" -> arguments.i32(name, layer.isWide() ? WIDE : 0);
          case "workspace" -> arguments.pointer(name, workspace(owned, grid, stream));
          default -> throw new AssertionError("no value for parameter " + name);
        }
      }
      DeviceMemory y = context.allocate((long) layer.tokens() * pitchY * layer.result().bytes());
      owned.add(y);
      stream.fill(y.address(), y.bytes(), UNTOUCHED);
      arguments.pointer("y", y);
      compiled.launch(stream, grid.blocks(), arguments);
      stream.synchronize();
      return results(layer, y, pitchY, arena);
    } finally {
      owned.forEach(DeviceMemory::close);
    }
  }

  private static int pitch(int extent, int multiple) {
    return Math.ceilDiv(extent, multiple) * multiple;
  }

  private long upload(List<DeviceMemory> owned, MemorySegment segment) {
    if (segment == null) {
      return 0;
    }
    DeviceMemory memory = context.allocate(segment.byteSize());
    owned.add(memory);
    memory.upload(segment, 0);
    return memory.address();
  }

  private long workspace(List<DeviceMemory> owned, LinearGrid grid, Stream stream) {
    if (!grid.isShared()) {
      return 0;
    }
    DeviceMemory memory = context.allocate(grid.arrivalBytes() + grid.slotsBytes());
    owned.add(memory);
    stream.fill(memory.address(), grid.arrivalBytes(), (byte) 0);
    return memory.address();
  }

  private static MemorySegment floats(float[] values) {
    return values == null ? null : MemorySegment.ofArray(values);
  }

  private static MemorySegment activations(Arena arena, LinearCase layer, int pitch) {
    int columns = layer.weights().columns();
    if (layer.type() != ActivationType.I8) {
      return typed(arena, layer.operand(), layer, layer.x(), columns, pitch);
    }
    MemorySegment x = arena.allocate((long) layer.tokens() * pitch);
    for (int t = 0; t < layer.tokens(); t++) {
      for (int k = 0; k < columns; k++) {
        x.set(DType.BYTE, (long) t * pitch + k, (byte) layer.x()[t * columns + k]);
      }
    }
    return x;
  }

  private static MemorySegment residual(Arena arena, LinearCase layer, int pitch) {
    return layer.residual() == null
        ? null
        : typed(arena, layer.result(), layer, layer.residual(), layer.weights().rows(), pitch);
  }

  private static MemorySegment typed(
      Arena arena, DType dtype, LinearCase layer, float[] values, int extent, int pitch) {
    MemorySegment memory = arena.allocate((long) layer.tokens() * pitch * dtype.bytes());
    for (int t = 0; t < layer.tokens(); t++) {
      for (int k = 0; k < extent; k++) {
        dtype.writeDouble(memory, ((long) t * pitch + k) * dtype.bytes(), values[t * extent + k]);
      }
    }
    return memory;
  }

  private static float[] results(LinearCase layer, DeviceMemory y, int pitch, Arena arena) {
    MemorySegment all = arena.allocate(y.bytes());
    y.download(0, all);
    int rows = layer.weights().rows();
    float[] results = new float[layer.tokens() * rows];
    for (int t = 0; t < layer.tokens(); t++) {
      for (int row = 0; row < pitch; row++) {
        long at = ((long) t * pitch + row) * layer.result().bytes();
        if (row < rows) {
          results[t * rows + row] = (float) layer.result().readDouble(all, at);
        } else if (layer.result().readDouble(all, at) != 0) {
          throw new AssertionError(
              "token "
                  + t
                  + " has "
                  + layer.result().readDouble(all, at)
                  + " behind its last output at "
                  + row);
        }
      }
    }
    return results;
  }

  @Override
  public void close() {
    library.close();
    context.close();
  }
}
