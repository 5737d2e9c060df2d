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
import dev.filigree.spi.KernelSets;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A run of a planned shape leaves no garbage. Measured with the scalar kernels, whose arithmetic
 * needs no JIT compiler to be free of objects, so that what is found comes from session, plan or
 * pool.
 */
class AllocationTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Runs in a row that must allocate nothing. */
  private static final int CLEAN = 10;

  /** Runs after which classes are loaded and counters of the JVM are at rest, at the latest. */
  private static final int MOST = 100;

  @ParameterizedTest
  @CsvSource({"DENSE, 1", "DENSE, 2", "INT8, 2"})
  void aRunOfAPlannedShapeAllocatesNothingOnAnyThread(MiniLm file, int threads) {
    SessionOptions options =
        SessionOptions.defaults().withKernels(KernelSets.SCALAR).withThreads(threads);
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
