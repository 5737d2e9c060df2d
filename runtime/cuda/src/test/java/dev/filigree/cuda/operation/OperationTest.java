package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.KernelTest;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** What tests of operations need: tensors on the device and their comparison with the oracle's. */
abstract class OperationTest extends KernelTest {
  /** Numbers at the edges of every type. */
  private static final double[] SPECIAL = {
    0, -0.0, 1, -1, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 6e-8, 65504
  };

  protected OperationKernels kernels;
  private KernelLibrary library;
  private final Map<Long, DeviceMemory> memories = new HashMap<>();

  @BeforeEach
  final void openLibrary() {
    library = new KernelLibrary(context);
    kernels = new OperationKernels(library, MANIFEST);
  }

  @AfterEach
  final void closeLibrary() {
    if (library != null) {
      library.close();
    }
  }

  /** Launches and waits. */
  protected void run(Launch launch) {
    launch.into(stream);
    stream.synchronize();
  }

  /** Normally distributed numbers; of integers, those rounded of ten times the size. */
  protected static Tensor normal(Samples samples, DType dtype, long... extents) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(extents));
    float[] values = samples.normal((int) tensor.elements());
    for (int i = 0; i < values.length; i++) {
      tensor.setDouble(i, dtype.isFloating() ? values[i] : Math.rint(10 * values[i]));
    }
    return tensor;
  }

  /** The same with every tenth number replaced by one at an edge of the type. */
  protected static Tensor withSpecials(Samples samples, DType dtype, long... extents) {
    Tensor tensor = normal(samples, dtype, extents);
    for (int i = 0; i < tensor.elements(); i++) {
      if (samples.chance(0.1)) {
        tensor.setDouble(i, SPECIAL[samples.between(0, SPECIAL.length - 1)]);
      }
    }
    return tensor;
  }

  private static int columns(Shape shape) {
    return shape.rank() == 0 ? 1 : Math.toIntExact(shape.extent(-1));
  }

  private static long rows(Shape shape) {
    return columns(shape) == 0 ? 0 : shape.elements() / columns(shape);
  }

  private static Rows rows(long address, DType dtype, Shape shape, int pitch) {
    return new Rows(address, dtype, rows(shape), columns(shape), pitch);
  }

  /** Memory for a tensor whose rows are the least pitch apart. */
  protected Rows room(DType dtype, long... extents) {
    return room(dtype, Shape.of(extents), 0);
  }

  /** The same with more accesses of 16 bytes between the rows. */
  protected Rows room(DType dtype, Shape shape, int further) {
    int pitch = Rows.pitch(dtype, columns(shape)) + further * 16 / dtype.bytes();
    DeviceMemory memory = allocate(Math.max(16, rows(shape) * pitch * dtype.bytes()));
    memories.put(memory.address(), memory);
    return rows(memory.address(), dtype, shape, pitch);
  }

  /** A tensor in rows on the device. */
  protected Rows upload(Tensor tensor) {
    return upload(tensor, 0);
  }

  /** The same with more accesses of 16 bytes between the rows. */
  protected Rows upload(Tensor tensor, int further) {
    Rows rows = room(tensor.dtype(), tensor.shape(), further);
    write(tensor, rows);
    return rows;
  }

  private void write(Tensor tensor, Rows rows) {
    MemorySegment padded = MemorySegment.ofArray(new byte[(int) rows.bytes()]);
    long bytes = (long) rows.columns() * rows.dtype().bytes();
    for (long r = 0; r < rows.rows(); r++) {
      long to = r * rows.pitch() * rows.dtype().bytes();
      MemorySegment.copy(tensor.data(), r * bytes, padded, to, bytes);
    }
    memories.get(rows.address()).upload(padded, 0);
  }

  /** A tensor without padding on the device. */
  protected View uploadDense(Tensor tensor) {
    return View.of(denseAddress(tensor), tensor.dtype(), tensor.shape());
  }

  /** A tensor without padding on the device: indices, parameters. */
  protected long denseAddress(Tensor tensor) {
    return upload(tensor.data()).address();
  }

  /** Parameters of features, padded with zeros to a multiple of 8. */
  protected long parameters(float[] values) {
    float[] padded = new float[Math.ceilDiv(values.length, 8) * 8];
    System.arraycopy(values, 0, padded, 0, values.length);
    return upload(padded).address();
  }

  /** A view of rows with the shape of a tensor. */
  protected static View view(Rows rows, long... extents) {
    return View.of(rows.address(), rows.dtype(), Shape.of(extents), rows.pitch());
  }

  /** What rows hold, as a tensor; what lies between them must be zero. */
  protected Tensor download(Rows rows, long... extents) {
    DType dtype = rows.dtype();
    byte[] bytes = new byte[(int) rows.bytes()];
    memories.get(rows.address()).download(0, MemorySegment.ofArray(bytes));
    MemorySegment padded = MemorySegment.ofArray(bytes);
    Tensor tensor = Tensor.zeros(dtype, Shape.of(extents));
    for (long r = 0; r < rows.rows(); r++) {
      long from = r * rows.pitch() * dtype.bytes();
      long used = (long) rows.columns() * dtype.bytes();
      MemorySegment.copy(padded, from, tensor.data(), r * used, used);
      for (long i = from + used; i < from + (long) rows.pitch() * dtype.bytes(); i++) {
        assertEquals(0, bytes[(int) i], "padding of row " + r);
      }
    }
    return tensor;
  }

  /**
   * Every element is within so many units in the last place of the expected one, or within a
   * distance. A NaN must meet a NaN, an infinity the same infinity.
   */
  protected static void assertNear(Tensor expected, Tensor actual, double ulps, double distance) {
    assertEquals(expected.toString(), actual.toString());
    for (int i = 0; i < expected.elements(); i++) {
      double wanted = expected.getDouble(i);
      double found = actual.getDouble(i);
      boolean same = Double.compare(wanted, found) == 0 || wanted == found;
      double allowed = Math.max(ulps * ulp(expected.dtype(), wanted), distance);
      // written so that a NaN on one side alone fails
      if (!same && !(Math.abs(wanted - found) <= allowed)) {
        fail(
            "element %d is %s instead of %s: off by %s, allowed %s"
                .formatted(i, found, wanted, Math.abs(wanted - found), allowed));
      }
    }
  }

  /** Every element is the expected one, bit by bit, but that any NaN is a NaN. */
  protected static void assertSame(Tensor expected, Tensor actual) {
    assertEquals(expected.toString(), actual.toString());
    for (int i = 0; i < expected.elements(); i++) {
      if (expected.dtype().isFloating()) {
        assertEquals(expected.getDouble(i), actual.getDouble(i), "element " + i);
      } else {
        assertEquals(expected.getLong(i), actual.getLong(i), "element " + i);
      }
    }
  }

  private static double ulp(DType dtype, double value) {
    double magnitude = Math.abs(value);
    return switch (dtype) {
      case F16 -> Math.scalb(1.0, Math.max(Math.getExponent(magnitude), -14) - 10);
      case BF16 -> Math.scalb(1.0, Math.max(Math.getExponent(magnitude), -126) - 7);
      case F32 -> Math.ulp((float) magnitude);
      default -> 0;
    };
  }
}
