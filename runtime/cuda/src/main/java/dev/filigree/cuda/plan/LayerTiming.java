package dev.filigree.cuda.plan;

import dev.filigree.DeviceException;
import dev.filigree.cuda.driver.CudaGraph;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Event;
import dev.filigree.cuda.driver.Stream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Measures the candidates of a layer on the device: in alternation, so that drift of its clock hits
 * all alike, by events around a graph of several launches, as plans replay them; the median of the
 * rounds counts. Launched one by one, small layers would take as long as the calls that launch
 * them.
 *
 * <p>Weights that are used again and again lie in the second-level cache, which they do in a model
 * only if all of its weights fit there. Where they do not, copies of a layer's weights are used in
 * turn, twice as many bytes as the cache has.
 */
final class LayerTiming implements LayerClock {
  private static final System.Logger LOG = System.getLogger(LayerTiming.class.getName());
  private static final int ROUNDS = 7;

  /** At least so many in a graph. */
  private static final int LAUNCHES = 10;

  /** At most so many copies: small weights are no matter, wherever they come from. */
  private static final int MOST_COPIES = 64;

  private final DeviceState device;
  private final boolean streamed;

  /**
   * A clock.
   *
   * @param streamed whether weights are to come from the device's memory
   */
  LayerTiming(DeviceState device, boolean streamed) {
    this.device = device;
    this.streamed = streamed;
  }

  @Override
  public boolean isProjecting() {
    return false;
  }

  @Override
  public Map<String, Double> measure(LayerBench bench) {
    Optional<DeviceMemory> room = streamed ? room() : Optional.empty();
    List<Timed> timed = new ArrayList<>();
    try (Event start = device.context().event();
        Event end = device.context().event()) {
      for (LayerBench.Candidate candidate : bench.candidates()) {
        timed.add(new Timed(bench.stream(), candidate, room));
      }
      timed.forEach(each -> each.time(start, end));
      double[][] micros = new double[timed.size()][ROUNDS];
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < micros.length; i++) {
          micros[i][round] = timed.get(i).time(start, end);
        }
      }
      Map<String, Double> medians = new LinkedHashMap<>();
      for (int i = 0; i < micros.length; i++) {
        medians.put(timed.get(i).candidate.option().name(), median(micros[i]));
      }
      return medians;
    } finally {
      timed.forEach(Timed::close);
      room.ifPresent(DeviceMemory::close);
    }
  }

  /**
   * Memory for copies of weights; none where the device is full, which measuring must not fail of.
   */
  private Optional<DeviceMemory> room() {
    try {
      return Optional.of(device.context().allocate(2L * device.context().properties().l2Bytes()));
    } catch (DeviceException full) {
      if (full.kind() != DeviceException.Kind.MEMORY) {
        throw full;
      }
      LOG.log(
          System.Logger.Level.DEBUG,
          () -> "kernels are measured with weights in the cache: " + full.getMessage());
      return Optional.empty();
    }
  }

  /** A candidate in a graph. */
  private static final class Timed implements AutoCloseable {
    private final LayerBench.Candidate candidate;
    private final Stream stream;
    private final List<DeviceWeights> copies = new ArrayList<>();
    private final int launches;
    private final CudaGraph graph;

    Timed(Stream stream, LayerBench.Candidate candidate, Optional<DeviceMemory> room) {
      this.stream = stream;
      this.candidate = candidate;
      long bytes = candidate.weights().bytes();
      room.ifPresent(
          memory -> {
            long count = Math.min(MOST_COPIES, memory.bytes() / bytes);
            for (long i = 0; i < count; i++) {
              copies.add(candidate.weights().at(memory.address() + i * bytes));
            }
          });
      List<DeviceStep.Work> works =
          copies.size() < 2
              ? List.of(candidate.work())
              : copies.stream().map(candidate.binder()).toList();
      candidate.work().into(stream);
      launches = Math.max(LAUNCHES, works.size());
      graph = stream.capture(() -> repeat(works, launches, stream));
    }

    /** Microseconds of a launch. */
    double time(Event start, Event end) {
      for (DeviceWeights copy : copies) {
        stream.copy(candidate.weights().address(), copy.address(), copy.bytes());
      }
      return LayerTiming.time(stream, start, end, graph) / launches;
    }

    @Override
    public void close() {
      graph.close();
    }
  }

  private static void repeat(List<DeviceStep.Work> works, int launches, Stream stream) {
    for (int i = 0; i < launches; i++) {
      works.get(i % works.size()).into(stream);
    }
  }

  private static double time(Stream stream, Event start, Event end, CudaGraph graph) {
    start.record(stream);
    graph.launch(stream);
    end.record(stream);
    end.synchronize();
    return end.microsSince(start);
  }

  private static double median(double[] micros) {
    Arrays.sort(micros);
    return micros[micros.length / 2];
  }

  /** Median microseconds of some work by itself, once it has run. */
  static double median(Stream stream, Event start, Event end, DeviceStep.Work work) {
    work.into(stream);
    try (CudaGraph graph = stream.capture(() -> repeat(List.of(work), LAUNCHES, stream))) {
      time(stream, start, end, graph);
      double[] micros = new double[ROUNDS];
      for (int round = 0; round < ROUNDS; round++) {
        micros[round] = time(stream, start, end, graph) / LAUNCHES;
      }
      return median(micros);
    }
  }
}
