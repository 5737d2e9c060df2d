package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.PackedLinear;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;

/**
 * Runs a mixture of experts: gathers the tokens that chose an expert, runs its layers on them, and
 * adds what they make to the tokens' results, in the order of the experts. An expert that no token
 * chose is not touched. Several experts are computed side by side, so that threads find work.
 *
 * @param x input, in panels
 * @param shares by how much each expert counts for each token, in rows
 * @param y output, in panels
 * @param gathered tokens of a round, in panels of one width; null for a single token, which all
 *     experts read where it lies while each writes into memory of its own
 * @param codes forms of the gathered tokens that layers read
 * @param capacity units of a round; see {@link ExpertRounds}
 */
record ExpertsStep(
    Kernels kernels,
    Experts.Form form,
    Slot x,
    Slot shares,
    Slot y,
    Slot gathered,
    List<EncodeStep> codes,
    List<Expert> experts,
    int capacity)
    implements Step {
  /** Elements below which elementwise work is not worth waking another thread. */
  private static final long SMALL = 1 << 14;

  /** Features of the result that are summed as one item. */
  private static final int STRIPE = 64;

  /**
   * An expert.
   *
   * @param readers the layers that read its input: the first, and the second if there is one
   * @param first what the first makes
   * @param second what the second makes, or room for half of what a joined gate reads, or null
   * @param inner what the last layer reads
   * @param code encodes that, or null
   * @param out what the last layer makes
   */
  record Expert(
      List<LinearWork> readers,
      Slot first,
      Slot second,
      Slot inner,
      EncodeStep code,
      LinearWork last,
      Slot out) {}

  @Override
  public int scratchFloats() {
    return experts.stream()
        .flatMap(expert -> Stream.concat(expert.readers.stream(), Stream.of(expert.last)))
        .mapToInt(Step::scratchFloats)
        .max()
        .orElse(0);
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    return new Bound(workspace);
  }

  private final class Bound implements BoundStep {
    private final DecoderState decoder;
    private final MemorySegment memory;
    private final MemorySegment result;
    private final ExpertRounds rounds;
    private final BlockWork.Part[][] readers;
    private final BlockWork.Part[] last;
    private final int blocksOfReaders;
    private final int blocksOfLast;
    private final int features = x.features();

    // kept, as ones made for each run would be garbage of it
    private final WorkerPool.Body input = (unit, worker) -> input(unit);
    private final WorkerPool.Body first = this::first;
    private final WorkerPool.Body gate = (unit, worker) -> gate(unit);
    private final WorkerPool.Body second = this::second;
    private final WorkerPool.Body sum = (stripe, worker) -> sum(stripe);

    Bound(Workspace workspace) {
      this.decoder = workspace.decoder();
      this.memory = workspace.memory();
      this.result = memory.asSlice(y.offset(), y.panels().bytes(features));
      int width = gathered == null ? 1 : gathered.panels().width(0);
      this.rounds = new ExpertRounds(shares, x.panels(), features, experts.size(), width, capacity);
      this.readers = new BlockWork.Part[experts.size()][];
      this.last = new BlockWork.Part[experts.size()];
      for (int e = 0; e < last.length; e++) {
        readers[e] =
            experts.get(e).readers.stream()
                .map(layer -> layer.part(workspace))
                .toArray(BlockWork.Part[]::new);
        last[e] = experts.get(e).last.part(workspace);
      }
      Expert any = experts.getFirst();
      this.blocksOfReaders = any.readers.size() * any.readers.getFirst().kernel().blocks();
      this.blocksOfLast = any.last.kernel().blocks();
    }

    @Override
    public void run(WorkerPool pool) {
      result.fill((byte) 0);
      rounds.begin(decoder.tokens(x.panels().tokens()));
      while (rounds.next(memory)) {
        round(pool);
      }
    }

    private void round(WorkerPool pool) {
      Expert any = experts.getFirst();
      long tokens = (long) rounds.units() * rounds.width();
      PackedLinear reader = any.readers.getFirst().kernel();
      long products = tokens * reader.rows() * reader.columns() * any.readers.size();
      int inner = any.last.kernel().columns();
      if (gathered != null || !codes.isEmpty()) {
        int inputs = gathered == null ? 1 : rounds.units();
        share(pool, inputs, tokens * features < SMALL, input);
      }
      share(pool, rounds.jobs() * blocksOfReaders, BlockWork.isSmall(products), first);
      share(pool, rounds.units(), tokens * inner < SMALL, gate);
      boolean few = BlockWork.isSmall(tokens * inner * features);
      share(pool, rounds.jobs() * blocksOfLast, few, second);
      share(pool, Math.ceilDiv(features, STRIPE), tokens * features < SMALL, sum);
    }

    private static void share(WorkerPool pool, int count, boolean small, WorkerPool.Body body) {
      if (!small) {
        pool.forEach(count, body);
        return;
      }
      for (int item = 0; item < count; item++) {
        body.run(item, 0);
      }
    }

    /** Which panel of its expert's values a unit is. */
    private int panel(int unit) {
      return gathered == null ? 0 : unit;
    }

    private void input(int unit) {
      if (gathered != null) {
        gather(unit);
      }
      for (int i = 0; i < codes.size(); i++) {
        codes.get(i).encode(memory, panel(unit));
      }
    }

    private void gather(int unit) {
      int width = rounds.width();
      long to = gathered.offset() + gathered.panels().offset(unit, features);
      for (int lane = 0; lane < width; lane++) {
        long place = rounds.place(unit, lane);
        long from = x.offset() + place;
        int step = rounds.step(unit, lane);
        for (int f = 0; f < features; f++) {
          float value = place < 0 ? 0 : memory.get(DType.FLOAT, from + (long) f * step);
          memory.set(DType.FLOAT, to + ((long) f * width + lane) * Float.BYTES, value);
        }
      }
    }

    private void first(int item, int worker) {
      int job = item / blocksOfReaders;
      int expert = rounds.expert(job);
      List<LinearWork> layers = experts.get(expert).readers;
      int blocks = blocksOfReaders / layers.size();
      int layer = item % blocksOfReaders / blocks;
      run(layers.get(layer), readers[expert][layer], item % blocks, job, worker);
    }

    private void second(int item, int worker) {
      int job = item / blocksOfLast;
      int expert = rounds.expert(job);
      run(experts.get(expert).last, last[expert], item % blocksOfLast, job, worker);
    }

    private void run(LinearWork layer, BlockWork.Part part, int block, int job, int worker) {
      int from = panel(rounds.firstUnit(job));
      int to = panel(rounds.endUnit(job) - 1) + 1;
      BlockWork.run(layer.kernel(), part, block, from, to, worker);
    }

    private void gate(int unit) {
      Expert expert = experts.get(rounds.expert(rounds.job(unit)));
      int panel = panel(unit);
      int inner = expert.last.kernel().columns();
      long count = (long) inner * rounds.width();
      long at = expert.inner.panels().offset(panel, inner);
      long to = expert.inner.offset() + at;
      if (form.gate() == Experts.Gate.LAYER) {
        long other = expert.second.offset() + at;
        kernels.combine(Arithmetic.MULTIPLY, memory, to, 1, other, 1, to, count);
      } else if (form.gate().isJoined()) {
        joined(expert.first.offset() + 2 * at, to, expert.second.offset() + at, inner);
      }
      if (expert.code != null) {
        expert.code.encode(memory, panel);
      }
    }

    /**
     * {@link Experts.Form#swish} of a panel.
     *
     * @param both offset of both factors, which are overwritten
     * @param to offset of the result
     * @param linear offset of room for a factor
     */
    private void joined(long both, long to, long linear, int inner) {
      int width = rounds.width();
      int count = inner * width;
      if (form.gate() == Experts.Gate.HALVES) {
        kernels.copyRows(memory, both, 1, count, to, count, 1, count);
        long half = both + (long) count * Float.BYTES;
        kernels.copyRows(memory, half, 1, count, linear, count, 1, count);
      } else if (width == 1) {
        kernels.copyRows(memory, both, 2, 2 * inner, to, inner, 1, inner);
        kernels.copyRows(memory, both + Float.BYTES, 2, 2 * inner, linear, inner, 1, inner);
      } else {
        long next = both + (long) width * Float.BYTES;
        kernels.copyRows(memory, both, 1, 2 * width, to, width, inner, width);
        kernels.copyRows(memory, next, 1, 2 * width, linear, width, inner, width);
      }
      float none = Float.POSITIVE_INFINITY;
      float limit = form.limit();
      float beta = form.beta();
      kernels.clamp(memory, to, to, count, 1, 0, -none, limit);
      kernels.clamp(memory, to, both, count, form.alpha(), 0, -none, none);
      kernels.activate(Activation.SIGMOID, memory, both, count);
      kernels.combine(Arithmetic.MULTIPLY, memory, to, 1, both, 1, to, count);
      kernels.clamp(memory, linear, linear, count, 1, beta, beta - limit, beta + limit);
      kernels.combine(Arithmetic.MULTIPLY, memory, to, 1, linear, 1, to, count);
    }

    /** Adds some features of what the experts of the round made, always in their order. */
    private void sum(int stripe) {
      int from = stripe * STRIPE;
      int to = Math.min(features, from + STRIPE);
      for (int unit = 0; unit < rounds.units(); unit++) {
        Slot out = experts.get(rounds.expert(rounds.job(unit))).out;
        long made = out.offset() + out.panels().offset(panel(unit), features);
        for (int lane = 0; lane < rounds.width(); lane++) {
          if (rounds.place(unit, lane) >= 0) {
            add(made + (long) lane * Float.BYTES, unit, lane, from, to);
          }
        }
      }
    }

    private void add(long made, int unit, int lane, int from, int to) {
      long next = (long) rounds.width() * Float.BYTES;
      long into = y.offset() + rounds.place(unit, lane);
      int step = rounds.step(unit, lane);
      float factor = rounds.factor(unit, lane);
      for (int f = from; f < to; f++) {
        long at = into + (long) f * step;
        float part = memory.get(DType.FLOAT, made + f * next) * factor;
        memory.set(DType.FLOAT, at, memory.get(DType.FLOAT, at) + part);
      }
    }
  }
}
