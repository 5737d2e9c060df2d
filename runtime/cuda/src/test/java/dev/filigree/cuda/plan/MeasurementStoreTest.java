package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.cuda.driver.GpuProperties;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Measurements on disk: kept for the same device, driver and kernels, and never in the way. */
class MeasurementStoreTest {
  private static final String LIBRARIES = "cublas 120603, cusparse 12505";

  private static final LayerKind KIND = new LayerKind(1536, 384, "2:4 f16", 294_912, 128, true, "");

  private static final Map<LayerKind, Map<String, Double>> TIMES =
      Map.of(KIND, Map.of("cublas", 4.5, "linear_sparse24_f16_64x64 in 108 blocks", 3.25));

  @TempDir private Path folder;

  private static GpuProperties gpu(String name, int driver) {
    return new GpuProperties(
        0, name, 8, 0, 108, 1_410_000, 1_215_000, 5120, 1L << 35, 1 << 25, 166_912, 167_936, 65_536,
        2048, driver);
  }

  private MeasurementStore store() {
    return MeasurementStore.of(gpu("A100", 12_040), LIBRARIES, false, folder);
  }

  @Test
  void whatIsStoredIsFoundAgain() {
    assertEquals(Map.of(), store().load());
    store().save(TIMES);
    assertEquals(TIMES, store().load());
  }

  @Test
  void othersAddTheirs() {
    store().save(TIMES);
    LayerKind other = new LayerKind(384, 384, "dense f32", 147_456, 1, false, "");
    LayerKind window = new LayerKind(384, 384, "dense f32", 147_456, 1, false, "3x1 of 5x5");
    store().save(Map.of(other, Map.of("linear_dense_f16_64x8", 2.0)));
    store().save(Map.of(window, Map.of("convolution_dense_f16_64x64", 3.0)));
    assertEquals(3, store().load().size());
    assertEquals(Map.of("convolution_dense_f16_64x64", 3.0), store().load().get(window));
    assertEquals(TIMES.get(KIND), store().load().get(KIND));
  }

  @Test
  void anotherDeviceOrDriverHasItsOwn() {
    store().save(TIMES);
    List<MeasurementStore> others =
        List.of(
            MeasurementStore.of(gpu("A10", 12_040), LIBRARIES, false, folder),
            MeasurementStore.of(gpu("A100", 12_060), LIBRARIES, false, folder),
            MeasurementStore.of(gpu("A100", 12_040), "no cublas", false, folder),
            MeasurementStore.of(gpu("A100", 12_040), LIBRARIES, true, folder));
    for (MeasurementStore other : others) {
      assertEquals(Map.of(), other.load());
      assertNotEquals(store().file(), other.file());
    }
  }

  @Test
  void aFileOfAnotherDeviceUnderItsNameIsNotBelieved() throws IOException {
    MeasurementStore other = MeasurementStore.of(gpu("A10", 12_040), LIBRARIES, false, folder);
    other.save(TIMES);
    Files.copy(other.file(), store().file());
    assertEquals(Map.of(), store().load());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "[1, 2]",
        "\0\0\0\0",
        "LAYERS[{\"rows\": 1}]}",
        "LAYERS[{\"rows\": \"x\", \"columns\": 1, \"format\": \"f\", \"stored\": 1,"
            + " \"tokens\": 1, \"quantizable\": true, \"window\": \"\", \"micros\": {}}]}",
        "LAYERS[{\"rows\": 1, \"columns\": 1, \"format\": \"f\", \"stored\": 1,"
            + " \"tokens\": 1, \"quantizable\": true, \"window\": \"\", \"micros\": {\"k\": -3}}]}"
      })
  void aDamagedFileCostsAMeasurementAndIsReplaced(String text) throws IOException {
    StringBuilder key = new StringBuilder("{");
    store().key().forEach((name, value) -> key.append("\"" + name + "\": \"" + value + "\", "));
    Files.writeString(store().file(), text.replace("LAYERS", key + "\"layers\": "));
    assertEquals(Map.of(), store().load());
    store().save(TIMES);
    assertEquals(TIMES, store().load());
  }

  @Test
  void aFolderThatCannotBeWrittenIsNoFailure() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    MeasurementStore store =
        MeasurementStore.of(gpu("A100", 12_040), LIBRARIES, false, file.resolve("below"));
    store.save(TIMES);
    assertEquals(Map.of(), store.load());
  }

  @Test
  void writersAtTheSameTimeLeaveAWholeFile() {
    try (ExecutorService writers = Executors.newFixedThreadPool(4)) {
      for (int i = 0; i < 16; i++) {
        Map<LayerKind, Map<String, Double>> own = new HashMap<>(TIMES);
        own.put(new LayerKind(i, 1, "dense f32", 1, 1, false, ""), Map.of("cublas", 1.0 + i));
        writers.execute(() -> store().save(own));
      }
    }
    assertEquals(TIMES.get(KIND), store().load().get(KIND));
    assertTrue(store().load().size() > 1);
  }
}
