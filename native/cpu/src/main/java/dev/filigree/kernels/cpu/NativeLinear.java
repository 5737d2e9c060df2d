package dev.filigree.kernels.cpu;

import dev.filigree.DType;
import dev.filigree.spi.LinearCall;
import dev.filigree.spi.Panels;
import dev.filigree.spi.RoundedKernel;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * Weights for the native kernels: row by row, each filled up with zeros to whole rows of a tile
 * register, and rows of zeros up to whole tiles; {@code linear.h} draws it.
 *
 * @param calls the kernels
 * @param code of the activations
 * @param weights s8 or bf16
 * @param scales of the rows of integers, f32; else empty
 * @param sums of the rows of integers, i32; else empty
 * @param remainders of integers whose products would saturate; else {@link Remainders#NONE}
 */
record NativeLinear(
    NativeCalls calls,
    PanelCode code,
    int rows,
    int columns,
    MemorySegment weights,
    MemorySegment scales,
    MemorySegment sums,
    Remainders remainders)
    implements RoundedKernel {
  /** Rows to which weights are filled up: two tile registers. */
  private static final int ROWS = 32;

  /** Of memory that vectors and tiles read. */
  private static final int ALIGNMENT = 64;

  private static MemorySegment weights(int rows, long rowBytes) {
    long filled = (rows + ROWS - 1L) / ROWS * ROWS;
    return Arena.ofAuto().allocate(filled * rowBytes, ALIGNMENT);
  }

  /** Lays scaled integers out. */
  static NativeLinear pack(NativeCalls calls, IntegerRows integers) {
    PanelCode code = PanelCode.of(calls);
    int rows = integers.rows();
    int columns = integers.columns();
    long rowBytes = code.rowBytes(columns);
    MemorySegment packed = weights(rows, rowBytes);
    MemorySegment scales = Arena.ofAuto().allocate(DType.FLOAT, rows);
    MemorySegment sums = Arena.ofAuto().allocate(DType.INT, rows);
    float[] row = new float[columns];
    for (int o = 0; o < rows; o++) {
      integers.codes(o, row);
      int sum = 0;
      for (int k = 0; k < columns; k++) {
        packed.set(DType.BYTE, o * rowBytes + k, (byte) row[k]);
        sum += (int) row[k];
      }
      scales.setAtIndex(DType.FLOAT, o, integers.scale(o));
      sums.setAtIndex(DType.INT, o, sum);
    }
    Remainders remainders =
        calls.instructions().saturates()
            ? Remainders.take(packed, rows, rowBytes)
            : Remainders.NONE;
    return new NativeLinear(calls, code, rows, columns, packed, scales, sums, remainders);
  }

  /** Rounds any weights to bf16. */
  static NativeLinear pack(NativeCalls calls, Weights weights) {
    PanelCode code = PanelCode.of(calls);
    int rows = weights.rows();
    int columns = weights.columns();
    long rowBytes = code.rowBytes(columns);
    MemorySegment packed = weights(rows, rowBytes);
    float[] row = new float[columns];
    for (int o = 0; o < rows; o++) {
      weights.unpackRow(o, row, 0);
      for (int k = 0; k < columns; k++) {
        packed.set(DType.SHORT, o * rowBytes + (long) k * Short.BYTES, DType.toBfloat16(row[k]));
      }
    }
    return new NativeLinear(
        calls,
        code,
        rows,
        columns,
        packed,
        MemorySegment.NULL,
        MemorySegment.NULL,
        Remainders.NONE);
  }

  @Override
  public long bytes() {
    return weights.byteSize() + scales.byteSize() + sums.byteSize() + remainders.byteSize();
  }

  @Override
  public Bound bind(LinearCall call) {
    long base = call.memory().address();
    MemorySegment bias =
        call.bias() == null
            ? MemorySegment.NULL
            : Arena.ofAuto().allocateFrom(DType.FLOAT, call.bias());
    int element = calls.instructions().isInteger() ? Byte.BYTES : Short.BYTES;
    MemorySegment descriptor =
        LinearDescriptor.of(
            base + call.codes(),
            base + call.y(),
            call.residual() < 0 ? 0 : base + call.residual(),
            weights.address(),
            scales.address(),
            sums.address(),
            bias.address(),
            rows,
            code.rowBytes(columns),
            code.tokenBytes(columns),
            ((long) columns * element + Integer.BYTES - 1) / Integer.BYTES,
            call.activation().ordinal(),
            remainders.starts().address(),
            remainders.groups().address(),
            remainders.bytes().address());
    return new BoundLinear(this, call.panels(), descriptor, bias);
  }

  /** Keeps everything reachable that the descriptor points to but the run's own memory. */
  private record BoundLinear(
      NativeLinear layer, Panels panels, MemorySegment descriptor, MemorySegment bias)
      implements Bound {
    @Override
    public void run(int panel, int from, int to) {
      try {
        layer.calls.linear(
            descriptor.address(), panels.start(panel), panels.width(panel), from, to);
      } finally {
        Reference.reachabilityFence(this);
      }
    }
  }
}
