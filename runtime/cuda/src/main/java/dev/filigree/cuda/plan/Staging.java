package dev.filigree.cuda.plan;

import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.PinnedMemory;
import dev.filigree.cuda.driver.Stream;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Pinned memory that inputs and outputs pass through, of bounded size: what is larger goes in
 * pieces. Small tensors of one run lie beside each other, so that their copies need not wait.
 */
final class Staging implements AutoCloseable {
  /** Bytes a workspace pins at most. */
  private static final long MOST_BYTES = 16 << 20;

  private static final long ALIGNMENT = 256;

  private final PinnedMemory memory;
  private final Stream stream;
  private long used;

  /** Memory for tensors, or for pieces of them. */
  Staging(CudaContext context, Stream stream, List<DeviceTensor> tensors) {
    long bytes = 0;
    long row = 0;
    for (DeviceTensor tensor : tensors) {
      bytes += aligned(tensor.bytes());
      row = Math.max(row, (long) tensor.pitch() * tensor.dtype().bytes());
    }
    this.stream = stream;
    this.memory =
        context.allocatePinned(Math.max(Math.max(ALIGNMENT, row), Math.min(bytes, MOST_BYTES)));
  }

  private static long aligned(long bytes) {
    return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
  }

  long bytes() {
    return memory.segment().byteSize();
  }

  /** Starts to copy a tensor to the device; the tensor itself is read before this returns. */
  void upload(Tensor from, DeviceTensor to, long arena) {
    Tensor tensor = from.contiguous();
    long rowBytes = (long) to.pitch() * to.dtype().bytes();
    long rows = to.rows();
    for (long row = 0; row < rows; ) {
      long count = take(rows - row, rowBytes);
      MemorySegment piece = memory.segment().asSlice(used, count * rowBytes);
      HostRows.write(
          tensor,
          row * to.columns(),
          (row + count) * to.columns(),
          piece,
          to.dtype(),
          to.columns(),
          to.pitch());
      stream.upload(piece, to.address(arena) + row * rowBytes);
      used += aligned(count * rowBytes);
      row += count;
    }
  }

  /** Copies a tensor from the device, after all that is in the stream. */
  void download(DeviceTensor from, long arena, Tensor to) {
    long rowBytes = (long) from.pitch() * from.dtype().bytes();
    long rows = from.rows();
    for (long row = 0; row < rows; ) {
      long count = take(rows - row, rowBytes);
      MemorySegment piece = memory.segment().asSlice(used, count * rowBytes);
      stream.download(from.address(arena) + row * rowBytes, piece);
      stream.synchronize();
      HostRows.read(
          piece,
          from.dtype(),
          from.columns(),
          from.pitch(),
          to,
          row * from.columns(),
          (row + count) * from.columns());
      row += count;
    }
  }

  /** Copies bytes from the device, after all that is in the stream; valid until the next use. */
  MemorySegment download(long address, long bytes) {
    take(1, bytes);
    MemorySegment piece = memory.segment().asSlice(used, bytes);
    stream.download(address, piece);
    stream.synchronize();
    return piece;
  }

  /** Rows that fit now; waits for the copies that go on if none does. */
  private long take(long rows, long rowBytes) {
    if (memory.segment().byteSize() - used < Math.min(rows * rowBytes, MOST_BYTES)) {
      stream.synchronize();
      used = 0;
    }
    return Math.min(rows, (memory.segment().byteSize() - used) / rowBytes);
  }

  /** Forgets what was copied; the stream must have been waited for. */
  void reset() {
    used = 0;
  }

  @Override
  public void close() {
    memory.close();
  }
}
