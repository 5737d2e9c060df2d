package dev.filigree.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A run of a planned shape leaves no garbage: with the scalar kernels what is found would come from
 * session, plan or pool, with the vector kernels also from a vector that the compiler left an
 * object.
 */
class AllocationTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Runs in a row that must allocate nothing. */
  private static final int CLEAN = 10;

  /** Runs after which the compiler is at rest, at the latest; usually it is after a few dozen. */
  private static final int MOST = 3000;

  @ParameterizedTest
  @CsvSource({
    "DENSE, scalar, 1",
    "DENSE, scalar, 2",
    "INT8, scalar, 2",
    "DENSE, vector, 1",
    "DENSE, vector, 2",
    "INT8, vector, 1",
    "INT8, vector, 2"
  })
  void aRunOfAPlannedShapeAllocatesNothingOnAnyThread(MiniLm file, String kernels, int threads) {
    SessionOptions options = SessionOptions.defaults().withKernels(kernels).withThreads(threads);
    try (Model model = Model.open(file.file());
        Session session = model.session(options)) {
      Map<String, Tensor> inputs = new LinkedHashMap<>();
      model.inputs().forEach(input -> inputs.put(input.name(), ones(2, 3)));
      Map<String, Tensor> outputs =
          Map.of("last_hidden_state", Tensor.zeros(DType.F32, Shape.of(2, 3, 384)));
      session.run(inputs, outputs);
      long[] workers = workers("filigree-" + model.name());
      assertEquals(threads - 1, workers.length);
      int clean = 0;
      long allocated = 0;
      for (int run = 0; clean < CLEAN && run < MOST; run++) {
        long before = allocated(workers);
        session.run(inputs, outputs);
        allocated = allocated(workers) - before;
        clean = allocated == 0 ? clean + 1 : 0;
      }
      assertTrue(clean == CLEAN, "the last run allocated " + allocated + " bytes");
    }
  }

  private static Tensor ones(int batch, int length) {
    long[] values = new long[batch * length];
    Arrays.fill(values, 1);
    return Tensor.of(values, batch, length);
  }

  /** Ids of the pool's threads. */
  private static long[] workers(String session) {
    List<Long> ids = new ArrayList<>();
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().startsWith(session + "-worker-")) {
        ids.add(thread.threadId());
      }
    }
    return ids.stream().mapToLong(Long::longValue).toArray();
  }

  private static long allocated(long[] workers) {
    long bytes = THREADS.getCurrentThreadAllocatedBytes();
    for (long worker : workers) {
      bytes += THREADS.getThreadAllocatedBytes(worker);
    }
    return bytes;
  }
}
