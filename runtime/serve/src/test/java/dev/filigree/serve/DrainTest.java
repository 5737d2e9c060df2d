package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** How a server ends. */
@Timeout(120)
class DrainTest {
  @TempDir private Path folder;

  @Test
  void requestsInFlightAreFinishedAndNoneIsTakenAfterwards() throws Exception {
    try (TestServer server = new TestServer(folder);
        ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
      server.server().load("slow", TestServer.slow(folder.resolve("slow.onnx"), 40));
      String body =
          "{\"inputs\":[{\"name\":\"x\",\"shape\":[32,384],\"datatype\":\"FP32\",\"data\":["
              + "0.5,".repeat(384 * 32 - 1)
              + "0.5]}]}";
      List<Future<TestServer.Answer>> answers = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        answers.add(callers.submit(() -> server.post("/v2/models/slow/infer", body)));
      }
      while (server.server().host().models().getLast().statistics().requests() == 0) {
        Thread.sleep(1);
      }
      // all that were sent are inside by now or are refused, never cut off
      Thread.sleep(200);
      server.server().close();
      int done = 0;
      for (Future<TestServer.Answer> future : answers) {
        TestServer.Answer answer = future.get();
        assertTrue(answer.status() == 200 || answer.status() == 503, answer.body());
        done += answer.status() == 200 ? 1 : 0;
      }
      assertTrue(done >= 1, "the one that ran was finished");
      assertThrows(UncheckedIOException.class, () -> server.get("/v2/health/live"));
      assertEquals(List.of(), server.server().host().models());
      server.server().close();
    }
  }
}
