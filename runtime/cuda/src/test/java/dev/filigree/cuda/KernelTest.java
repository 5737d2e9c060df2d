package dev.filigree.cuda;

import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.simgpu.SimulatedGpu;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * What a test of kernels needs: a context on a fresh simulated device, the kernels of the manifest,
 * and memory that is freed at the end.
 */
@SimulatedGpu
public abstract class KernelTest {
  protected static final KernelManifest MANIFEST = KernelManifest.load();

  protected CudaContext context;
  protected Stream stream;
  private KernelLibrary kernels;
  private final List<DeviceMemory> memory = new ArrayList<>();

  @BeforeEach
  final void openContext() {
    context = CudaDriver.open().context(0);
    stream = context.stream();
    kernels = new KernelLibrary(context);
  }

  /** A kernel by the name of its entry. */
  protected Kernel kernel(String entry) {
    return kernels.kernel(MANIFEST.kernel(entry));
  }

  /** Memory that no kernel has written. */
  protected DeviceMemory allocate(long bytes) {
    DeviceMemory allocated = context.allocate(bytes);
    memory.add(allocated);
    return allocated;
  }

  protected DeviceMemory upload(MemorySegment values) {
    DeviceMemory uploaded = allocate(Math.max(1, values.byteSize()));
    uploaded.upload(values, 0);
    return uploaded;
  }

  protected DeviceMemory upload(float... values) {
    return upload(MemorySegment.ofArray(values));
  }

  protected DeviceMemory upload(int... values) {
    return upload(MemorySegment.ofArray(values));
  }

  protected DeviceMemory upload(long... values) {
    return upload(MemorySegment.ofArray(values));
  }

  protected DeviceMemory upload(byte... values) {
    return upload(MemorySegment.ofArray(values));
  }

  /** Bit patterns of 16-bit values. */
  protected DeviceMemory upload(short... values) {
    return upload(MemorySegment.ofArray(values));
  }

  /** Values rounded to f16. */
  protected DeviceMemory uploadHalves(float... values) {
    short[] halves = new short[values.length];
    for (int i = 0; i < halves.length; i++) {
      halves[i] = Float.floatToFloat16(values[i]);
    }
    return upload(halves);
  }

  protected float[] downloadFloats(DeviceMemory from, int count) {
    float[] values = new float[count];
    from.download(0, MemorySegment.ofArray(values));
    return values;
  }

  protected int[] downloadInts(DeviceMemory from, int count) {
    int[] values = new int[count];
    from.download(0, MemorySegment.ofArray(values));
    return values;
  }

  protected byte[] downloadBytes(DeviceMemory from, int count) {
    byte[] values = new byte[count];
    from.download(0, MemorySegment.ofArray(values));
    return values;
  }

  /** Bit patterns of 16-bit values. */
  protected short[] downloadShorts(DeviceMemory from, int count) {
    short[] values = new short[count];
    from.download(0, MemorySegment.ofArray(values));
    return values;
  }

  /** Values of f16. */
  protected float[] downloadHalves(DeviceMemory from, int count) {
    short[] halves = downloadShorts(from, count);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = Float.float16ToFloat(halves[i]);
    }
    return values;
  }

  @AfterEach
  final void closeContext() {
    if (context == null) {
      return;
    }
    memory.forEach(DeviceMemory::close);
    if (kernels != null) {
      kernels.close();
    }
    if (stream != null) {
      stream.close();
    }
    context.close();
  }
}
