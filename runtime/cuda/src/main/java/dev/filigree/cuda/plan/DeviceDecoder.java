package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.DecoderOptions;
import dev.filigree.Progress;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.operation.CachedAttention;
import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.plan.LayerPlan;
import dev.filigree.spi.SequenceRunner;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Runs a decoder on a CUDA device: pieces of a sequence by plans for 1, 16 and 64 tokens, keys and
 * values in pages on the device. A piece that fills no plan is filled up, and its filling is
 * neither remembered nor attended to. Thread-safe; one run at a time.
 */
public final class DeviceDecoder implements SequenceRunner {
  /** Tokens of the plans: a token, a small tile of the tensor cores, a large one. */
  private static final int[] PIECES = {1, 16, 64};

  private final CachedDecoder decoder;
  private final DeviceState device;
  private final DevicePages pages;
  private final Measuring measuring;
  private final int longest;
  private final CachedDecoder.Rotation rotation;
  private final float[] frequencies;
  private final Piece[] planned = new Piece[PIECES.length];
  private boolean closed;

  /** A plan for some tokens, with the state its kernels read and the memory it works in. */
  private record Piece(DevicePlan plan, DeviceMemory state, Workspace workspace, Tensor ids)
      implements AutoCloseable {
    @Override
    public void close() {
      try (state) {
        workspace.close();
      }
    }
  }

  /**
   * A runner on a device that has a time of its own, by which each piece's kernels are chosen when
   * it is first planned; on a simulated device the model of the device chooses.
   *
   * @param context of its own, which it closes, also when this fails
   * @throws UnsupportedException if the kernels do not take the decoder's heads
   */
  public DeviceDecoder(CachedDecoder decoder, DecoderOptions options, CudaContext context) {
    this(decoder, options, context, Optional.empty());
  }

  /**
   * A runner.
   *
   * @param context of its own, which it closes, also when this fails
   * @param projections of a simulated device, in place of measurements
   * @throws UnsupportedException if the kernels do not take the decoder's heads
   */
  public DeviceDecoder(
      CachedDecoder decoder,
      DecoderOptions options,
      CudaContext context,
      Optional<Projections> projections) {
    try {
      if (!CachedAttention.supports(decoder.width())) {
        throw new UnsupportedException(
            "the CUDA device decodes no heads of " + decoder.width() + " features",
            "use heads of a multiple of 8 up to 256, or the device cpu");
      }
      requirePlain(decoder);
      this.decoder = decoder;
      this.longest = options.longest();
      this.rotation = decoder.rotations().getFirst();
      this.frequencies = rotation.frequencies().of(longest);
      this.pages =
          new DevicePages(
              context,
              CachedAttention.pageBytes(decoder.layers(), decoder.keyHeads(), decoder.width()),
              options.cacheBytes());
      this.device = new DeviceState(context, DeviceRunner.wanted(options.session()));
      this.measuring = new Measuring(device, decoder.graph(), projections);
    } catch (RuntimeException | Error failed) {
      context.close();
      throw failed;
    }
  }

  /** The device's attention turns whole heads, half with half, and scales scores by their width. */
  private static void requirePlain(CachedDecoder decoder) {
    int width = decoder.width();
    boolean isPlain =
        decoder.graph().inputs().size() == 1
            && decoder.rotations().size() == 1
            && decoder.rotations().getFirst().turned() == width
            && decoder.graph().nodes().stream()
                .filter(node -> node.type().equals(dev.filigree.kernel.fused.CachedAttention.TYPE))
                .allMatch(
                    node -> dev.filigree.kernel.fused.CachedAttention.Form.of(node).isPlain(width));
    if (!isPlain) {
      throw new UnsupportedException(
          "the CUDA device does not decode the family '" + decoder.graph().name() + "' yet",
          "use the device cpu; on the GPU run decoders whose attention is as Llama's is");
    }
  }

  @Override
  public String kernels() {
    return DeviceRunner.KERNELS;
  }

  @Override
  public synchronized long packedBytes() {
    return device.dispatch().bytes() + device.constants().bytes();
  }

  @Override
  public long cacheBytes() {
    return pages.bytes();
  }

  @Override
  public double bytesPerToken() {
    return pages.bytesPerToken();
  }

  @Override
  public synchronized List<LayerPlan> layers(int tokens) {
    requireOpen();
    return piece(number(tokens)).plan.layers();
  }

  @Override
  public Sequence sequence() {
    return pages.sequence();
  }

  @Override
  public synchronized void run(Sequence of, long[] tokens, float[] logits) {
    requireOpen();
    DevicePages.Sequence sequence = (DevicePages.Sequence) of;
    decoder.check(tokens, sequence.length(), longest);
    sequence.reserve(tokens.length);
    Tensor scores = Tensor.of(logits, 1, 1, logits.length);
    for (int at = 0; at < tokens.length; ) {
      int number = number(tokens.length - at);
      int count = Math.min(PIECES[number], tokens.length - at);
      Piece piece = piece(number);
      for (int i = 0; i < PIECES[number]; i++) {
        piece.ids.setLong(i, i < count ? tokens[at + i] : 0);
      }
      at += count;
      set(piece, PIECES[number], sequence, count);
      piece.workspace.run(
          decoder.graph().inputs(),
          Map.of(CachedDecoder.IDS, piece.ids),
          at < tokens.length ? Map.of() : Map.of(CachedDecoder.LOGITS, scores));
      sequence.advance(count);
      sequence.forget(decoder.window());
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the decoder was closed");
    }
  }

  /** Writes what the kernels of a run read, see {@code attention/cached_attention.cu}. */
  private void set(Piece piece, int size, DevicePages.Sequence sequence, int count) {
    int width = decoder.width();
    long[] addresses = sequence.addresses();
    float[] turns = new float[size * width];
    for (int t = 0; t < count; t++) {
      rotation.turn(sequence.length() + t, frequencies, turns, t * width);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state =
          arena.allocate(CachedAttention.State.bytes(size, width, addresses.length), Long.BYTES);
      state.set(DType.INT, 0, sequence.length());
      state.set(DType.INT, Integer.BYTES, count);
      long at = CachedAttention.STATE_HEADER;
      MemorySegment.copy(turns, 0, state, DType.FLOAT, at, turns.length);
      at += (long) turns.length * Float.BYTES;
      MemorySegment.copy(addresses, 0, state, DType.LONG, at, addresses.length);
      piece.state.upload(state, 0);
    }
  }

  /** The shortest plan that takes all tokens, or the longest. */
  private static int number(int tokens) {
    for (int number = 0; number < PIECES.length; number++) {
      if (PIECES[number] >= tokens) {
        return number;
      }
    }
    return PIECES.length - 1;
  }

  private Piece piece(int number) {
    if (planned[number] == null) {
      planned[number] = make(PIECES[number]);
    }
    return planned[number];
  }

  private Piece make(int size) {
    int most = Math.ceilDiv(longest, CachedAttention.PAGE);
    DeviceMemory state =
        device.context().allocate(CachedAttention.State.bytes(size, decoder.width(), most));
    try {
      CachedAttention.State of = new CachedAttention.State(state.address(), size);
      DevicePlan plan = plan(of, size);
      if (measuring.measure(plan.choices(), Progress.NONE)) {
        plan = plan(of, size);
        freeUnused(plan);
      }
      Workspace workspace = new Workspace(device.context(), plan, decoder.graph().opset());
      return new Piece(plan, state, workspace, Tensor.of(new long[size], 1, size));
    } catch (RuntimeException | Error failed) {
      state.close();
      throw failed;
    }
  }

  private DevicePlan plan(CachedAttention.State state, int size) {
    return DevicePlanner.plan(
            decoder.graph(), Map.of(CachedDecoder.IDS, Shape.of(1, size)), device, state)
        .orElseThrow(() -> new IllegalStateException("shapes of decoders are known"));
  }

  /** Frees the weights of candidates that were not taken, neither now nor before. */
  private void freeUnused(DevicePlan latest) {
    List<PlannedLayer> used = new ArrayList<>(latest.choices());
    for (Piece piece : planned) {
      if (piece != null) {
        used.addAll(piece.plan.choices());
      }
    }
    device.retain(used);
  }

  /** Frees everything, also after a failure that the context did not survive. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try (device) {
      for (Piece piece : planned) {
        if (piece != null) {
          piece.close();
        }
      }
      pages.close();
    }
  }
}
