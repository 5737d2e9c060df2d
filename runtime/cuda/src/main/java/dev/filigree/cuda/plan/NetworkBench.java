package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.layout.ConvolutionWeights;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.cuda.operation.CachedAttention;
import dev.filigree.cuda.operation.Convolution;
import dev.filigree.cuda.operation.Convolution.Direct;
import dev.filigree.cuda.operation.Convolution.Geometry;
import dev.filigree.cuda.operation.Gate;
import dev.filigree.cuda.operation.ImageQuantization;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Window;
import dev.filigree.cuda.operation.Resizing;
import dev.filigree.cuda.operation.Rotation;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What {@link OperationBench} is for kernels of images and of decoders. */
final class NetworkBench implements AutoCloseable {
  private static final int CHANNELS = 64;
  private static final int OUTPUTS = 128;
  private static final Extent ONE = new Extent(1, 1);
  private static final Extent IMAGE = new Extent(16, 8);

  /** Three by three, as most are. */
  private static final Geometry GEOMETRY =
      new Geometry(new Window(new Extent(3, 3), ONE, ONE, ONE), IMAGE, IMAGE);

  private static final int PIXELS = IMAGE.height() * IMAGE.width();

  private final DeviceState device;
  private final OperationKernels kernels;
  private final int batch;
  private final List<DeviceMemory> owned = new ArrayList<>();
  private final List<OperationBench.Case> cases = new ArrayList<>();

  /**
   * Memory and launches.
   *
   * @param batch images
   */
  NetworkBench(DeviceState device, int batch) {
    this.device = device;
    this.kernels = device.kernels();
    this.batch = batch;
    try {
      convolutions();
      directConvolutions();
      images();
      sequences();
    } catch (RuntimeException | Error failed) {
      close();
      throw failed;
    }
  }

  /** All of them. */
  List<OperationBench.Case> cases() {
    return cases;
  }

  private long zeros(long bytes) {
    DeviceMemory memory = device.context().allocate(bytes);
    owned.add(memory);
    memory.fill(0, bytes, (byte) 0);
    return memory.address();
  }

  private long uploaded(MemorySegment values) {
    DeviceMemory memory = device.context().allocate(values.byteSize());
    owned.add(memory);
    memory.upload(values, 0);
    return memory.address();
  }

  private Rows rows(DType dtype, long count, int columns) {
    int pitch = Rows.pitch(dtype, columns);
    return new Rows(zeros(count * pitch * dtype.bytes()), dtype, count, columns, pitch);
  }

  private void add(Launch launch, double bytes) {
    cases.add(new OperationBench.Case(launch, bytes));
  }

  private static Weights weights(boolean sparse) {
    int columns = GEOMETRY.taps() * CHANNELS;
    float[] values = new float[OUTPUTS * columns];
    Dense dense = new Dense(Tensor.of(values, OUTPUTS, columns));
    // every other weight: two of any four
    Mask half = Mask.of(OUTPUTS, columns, (row, column) -> (row + column) % 2 == 0);
    return sparse
        ? Sparse24.pack(dense, half, (kept, r, count) -> FloatValues.of(DType.F16, kept))
        : dense;
  }

  private void convolutions() {
    for (KernelEntry kernel : KernelManifest.load().of(ConvolutionDispatch.OPERATION)) {
      WeightsForm form = kernel.weights().orElseThrow();
      ActivationType activation = kernel.activation().orElseThrow();
      DType dtype = activation == ActivationType.I8 ? DType.I8 : DType.F16;
      Rows x = rows(dtype, (long) batch * PIXELS, CHANNELS);
      Rows y = rows(DType.F16, (long) batch * PIXELS, OUTPUTS);
      Map<String, Long> parts = new HashMap<>();
      long bytes;
      try (Arena arena = Arena.ofShared()) {
        Weights padded =
            ConvolutionWeights.patches(
                weights(form.structure() == WeightsForm.Structure.SPARSE24),
                GEOMETRY.taps(),
                x.pitch(),
                form.values());
        PackedWeights packed = PackedWeights.pack("report", padded, form, activation, arena);
        packed.parts().forEach((name, part) -> parts.put(name, uploaded(part)));
        bytes = packed.bytes();
      }
      int columns = GEOMETRY.taps() * x.pitch();
      add(
          Convolution.patches(
              kernels,
              kernel,
              LinearGrid.of(kernel, OUTPUTS, columns, batch * PIXELS),
              GEOMETRY,
              parts,
              dtype == DType.I8 ? zeros((long) batch * PIXELS * Float.BYTES) : 0,
              x,
              LinearEpilogue.NONE,
              y,
              0),
          bytes + x.bytes() + y.bytes());
    }
  }

  private void directConvolutions() {
    for (Direct direct : Direct.values()) {
      int groups = direct == Direct.DEPTHWISE ? CHANNELS : direct == Direct.GROUPED ? 8 : 1;
      Rows x = rows(DType.F16, (long) batch * PIXELS, CHANNELS);
      Rows y = rows(DType.F16, (long) batch * PIXELS, CHANNELS);
      long bytes = 2L * GEOMETRY.taps() * CHANNELS / groups * CHANNELS;
      add(
          Convolution.direct(
              kernels, direct, groups, GEOMETRY, zeros(bytes), x, LinearEpilogue.NONE, y),
          bytes + x.bytes() + y.bytes());
    }
  }

  private void images() {
    for (DType dtype : List.of(DType.F16, DType.BF16)) {
      Rows x = rows(dtype, (long) batch * PIXELS, CHANNELS);
      Rows y = rows(dtype, 4L * batch * PIXELS, CHANNELS);
      Extent twice = new Extent(2 * IMAGE.height(), 2 * IMAGE.width());
      Resizing.Axis axis =
          new Resizing.Axis(zeros(4L * twice.height()), zeros(4L * twice.height()), 1);
      add(Resizing.resize(kernels, axis, axis, 0, x, IMAGE, y, twice), x.bytes() + y.bytes());
    }
    Rows x = rows(DType.F16, (long) batch * PIXELS, CHANNELS);
    Rows codes = rows(DType.I8, (long) batch * PIXELS, CHANNELS);
    long scales = zeros((long) batch * PIXELS * Float.BYTES);
    List<Launch> launches =
        ImageQuantization.quantize(
            kernels, batch, x, zeros((long) batch * Float.BYTES), codes, scales, PIXELS);
    add(launches.get(0), x.bytes());
    add(launches.get(1), x.bytes() + codes.bytes());
  }

  private void sequences() {
    int piece = 16;
    int width = 64;
    int heads = 4;
    int keyHeads = 2;
    Rows q = rows(DType.F16, piece, heads * width);
    Rows k = rows(DType.F16, piece, keyHeads * width);
    Rows y = rows(DType.F16, piece, heads * width);
    long page = zeros(CachedAttention.pageBytes(1, keyHeads, width));
    CachedAttention.State state;
    try (Arena arena = Arena.ofConfined()) {
      long bytes = CachedAttention.State.bytes(piece, width, 1);
      MemorySegment header = arena.allocate(bytes, Long.BYTES);
      header.set(DType.INT, Integer.BYTES, piece);
      header.set(DType.LONG, bytes - Long.BYTES, page);
      state = new CachedAttention.State(uploaded(header), piece);
    }
    CachedAttention.Form form = new CachedAttention.Form(0, heads, keyHeads, width, 0, 0, 0, 1e-6f);
    List<Launch> launches = CachedAttention.attend(kernels, form, state, q, k, k, y);
    add(launches.get(0), 4.0 * k.bytes());
    add(launches.get(1), 2.0 * q.bytes() + 2.0 * k.bytes());
    for (DType dtype : List.of(DType.F16, DType.F32)) {
      Rows x = rows(dtype, piece, CHANNELS);
      Rows last = rows(dtype, 1, CHANNELS);
      add(CachedAttention.lastToken(kernels, state, x, last), 2.0 * last.bytes());
    }
    Rows gate = rows(DType.F16, (long) batch * PIXELS, OUTPUTS);
    add(Gate.gated(kernels, Activation.SILU, gate, gate, gate), 3.0 * gate.bytes());
    Rows turned = rows(DType.F16, (long) batch * PIXELS, heads * width);
    Rows angles = rows(DType.F32, (long) batch * PIXELS, width);
    Rows result = rows(DType.F16, turned.rows(), heads * width);
    add(
        Rotation.turn(kernels, turned, angles, angles, width, result),
        2.0 * turned.bytes() + 2.0 * angles.bytes());
  }

  @Override
  public void close() {
    owned.forEach(DeviceMemory::close);
    owned.clear();
  }
}
