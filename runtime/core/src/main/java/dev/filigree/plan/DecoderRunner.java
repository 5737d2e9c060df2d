package dev.filigree.plan;

import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.graph.Graph;
import dev.filigree.graph.pass.Passes;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.SequenceRunner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Runs a decoder on the CPU: long pieces of a sequence by a plan for many tokens, single tokens by
 * one of their own. A piece that fills no plan is filled up, and its filling is neither remembered
 * nor attended to. Thread-safe; one run at a time.
 */
public final class DecoderRunner implements SequenceRunner {
  /** Tokens of the plans, the shortest first: a token, a vector, and a full panel. */
  private static final int[] PIECES = {1, 16, 64};

  private final CachedDecoder decoder;
  private final Graph graph;
  private final LinearLayers linearLayers;
  private final WorkerPool pool;
  private final KvCache cache;
  private final int longest;
  private final Plan[] plans = new Plan[PIECES.length];
  private final Workspace[] workspaces = new Workspace[PIECES.length];
  private final Tensor[] ids = new Tensor[PIECES.length];
  private final Tensor[] positions = new Tensor[PIECES.length];
  private final List<DecoderState.Turns> turns = new ArrayList<>();
  private final List<float[]> frequencies = new ArrayList<>();
  private int turned;
  private boolean closed;

  /**
   * A runner.
   *
   * @param longest tokens of a sequence at most
   * @param cacheBytes of the cache at most
   * @param name prefix of the threads' names
   */
  public DecoderRunner(
      CachedDecoder decoder,
      SessionOptions options,
      Kernels kernels,
      int longest,
      long cacheBytes,
      String name) {
    this.decoder = decoder;
    this.graph = Passes.onChosenExperts(decoder.graph());
    this.linearLayers = new LinearLayers(kernels, options.precision());
    this.longest = longest;
    this.cache =
        new KvCache(
            decoder.layers(),
            decoder.keyHeads(),
            decoder.width(),
            kernels.lanes(),
            options.threads(),
            cacheBytes);
    this.pool = new WorkerPool(options.threads(), name);
    for (CachedDecoder.Rotation rotation : decoder.rotations()) {
      frequencies.add(rotation.frequencies().of(longest));
      turns.add(new DecoderState.Turns(rotation.turned(), new float[0]));
    }
  }

  @Override
  public long cacheBytes() {
    return cache.bytes();
  }

  @Override
  public double bytesPerToken() {
    return cache.bytesPerToken();
  }

  @Override
  public KvCache.Sequence sequence() {
    return cache.sequence();
  }

  @Override
  public String kernels() {
    return linearLayers.kernels().name();
  }

  @Override
  public long packedBytes() {
    return linearLayers.bytes();
  }

  @Override
  public synchronized List<LayerPlan> layers(int tokens) {
    return plan(piece(tokens)).layers();
  }

  @Override
  public synchronized void run(SequenceRunner.Sequence of, long[] tokens, float[] logits) {
    if (closed) {
      throw new IllegalStateException("the decoder was closed");
    }
    KvCache.Sequence sequence = (KvCache.Sequence) of;
    decoder.check(tokens, sequence.length(), longest);
    sequence.reserve(tokens.length);
    turn(sequence.length() + tokens.length);
    Tensor scores = Tensor.of(logits, 1, 1, logits.length);
    for (int at = 0; at < tokens.length; ) {
      int piece = piece(tokens.length - at);
      int count = Math.min(PIECES[piece], tokens.length - at);
      Plan plan = plan(piece);
      for (int i = 0; i < PIECES[piece]; i++) {
        ids[piece].setLong(i, i < count ? tokens[at + i] : 0);
      }
      at += count;
      for (int i = 0; positions[piece] != null && i < PIECES[piece]; i++) {
        // filling may stand anywhere
        positions[piece].setLong(i, i < count ? sequence.length() + i : 0);
      }
      workspaces[piece].decoder().set(sequence, count, turns);
      plan.run(
          workspaces[piece],
          pool,
          graph.inputs(),
          inputs(piece),
          at < tokens.length ? Map.of() : Map.of(CachedDecoder.LOGITS, scores));
      sequence.advance(count);
      sequence.forget(decoder.window());
    }
  }

  /** The shortest plan that takes all tokens, or the longest. */
  private static int piece(int tokens) {
    for (int piece = 0; piece < PIECES.length; piece++) {
      if (PIECES[piece] >= tokens) {
        return piece;
      }
    }
    return PIECES.length - 1;
  }

  private Plan plan(int piece) {
    if (plans[piece] == null) {
      Plan plan = Planner.plan(graph, shapes(PIECES[piece]), linearLayers, cache, longest);
      workspaces[piece] = plan.workspace(pool.size());
      ids[piece] = Tensor.of(new long[PIECES[piece]], 1, PIECES[piece]);
      if (looksUp()) {
        positions[piece] = Tensor.of(new long[PIECES[piece]], PIECES[piece]);
      }
      plans[piece] = plan;
    }
    return plans[piece];
  }

  /** Whether the decoder looks positions up. */
  private boolean looksUp() {
    return graph.inputs().size() > 1;
  }

  private Map<String, Shape> shapes(int tokens) {
    Shape ids = Shape.of(1, tokens);
    return looksUp()
        ? Map.of(CachedDecoder.IDS, ids, CachedDecoder.POSITIONS, Shape.of(tokens))
        : Map.of(CachedDecoder.IDS, ids);
  }

  private Map<String, Tensor> inputs(int piece) {
    return looksUp()
        ? Map.of(CachedDecoder.IDS, ids[piece], CachedDecoder.POSITIONS, positions[piece])
        : Map.of(CachedDecoder.IDS, ids[piece]);
  }

  /** Computes the cosines and sines of all positions up to a length. */
  private void turn(int length) {
    for (int r = 0; r < turns.size(); r++) {
      CachedDecoder.Rotation rotation = decoder.rotations().get(r);
      int width = rotation.turned();
      float[] table = turns.get(r).table();
      if (table.length < length * width) {
        int room = Math.min(longest, Math.max(length, 2 * turned));
        table = Arrays.copyOf(table, Math.multiplyExact(room, width));
        turns.set(r, new DecoderState.Turns(width, table));
      }
      for (int position = turned; position < length; position++) {
        rotation.turn(position, frequencies.get(r), table, position * width);
      }
    }
    turned = Math.max(turned, length);
  }

  /** Frees memory and threads. */
  @Override
  public synchronized void close() {
    for (Workspace workspace : workspaces) {
      if (workspace != null) {
        workspace.close();
      }
    }
    Arrays.fill(workspaces, null);
    closed = true;
    cache.close();
    pool.close();
  }
}
