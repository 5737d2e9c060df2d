package dev.filigree.it.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.testing.MiniLm;
import dev.filigree.testing.OnnxModel;
import dev.filigree.text.SentenceEncoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.spark.ExecutorLostFailure;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The recipe on a cluster of two workers, whose executors are processes of their own. */
class SparkTest {
  private static final int PARTITIONS = 12;
  private static final int ROWS = PARTITIONS * 40;
  private static final int BATCH = 32;

  /** Its first attempt ends with its process, while it runs. */
  private static final int FATAL_PARTITION = 7;

  private static final List<String> WORDS =
      List.of("bread", "music", "a river", "the harbour", "two horses", "snow", "an old lamp");

  @TempDir static Path folder;
  private static SparkSession spark;
  private static Path work;

  @BeforeAll
  static void startCluster() throws IOException {
    Path home = Path.of(System.getenv("SPARK_HOME"));
    deleteTree(home);
    // what Spark's launcher takes for an installation; its jars are on the class path of this test
    Files.createDirectories(home.resolve("jars"));
    Files.writeString(home.resolve("RELEASE"), "of this test's class path\n");
    work = home.resolve("work");
    spark =
        SparkSession.builder()
            .master("local-cluster[2,1,1024]")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.ui.enabled", "false")
            .config("spark.local.dir", folder.toString())
            .config("spark.executor.memory", "1g")
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config("spark.executor.extraJavaOptions", "-Dai.djl.offline=true -XX:+UseSerialGC")
            .config("spark.executorEnv.JAVA_HOME", System.getProperty("java.home"))
            .getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
  }

  @AfterAll
  static void stopCluster() {
    if (spark != null) {
      spark.stop();
    }
  }

  private static void deleteTree(Path tree) throws IOException {
    if (Files.exists(tree)) {
      try (Stream<Path> files = Files.walk(tree)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static String text(long id) {
    int word = (int) (id % WORDS.size());
    return "Somebody told me about "
        + WORDS.get(word)
        + " and ".repeat(1 + word)
        + "number "
        + id % 40;
  }

  private static Dataset<Row> texts() {
    StructType schema =
        new StructType().add("id", DataTypes.LongType).add("text", DataTypes.StringType);
    return spark.range(0, ROWS, 1, PARTITIONS).mapPartitions(new Source(), Encoders.row(schema));
  }

  /** Rows of this task that were read and not yet handed on, on one thread. */
  private static final ThreadLocal<int[]> AHEAD = ThreadLocal.withInitial(() -> new int[1]);

  /** Makes the rows one after the other, and kills its executor in the middle of one partition. */
  private static final class Source implements MapPartitionsFunction<Long, Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Row> call(Iterator<Long> ids) {
      AHEAD.get()[0] = 0;
      TaskContext task = TaskContext.get();
      boolean fatal = task.partitionId() == FATAL_PARTITION && task.attemptNumber() == 0;
      AtomicInteger made = new AtomicInteger();
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return ids.hasNext();
        }

        @Override
        public Row next() {
          if (fatal && made.incrementAndGet() == BATCH + 2) {
            killThisProcess();
          }
          AHEAD.get()[0]++;
          long id = ids.next();
          return RowFactory.create(id, id == 3 ? null : text(id));
        }
      };
    }

    private static void killThisProcess() {
      try {
        new ProcessBuilder("kill", "-KILL", Long.toString(ProcessHandle.current().pid()))
            .start()
            .waitFor();
        Thread.sleep(60_000);
      } catch (IOException | InterruptedException failed) {
        throw new IllegalStateException(failed);
      }
    }
  }

  /** Hands rows on and notes the most that lay between the source and here. */
  private static final class Sink implements MapPartitionsFunction<Row, Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return rows.hasNext();
        }

        @Override
        public Row next() {
          Row row = rows.next();
          int ahead = AHEAD.get()[0]--;
          return RowFactory.create(row.getLong(0), row.get(2), ahead);
        }
      };
    }
  }

  /** Ends of tasks by the loss of their executor. */
  private static final class Losses extends SparkListener {
    final AtomicInteger lost = new AtomicInteger();

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
      if (end.reason() instanceof ExecutorLostFailure) {
        lost.incrementAndGet();
      }
    }
  }

  @Test
  void textsAreEmbeddedOnceThoughAnExecutorDies() throws IOException {
    Losses losses = new Losses();
    spark.sparkContext().addSparkListener(losses);
    StructType schema =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("embedding", DataTypes.createArrayType(DataTypes.FloatType))
            .add("ahead", DataTypes.IntegerType);
    String model = MiniLm.encoder().toAbsolutePath().toString();
    List<Row> rows =
        ModelColumn.ofTexts(texts(), model, "text", "embedding")
            .mapPartitions(new Sink(), Encoders.row(schema))
            .collectAsList();

    assertTrue(losses.lost.get() >= 1, "no task was lost with its executor");
    Map<Long, List<Float>> found = new TreeMap<>();
    for (Row row : rows) {
      long id = row.getLong(0);
      assertTrue(!found.containsKey(id), "row " + id + " came twice");
      found.put(id, row.isNullAt(1) ? null : row.getList(1));
      int ahead = row.getInt(2);
      assertTrue(1 <= ahead && ahead <= BATCH, ahead + " rows were read ahead");
    }
    assertEquals(ROWS, found.size());
    assertNull(found.get(3L));
    try (Model dense = Model.open(MiniLm.encoder());
        SentenceEncoder encoder = SentenceEncoder.open(dense)) {
      List<Long> some = Stream.iterate(0L, id -> id < ROWS, id -> id + 41).toList();
      float[][] expected = encoder.embed(some.stream().map(SparkTest::text).toList());
      for (int i = 0; i < expected.length; i++) {
        assertArrayEquals(expected[i], floats(found.get(some.get(i))), 1e-5f, "row " + some.get(i));
      }
    }
    everyExecutorLoadedOnce();
  }

  private static float[] floats(List<Float> values) {
    float[] array = new float[values.size()];
    for (int i = 0; i < array.length; i++) {
      array[i] = values.get(i);
    }
    return array;
  }

  /** By what the executors logged: one line for each session that opens. */
  private static void everyExecutorLoadedOnce() throws IOException {
    List<Long> loads = new ArrayList<>();
    try (Stream<Path> files = Files.walk(work)) {
      for (Path log : files.filter(file -> file.endsWith("stderr")).toList()) {
        List<String> sessions =
            Files.readAllLines(log).stream()
                .filter(line -> line.contains("session of all-minilm-l6-v2:"))
                .toList();
        loads.add((long) sessions.size());
        sessions.forEach(line -> assertTrue(line.contains("vector "), line));
      }
    }
    assertTrue(loads.size() >= 3, "no executor came in place of the dead one: " + loads);
    assertTrue(loads.stream().allMatch(count -> count <= 1), "loads of each executor: " + loads);
    assertTrue(loads.stream().filter(count -> count == 1).count() >= 2, "loads: " + loads);
  }

  @Test
  void vectorsGoThroughAModelOfVectors() {
    // y = x [[1, 4], [2, 5], [3, 6]]
    Path model =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "3")
            .output("y", DType.F32, "batch", "2")
            .initializer("w", Tensor.of(new float[] {1, 4, 2, 5, 3, 6}, 3, 2))
            .node("MatMul", "y", "x", "w")
            .write(folder.resolve("product.onnx"));
    Dataset<Row> vectors =
        spark.range(0, 100, 1, 5).selectExpr("id", "array(float(id), 1f, 0f) as features");
    List<Row> rows =
        ModelColumn.ofVectors(vectors, model.toString(), "features", "y").collectAsList();
    assertEquals(100, rows.size());
    for (Row row : rows) {
      float id = row.getLong(0);
      assertArrayEquals(new float[] {id + 2, 4 * id + 5}, floats(row.getList(2)));
    }
  }
}
