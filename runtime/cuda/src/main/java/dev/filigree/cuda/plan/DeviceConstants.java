package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Constants of a graph on the device: biases, scales, tables, and tensors a plan computed ahead.
 * Each is copied once and stays until the session is closed. Not thread-safe.
 */
final class DeviceConstants implements AutoCloseable {
  /** Kernels read vectors in accesses of eight floats. */
  private static final int VECTOR_STEP = 8;

  private final CudaContext context;
  private final Map<String, DeviceMemory> vectors = new HashMap<>();
  private final Map<String, DeviceMemory> tables = new HashMap<>();
  private final Map<Tensor, Map<DType, DeviceMemory>> tensors = new IdentityHashMap<>();
  private final Map<String, Tensor> named = new HashMap<>();
  private long bytes;

  DeviceConstants(CudaContext context) {
    this.context = context;
  }

  /** Bytes on the device. */
  long bytes() {
    return bytes;
  }

  /** Address of a vector in f32, padded with zeros to a multiple of 8. */
  long vector(String name, Tensor tensor) {
    DeviceMemory known = vectors.get(name);
    if (known == null) {
      float[] values = tensor.toFloats();
      try (Arena arena = Arena.ofConfined()) {
        long padded = Math.ceilDiv(Math.max(1, values.length), VECTOR_STEP) * VECTOR_STEP;
        MemorySegment memory = arena.allocate(padded * Float.BYTES);
        MemorySegment.copy(values, 0, memory, DType.FLOAT, 0, values.length);
        known = upload(memory);
      }
      vectors.put(name, known);
    }
    return known.address();
  }

  /** Address of a table of rows in f16. */
  long table(String name, Weights table) {
    DeviceMemory known = tables.get(name);
    if (known == null) {
      int columns = table.columns();
      long pitch = (long) Rows.pitch(DType.F16, columns) * DType.F16.bytes();
      float[] row = new float[columns];
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment memory = arena.allocate(Math.max(1, table.rows() * pitch));
        for (int r = 0; r < table.rows(); r++) {
          table.unpackRow(r, row, 0);
          for (int c = 0; c < columns; c++) {
            memory.set(
                DType.SHORT, r * pitch + c * DType.F16.bytes(), Float.floatToFloat16(row[c]));
          }
        }
        known = upload(memory);
      }
      tables.put(name, known);
    }
    return known.address();
  }

  /** A tensor in rows of an element type that plans make anew, by a name that says what it is. */
  DeviceTensor tensor(String name, Tensor tensor, DType dtype) {
    return tensor(named.computeIfAbsent(name, unused -> tensor), dtype);
  }

  /** A tensor in rows of an element type. */
  DeviceTensor tensor(Tensor tensor, DType dtype) {
    Shape shape = tensor.shape();
    int columns = DeviceTensor.columns(shape);
    int pitch = Rows.pitch(dtype, columns);
    Map<DType, DeviceMemory> known = tensors.computeIfAbsent(tensor, unused -> new HashMap<>());
    DeviceMemory memory = known.get(dtype);
    if (memory == null) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment copy = arena.allocate(Math.max(1, DeviceTensor.bytes(dtype, shape, pitch)));
        HostRows.write(tensor.contiguous(), 0, tensor.elements(), copy, dtype, columns, pitch);
        memory = upload(copy);
      }
      known.put(dtype, memory);
    }
    return new DeviceTensor(dtype, shape, pitch, null, memory.address());
  }

  private DeviceMemory upload(MemorySegment values) {
    DeviceMemory memory = context.allocate(values.byteSize());
    try {
      memory.upload(values, 0);
    } catch (RuntimeException | Error failed) {
      memory.close();
      throw failed;
    }
    bytes += values.byteSize();
    return memory;
  }

  @Override
  public void close() {
    vectors.values().forEach(DeviceMemory::close);
    tables.values().forEach(DeviceMemory::close);
    tensors.values().forEach(each -> each.values().forEach(DeviceMemory::close));
    vectors.clear();
    tables.clear();
    tensors.clear();
  }
}
