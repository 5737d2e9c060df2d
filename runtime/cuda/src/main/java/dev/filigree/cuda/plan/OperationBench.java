package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.operation.Attention;
import dev.filigree.cuda.operation.BinaryOperation;
import dev.filigree.cuda.operation.Comparison;
import dev.filigree.cuda.operation.Elementwise;
import dev.filigree.cuda.operation.Embedding;
import dev.filigree.cuda.operation.Gather;
import dev.filigree.cuda.operation.IntegerProduct;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.LinearQuantization;
import dev.filigree.cuda.operation.MatrixProduct;
import dev.filigree.cuda.operation.Movement;
import dev.filigree.cuda.operation.Normalization;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Pooling;
import dev.filigree.cuda.operation.Recurrence;
import dev.filigree.cuda.operation.Reduction;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.cuda.operation.SequencePooling;
import dev.filigree.cuda.operation.Softmax;
import dev.filigree.cuda.operation.Sparsity24;
import dev.filigree.cuda.operation.TokenQuantization;
import dev.filigree.cuda.operation.UnaryOperation;
import dev.filigree.cuda.operation.View;
import dev.filigree.kernel.recurrent.Recurrent;
import java.util.ArrayList;
import java.util.List;

/**
 * A launch of every kernel that is none of a linear layer, on zeros in one block of memory, with
 * the bytes it must move: what a report of a device times.
 *
 * <pre>
 *   memory: | first operand | second operand | result | more operands, small |
 * </pre>
 */
final class OperationBench implements AutoCloseable {
  private static final List<DType> HALVES = List.of(DType.F16, DType.BF16);
  private static final List<DType> FLOATS = List.of(DType.F16, DType.BF16, DType.F32);
  private static final List<DType> SIZES = List.of(DType.U8, DType.F16, DType.F32, DType.I64);
  private static final int WIDE_COLUMNS = 2048;

  private static final int IMAGE_CHANNELS = 16;

  /** Indices, masks and parameters: as many bytes as a row of the widest type needs. */
  private static final long SMALL = 1 << 20;

  /**
   * A launch.
   *
   * @param bytes of its operands and results
   */
  record Case(Launch launch, double bytes) {
    /** Name of the kernel. */
    String kernel() {
      return launch.kernel().entry().entry();
    }
  }

  private final OperationKernels kernels;
  private final DeviceMemory memory;
  private final long third;
  private final int rows;
  private final int columns;
  private final List<Case> cases = new ArrayList<>();
  private final NetworkBench network;

  /**
   * Memory and launches.
   *
   * @param rows of matrices, a multiple of 128
   * @param columns of matrices, a multiple of 128 up to 1024
   */
  OperationBench(DeviceState device, int rows, int columns) {
    this.kernels = device.kernels();
    this.rows = rows;
    this.columns = columns;
    this.third = (long) rows * Math.max(WIDE_COLUMNS, columns) * Long.BYTES;
    this.memory = device.context().allocate(3 * third + SMALL);
    try {
      memory.fill(0, memory.bytes(), (byte) 0);
      elements();
      movements();
      sums();
      normalisations();
      networks();
      sparsity();
      quantized();
      recurrent();
      network = new NetworkBench(device, Math.max(1, rows / 128));
      cases.addAll(network.cases());
    } catch (RuntimeException | Error failed) {
      memory.close();
      throw failed;
    }
  }

  /** All of them. */
  List<Case> cases() {
    return cases;
  }

  private Rows rows(int part, DType dtype, int width) {
    return new Rows(memory.address() + part * third, dtype, rows, width, Rows.pitch(dtype, width));
  }

  private Rows rows(int part, DType dtype) {
    return rows(part, dtype, columns);
  }

  private static View view(Rows rows) {
    return View.of(
        rows.address(), rows.dtype(), Shape.of(rows.rows(), rows.columns()), rows.pitch());
  }

  /** Zeros: indices, a mask, parameters, a fault. */
  private long small() {
    return memory.address() + 3 * third;
  }

  private void add(Launch launch, double bytes) {
    cases.add(new Case(launch, bytes));
  }

  private void elements() {
    for (DType dtype : List.of(DType.F16, DType.BF16, DType.F32, DType.I32, DType.I64)) {
      Rows a = rows(0, dtype);
      Rows y = rows(2, dtype);
      View b = view(rows(1, dtype));
      add(
          Elementwise.binary(kernels, BinaryOperation.of("Add").orElseThrow(), view(a), b, view(y)),
          3.0 * a.bytes());
      add(
          dtype.isFloating()
              ? Elementwise.unary(kernels, UnaryOperation.GELU, Elementwise.Attributes.NONE, a, y)
              : Elementwise.unaryInteger(kernels, UnaryOperation.NEGATE, 0, 0, a, y),
          2.0 * a.bytes());
    }
    List<DType> all =
        List.of(DType.F32, DType.F16, DType.BF16, DType.I8, DType.U8, DType.I32, DType.I64);
    for (DType dtype : all) {
      Rows a = rows(0, dtype);
      Rows truth = rows(2, DType.BOOL);
      add(
          Elementwise.compare(
              kernels,
              Comparison.of("Less").orElseThrow(),
              view(a),
              view(rows(1, dtype)),
              view(truth)),
          2.0 * a.bytes() + truth.bytes());
      Rows y = rows(2, dtype == DType.F32 ? DType.F16 : DType.F32);
      add(Elementwise.cast(kernels, a, y), a.bytes() + y.bytes());
    }
    for (DType dtype : SIZES) {
      Rows a = rows(0, dtype);
      Rows y = rows(2, dtype);
      View condition = View.of(small(), DType.BOOL, Shape.of(columns));
      add(
          Elementwise.where(kernels, condition, view(a), view(rows(1, dtype)), view(y)),
          3.0 * a.bytes());
    }
  }

  private void movements() {
    for (DType dtype : SIZES) {
      Rows a = rows(0, dtype);
      Rows y = rows(2, dtype);
      add(Movement.copy(kernels, view(a), view(y), y.pitch()), 2.0 * a.bytes());
      View turned = View.of(y.address(), dtype, Shape.of(columns, rows), Rows.pitch(dtype, rows));
      add(
          Movement.copy(kernels, view(a).permute(1, 0), turned, Rows.pitch(dtype, rows)),
          2.0 * a.bytes());
      for (int axis = 0; axis < 2; axis++) {
        int count = axis == 0 ? rows : columns;
        add(
            Gather.slices(
                kernels,
                view(a),
                axis,
                small(),
                DType.I32,
                Shape.of(count),
                y.address(),
                y.pitch(),
                small()),
            2.0 * a.bytes());
      }
    }
  }

  private void sums() {
    List<DType> types =
        List.of(DType.F16, DType.BF16, DType.F32, DType.I8, DType.U8, DType.I32, DType.I64);
    for (DType dtype : types) {
      Rows a = rows(0, dtype);
      long y = memory.address() + 2 * third;
      boolean[][] folded = {{false, true}, {true, false}};
      add(Reduction.SUM.fold(kernels, view(a), folded[0], y, Rows.pitch(dtype, rows)), a.bytes());
      add(
          Reduction.SUM.fold(kernels, view(a), folded[1], y, Rows.pitch(dtype, columns)),
          a.bytes());
    }
    for (DType dtype : FLOATS) {
      for (int width : List.of(columns, WIDE_COLUMNS)) {
        Rows x = rows(0, dtype, width);
        add(Softmax.rows(kernels, x, rows(2, dtype, width), false), 2.0 * x.bytes());
      }
      Rows x = rows(0, dtype);
      add(Softmax.axis(kernels, view(x), 0, view(rows(2, dtype)), false), 2.0 * x.bytes());
    }
    for (DType dtype : HALVES) {
      Rows a = rows(0, dtype);
      Rows b = new Rows(memory.address() + third, dtype, columns, columns, columns);
      Rows y = rows(2, dtype);
      add(MatrixProduct.multiply(kernels, view(a), view(b), view(y)), 2.0 * a.bytes() + b.bytes());
    }
  }

  private void normalisations() {
    for (DType dtype : FLOATS) {
      DType result = dtype == DType.F32 ? DType.F16 : dtype;
      for (int width : List.of(columns, WIDE_COLUMNS)) {
        Rows x = rows(0, dtype, width);
        Rows y = rows(2, result, width);
        Normalization.Results into = new Normalization.Results(y);
        double bytes = x.bytes() + y.bytes();
        add(Normalization.layer(kernels, x, null, small(), small(), null, into, 1e-5f), bytes);
        add(Normalization.rms(kernels, x, null, small(), small(), null, into, 1e-5f), bytes);
      }
      Rows x = rows(0, dtype);
      add(Normalization.length(kernels, x, rows(2, dtype), 1e-12f), 2.0 * x.bytes());
    }
    for (DType dtype : HALVES) {
      for (int width : List.of(columns, WIDE_COLUMNS)) {
        Rows x = rows(0, dtype, width);
        Rows y = rows(2, DType.I8, width);
        add(TokenQuantization.quantize(kernels, x, y, small()), x.bytes() + y.bytes());
      }
    }
  }

  private void networks() {
    for (DType dtype : HALVES) {
      for (int width : List.of(32, 64, 96, 128)) {
        int heads = Math.max(1, columns / width);
        Rows q = rows(0, dtype, heads * width);
        Rows k = rows(1, dtype, heads * width);
        Rows y = rows(2, dtype, heads * width);
        Attention.Form form =
            new Attention.Form(
                rows / 128, heads, width, 128, 128, (float) (1 / Math.sqrt(width)), false);
        add(Attention.attend(kernels, form, q, k, k, Attention.Mask.NONE, y), 4.0 * q.bytes());
      }
      Rows y = rows(2, dtype);
      List<Embedding.Table> tables =
          List.of(
              new Embedding.Table(memory.address(), rows, small(), 128, 1),
              new Embedding.Table(memory.address() + third, rows, small(), 0, 1));
      for (Embedding.LayerNorm norm :
          new Embedding.LayerNorm[] {null, new Embedding.LayerNorm(small(), small(), 1e-5f)}) {
        add(
            Embedding.sum(
                kernels,
                tables,
                DType.I32,
                y.pitch(),
                norm,
                dtype,
                new Normalization.Results(y),
                128,
                small()),
            3.0 * y.bytes());
      }
      Rows x = rows(0, dtype);
      Rows means =
          new Rows(y.address(), DType.F32, rows / 128, columns, Rows.pitch(DType.F32, columns));
      add(SequencePooling.mean(kernels, x, 128, 0, DType.I64, means), x.bytes());
      Pooling.Extent image = new Pooling.Extent(16, 8);
      Pooling.Extent half = new Pooling.Extent(8, 4);
      Pooling.Extent two = new Pooling.Extent(2, 2);
      Pooling.Window window =
          new Pooling.Window(two, two, new Pooling.Extent(0, 0), new Pooling.Extent(1, 1));
      Rows smaller = new Rows(y.address(), dtype, rows / 4, columns, y.pitch());
      for (Pooling.Kind kind : List.of(Pooling.Kind.MAX, Pooling.Kind.AVERAGE)) {
        add(
            Pooling.pool(kernels, kind, window, rows / 128, x, image, smaller, half),
            x.bytes() + smaller.bytes());
      }
    }
    Rows sums = rows(0, DType.F32);
    Rows y = rows(2, DType.F16);
    add(LinearEpilogue.NONE.finish(kernels, sums, y), sums.bytes() + y.bytes());
  }

  private void sparsity() {
    Rows w = rows(0, DType.F16);
    Rows values = new Rows(memory.address() + third, DType.F16, rows, columns / 2, columns / 2);
    long metadata = memory.address() + 2 * third;
    long metadataBytes = (long) rows * columns / 16 * Short.BYTES;
    Sparsity24.Packed packed = new Sparsity24.Packed(values, metadata);
    // a mask of zeros keeps nothing; packing fills the groups up, so that the metadata is legal
    long mask = metadata + third / 2;
    long fault = small();
    add(
        Sparsity24.pack(kernels, w, mask, packed, fault),
        w.bytes() + values.bytes() + metadataBytes);
    add(Sparsity24.unpack(kernels, packed, w, fault), w.bytes() + values.bytes() + metadataBytes);
    add(Sparsity24.check(kernels, metadata, metadataBytes / Integer.BYTES, fault), metadataBytes);
  }

  private void quantized() {
    LinearQuantization one = LinearQuantization.one(small(), small());
    Rows codes = rows(1, DType.U8);
    for (DType dtype : List.of(DType.F16, DType.F32)) {
      Rows x = rows(0, dtype);
      add(one.quantize(kernels, x, codes, false), x.bytes() + codes.bytes());
    }
    for (DType dtype : List.of(DType.I8, DType.U8, DType.I32)) {
      Rows x = rows(0, dtype);
      Rows y = rows(2, DType.F16);
      add(one.dequantize(kernels, x, y), x.bytes() + y.bytes());
    }
    long result = memory.address() + 2 * third;
    add(LinearQuantization.range(kernels, small(), small(), result, result + Float.BYTES), 13);
    Rows a = rows(0, DType.U8);
    Rows b = new Rows(codes.address(), DType.I8, columns, columns, codes.pitch());
    Rows sums = rows(2, DType.I32);
    IntegerProduct.Lines none = IntegerProduct.Lines.NONE;
    IntegerProduct.Results asTheyAre = IntegerProduct.Results.SUMS;
    add(
        IntegerProduct.multiply(kernels, view(a), view(b), none, none, asTheyAre, view(sums)),
        a.bytes() + b.bytes() + sums.bytes());
    Pooling.Extent extent = new Pooling.Extent(1, 1);
    Pooling.Window window = new Pooling.Window(extent, extent, new Pooling.Extent(0, 0), extent);
    // an image of 16 channels and as many outputs
    int height = rows / IMAGE_CHANNELS;
    Rows w = new Rows(b.address(), DType.I8, IMAGE_CHANNELS * IMAGE_CHANNELS, 1, 16);
    IntegerProduct.Convolution form =
        new IntegerProduct.Convolution(
            1, IMAGE_CHANNELS, IMAGE_CHANNELS, 1, window, height, height);
    add(
        IntegerProduct.convolve(kernels, form, a, w, none, none, 0, asTheyAre, sums),
        a.bytes() + w.bytes() + sums.bytes());
  }

  private void recurrent() {
    int hidden = 128;
    int steps = rows / 16;
    Rows functions = new Rows(small(), DType.F32, 3, 3, 4);
    for (Recurrent kind : Recurrent.values()) {
      Rows x = rows(0, DType.F16);
      Rows r = new Rows(memory.address() + third, DType.F16, 4 * hidden, hidden, hidden);
      Rows w = new Rows(memory.address() + third, DType.F16, 4 * hidden, columns, x.pitch());
      Rows y = new Rows(memory.address() + 2 * third, DType.F16, rows, hidden, hidden);
      add(
          Recurrence.run(
              kernels,
              new Recurrence.Form(
                  kind, steps, 16, 1, columns, hidden, false, false, false, false, 1),
              x,
              Recurrence.Lengths.ALL,
              new Recurrence.Weights(w, r, null, null, functions),
              new Recurrence.States(0, 0, 0, 0, hidden),
              y),
          x.bytes() + r.bytes() + w.bytes() + y.bytes());
    }
  }

  @Override
  public void close() {
    try (memory) {
      network.close();
    }
  }
}
