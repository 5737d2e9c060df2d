package dev.filigree.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import ai.djl.inference.Predictor;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import dev.filigree.Session;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedSessionTest {
  @TempDir Path folder;

  private Criteria<float[], float[]> criteria(String idleSeconds) {
    return ProductModel.criteria(folder).optOption("idle_seconds", idleSeconds).build();
  }

  private static Session session(ZooModel<?, ?> model) {
    return ((FiligreeModel) model.getWrappedModel()).lease().session();
  }

  @Test
  void modelsOfOneFileShareASessionUntilTheLastIsClosed() throws Exception {
    ProductModel.write(folder, "model");
    int before = SharedSession.open();
    ZooModel<float[], float[]> first = criteria("0").loadModel();
    ZooModel<float[], float[]> second = criteria("0").loadModel();
    assertSame(session(first), session(second));
    assertEquals(before + 1, SharedSession.open());
    first.close();
    first.close();
    try (Predictor<float[], float[]> predictor = second.newPredictor()) {
      assertArrayEquals(new float[] {6, 15}, predictor.predict(new float[] {1, 1, 1}));
    }
    second.close();
    assertEquals(before, SharedSession.open());
  }

  @Test
  void otherOptionsAreAnotherSession() throws Exception {
    ProductModel.write(folder, "model");
    try (ZooModel<float[], float[]> first = criteria("0").loadModel();
        ZooModel<float[], float[]> second =
            ProductModel.criteria(folder)
                .optOption("idle_seconds", "0")
                .optOption("threads", "1")
                .optOption("concurrent_runs", "1")
                .optOption("kernels", "scalar")
                .build()
                .loadModel()) {
      assertNotSame(session(first), session(second));
      assertEquals("scalar", session(second).kernels());
    }
  }

  @Test
  void aSessionNobodyHoldsIsThereForTheNextForAWhile() throws Exception {
    ProductModel.write(folder, "model");
    ZooModel<float[], float[]> first = criteria("3600").loadModel();
    Session session = session(first);
    first.close();
    try (ZooModel<float[], float[]> again = criteria("0").loadModel()) {
      assertSame(session, session(again));
    }
  }

  @Test
  void anIdleSessionIsClosedInTheEnd() throws Exception {
    ProductModel.write(folder, "model");
    int before = SharedSession.open();
    criteria("1").loadModel().close();
    Instant deadline = Instant.now().plusSeconds(60);
    while (SharedSession.open() > before && Instant.now().isBefore(deadline)) {
      Thread.sleep(50);
    }
    assertEquals(before, SharedSession.open());
  }

  @Test
  void aFileThatWasReplacedIsLoadedAnew() throws Exception {
    Path file = ProductModel.write(folder, "model");
    try (ZooModel<float[], float[]> first = criteria("0").loadModel()) {
      Files.delete(file);
      ProductModel.write(folder, "model");
      Files.setLastModifiedTime(file, FileTime.from(Instant.now().plusSeconds(5)));
      try (ZooModel<float[], float[]> second = criteria("0").loadModel()) {
        assertNotSame(session(first), session(second));
      }
    }
  }

  @Test
  void modelsComeAndGoWhileOthersRun() throws Exception {
    ProductModel.write(folder, "model");
    int before = SharedSession.open();
    try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
      List<Callable<Void>> tasks = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        float x = t;
        tasks.add(
            () -> {
              for (int i = 0; i < 50; i++) {
                try (ZooModel<float[], float[]> model = criteria("0").loadModel();
                    Predictor<float[], float[]> predictor = model.newPredictor()) {
                  assertArrayEquals(
                      new float[] {x + 5, 4 * x + 11}, predictor.predict(new float[] {x, 1, 1}));
                }
              }
              return null;
            });
      }
      for (Future<Void> task : threads.invokeAll(tasks)) {
        task.get();
      }
    }
    assertEquals(before, SharedSession.open());
  }
}
