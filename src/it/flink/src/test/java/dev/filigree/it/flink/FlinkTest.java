package dev.filigree.it.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.testing.MiniLm;
import dev.filigree.testing.OnnxModel;
import dev.filigree.text.SentenceEncoder;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The recipe on a cluster of two task managers with two slots each, all in this process. */
class FlinkTest {
  private static final int TASKS = 4;
  private static final int TEXTS = 1200;

  @TempDir static Path folder;
  private static MiniCluster cluster;

  /** Sessions that opened, by what the library logs. */
  private static final AtomicInteger LOADS = new AtomicInteger();

  private static final Logger LOG = Logger.getLogger("dev.filigree");

  private static final Handler LOADS_COUNTER =
      new Handler() {
        @Override
        public void publish(LogRecord line) {
          if (line.getMessage().startsWith("session of ")) {
            LOADS.incrementAndGet();
          }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  @BeforeAll
  static void startCluster() throws Exception {
    LOG.addHandler(LOADS_COUNTER);
    cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setNumTaskManagers(2)
                .setNumSlotsPerTaskManager(TASKS / 2)
                .build());
    cluster.start();
  }

  @AfterAll
  static void stopCluster() throws Exception {
    LOG.removeHandler(LOADS_COUNTER);
    if (cluster != null) {
      cluster.close();
    }
  }

  private static StreamExecutionEnvironment environment() throws Exception {
    URI rest = cluster.getRestAddress().get();
    Configuration restarts = new Configuration();
    restarts.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
    restarts.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 10);
    restarts.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(100));
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.createRemoteEnvironment(
            rest.getHost(), rest.getPort(), restarts);
    environment.setParallelism(TASKS);
    return environment;
  }

  private static String text(long id) {
    return "Somebody told me about number " + id + " and again".repeat((int) (id % 5));
  }

  /** Texts that were made, those made again after a failure among them. */
  private static final AtomicInteger MADE = new AtomicInteger();

  /** Counted down to where a task manager is ended. */
  private static final CountDownLatch THIRD = new CountDownLatch(TEXTS / 3);

  private static final class Text implements MapFunction<Long, String> {
    private static final long serialVersionUID = 1L;

    @Override
    public String map(Long id) {
      MADE.incrementAndGet();
      THIRD.countDown();
      return text(id);
    }
  }

  @Test
  void textsAreEmbeddedOnceThoughATaskManagerFails() throws Exception {
    int loads = LOADS.get();
    StreamExecutionEnvironment environment = environment();
    environment.enableCheckpointing(100);
    DataStream<String> texts = environment.fromSequence(0, TEXTS - 1).map(new Text());
    String path = MiniLm.encoder().toAbsolutePath().toString();
    List<Tuple2<String, float[]>> found = new ArrayList<>();
    try (ExecutorService background = Executors.newSingleThreadExecutor();
        CloseableIterator<Tuple2<String, float[]>> results =
            ModelStream.ofTexts(texts, path).executeAndCollect()) {
      background.submit(
          () -> {
            assertTrue(THIRD.await(2, TimeUnit.MINUTES));
            cluster.terminateTaskManager(0).get();
            cluster.startTaskManager();
            return null;
          });
      results.forEachRemaining(found::add);
    }

    assertTrue(MADE.get() > TEXTS, "nothing was done again, so nothing failed");
    Set<String> different = new HashSet<>();
    found.forEach(pair -> assertTrue(different.add(pair.f0), () -> pair.f0 + " came twice"));
    assertEquals(TEXTS, different.size());
    List<Tuple2<String, float[]>> some = new ArrayList<>();
    for (int i = 0; i < TEXTS; i += 43) {
      some.add(found.get(i));
    }
    try (Model dense = Model.open(MiniLm.encoder());
        SentenceEncoder encoder = SentenceEncoder.open(dense)) {
      float[][] expected = encoder.embed(some.stream().map(pair -> pair.f0).toList());
      for (int i = 0; i < expected.length; i++) {
        assertArrayEquals(expected[i], some.get(i).f1, 1e-5f, some.get(i).f0);
      }
    }
    // one for the four tasks, one more when they all began anew, one for the comparison here
    int opened = LOADS.get() - loads - 1;
    assertTrue(opened == 1 || opened == 2, opened + " loads for " + TASKS + " tasks");
  }

  @Test
  void vectorsGoThroughAModelOfVectors() throws Exception {
    // y = x [[1, 4], [2, 5], [3, 6]]
    Path model =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "3")
            .output("y", DType.F32, "batch", "2")
            .initializer("w", Tensor.of(new float[] {1, 4, 2, 5, 3, 6}, 3, 2))
            .node("MatMul", "y", "x", "w")
            .write(folder.resolve("product.onnx"));
    int loads = LOADS.get();
    DataStream<float[]> vectors =
        environment().fromSequence(0, 999).map(id -> new float[] {id, 1, 0}).returns(float[].class);
    int count = 0;
    try (CloseableIterator<Tuple2<float[], float[]>> results =
        ModelStream.ofVectors(vectors, model.toString()).executeAndCollect()) {
      while (results.hasNext()) {
        Tuple2<float[], float[]> pair = results.next();
        float id = pair.f0[0];
        assertArrayEquals(new float[] {id + 2, 4 * id + 5}, pair.f1);
        count++;
      }
    }
    assertEquals(1000, count);
    // tasks come and go at their own pace; who comes when the last has gone loads anew
    int opened = LOADS.get() - loads;
    assertTrue(1 <= opened && opened <= TASKS, opened + " loads");
  }
}
