package dev.filigree.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.engine.Engine;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.TranslateException;
import dev.filigree.InputException;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.Devices;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineTest {
  @TempDir Path folder;

  @BeforeEach
  void model() {
    ProductModel.write(folder, "product");
  }

  private Criteria<NDList, NDList> arrays() {
    return Criteria.builder()
        .setTypes(NDList.class, NDList.class)
        .optModelPath(folder)
        .optEngine(FiligreeEngine.NAME)
        .build();
  }

  @Test
  void criteriaFindTheEngineAndDjlBatches() throws Exception {
    try (ZooModel<float[], float[]> model = ProductModel.criteria(folder).build().loadModel();
        Predictor<float[], float[]> predictor = model.newPredictor()) {
      assertArrayEquals(new float[] {6, 15}, predictor.predict(new float[] {1, 1, 1}));
      List<float[]> rows =
          predictor.batchPredict(
              List.of(new float[] {1, 0, 0}, new float[] {0, 1, 0}, new float[] {0, 0, 1}));
      assertArrayEquals(new float[] {1, 4}, rows.get(0));
      assertArrayEquals(new float[] {2, 5}, rows.get(1));
      assertArrayEquals(new float[] {3, 6}, rows.get(2));
    }
  }

  @Test
  void aModelSaysWhatItTakesAndMakes() throws Exception {
    try (ZooModel<NDList, NDList> model = arrays().loadModel()) {
      assertEquals(List.of("x"), model.describeInput().keys());
      assertEquals(new Shape(-1, 3), model.describeInput().get("x"));
      assertEquals(List.of("y"), model.describeOutput().keys());
      assertEquals(new Shape(-1, 2), model.describeOutput().get("y"));
    }
  }

  @Test
  void arraysTravelInEveryFormOfTheWire() throws Exception {
    try (ZooModel<NDList, NDList> model = arrays().loadModel();
        Predictor<NDList, NDList> predictor = model.newPredictor();
        NDManager manager = model.getNDManager().newSubManager()) {
      NDList inputs = new NDList(manager.create(new float[] {1, 1, 1, 2, 2, 2}, new Shape(2, 3)));
      for (NDList.Encoding encoding : NDList.Encoding.values()) {
        byte[] sent = inputs.encode(encoding);
        NDList outputs = predictor.predict(NDList.decode(manager, sent));
        NDList received =
            NDList.decode(manager, new ByteArrayInputStream(outputs.encode(encoding)));
        assertArrayEquals(
            new float[] {6, 15, 12, 30}, received.singletonOrThrow().toFloatArray(), "" + encoding);
      }
    }
  }

  @Test
  void numbersOfAnotherTypeAreConverted() throws Exception {
    try (ZooModel<NDList, NDList> model = arrays().loadModel();
        Predictor<NDList, NDList> predictor = model.newPredictor();
        NDManager manager = model.getNDManager().newSubManager()) {
      NDArray whole = manager.create(new long[] {1, 2, 3}, new Shape(1, 3));
      NDArray y = predictor.predict(new NDList(whole)).singletonOrThrow();
      assertArrayEquals(new float[] {14, 32}, y.toFloatArray());
      assertEquals("y", y.getName());
    }
  }

  @Test
  void devicesAreThoseThatTheProbeFound() {
    Engine engine = Engine.getEngine(FiligreeEngine.NAME);
    long ready =
        Devices.providers().stream()
            .flatMap(provider -> provider.devices().stream())
            .filter(DeviceStatus::ready)
            .filter(status -> status.device().kind() == dev.filigree.Device.Kind.CUDA)
            .count();
    assertEquals(ready, engine.getGpuCount());
    assertEquals(ready > 0, engine.hasCapability("CUDA"));
    assertEquals(ready > 0 ? Device.gpu() : Device.cpu(), engine.defaultDevice());
    assertEquals(Math.max(1, ready), engine.getDevices().length);
  }

  @Test
  void aWrongShapeNamesTheInputAndBothShapes() throws Exception {
    try (ZooModel<float[], float[]> model = ProductModel.criteria(folder).build().loadModel();
        Predictor<float[], float[]> predictor = model.newPredictor()) {
      TranslateException failed =
          assertThrows(TranslateException.class, () -> predictor.predict(new float[] {1, 1}));
      InputException cause = assertInstanceOf(InputException.class, failed.getCause());
      assertTrue(cause.getMessage().contains("'x'"), cause.getMessage());
      assertTrue(cause.getMessage().contains("[1, 2]"), cause.getMessage());
      TranslateException mixed =
          assertThrows(
              TranslateException.class,
              () -> predictor.batchPredict(List.of(new float[3], new float[4])));
      assertTrue(mixed.getMessage().contains("cannot be batched"), mixed.getMessage());
    }
  }

  @Test
  void aFolderWithoutAModelIsNamed() throws Exception {
    Files.delete(folder.resolve("product.onnx"));
    FileNotFoundException missing =
        assertThrows(FileNotFoundException.class, () -> arrays().loadModel());
    assertTrue(missing.getMessage().contains(folder.toString()), missing.getMessage());
  }

  @Test
  void severalModelsNeedAName() throws Exception {
    ProductModel.write(folder, "second");
    FileNotFoundException ambiguous =
        assertThrows(FileNotFoundException.class, () -> arrays().loadModel());
    assertTrue(ambiguous.getMessage().contains("second.onnx"), ambiguous.getMessage());
    try (ZooModel<float[], float[]> model =
        ProductModel.criteria(folder).optOption("file", "second.onnx").build().loadModel()) {
      assertEquals(List.of("x"), model.describeInput().keys());
    }
    assertThrows(
        FileNotFoundException.class,
        () ->
            ProductModel.criteria(folder)
                .optOption("file", "../../etc/passwd")
                .build()
                .loadModel());
  }

  @Test
  void aDamagedFileAndABadOptionAreRefused() throws Exception {
    InputException option =
        assertThrows(
            InputException.class,
            () -> ProductModel.criteria(folder).optOption("threads", "many").build().loadModel());
    assertTrue(option.getMessage().contains("threads"), option.getMessage());
    Files.write(folder.resolve("product.onnx"), new byte[] {1, 2, 3});
    assertThrows(MalformedModelException.class, () -> arrays().loadModel());
  }

  @Test
  void algebraIsRefusedByName() {
    try (NDManager manager = Engine.getEngine(FiligreeEngine.NAME).newBaseManager()) {
      NDArray array = manager.create(new float[] {1, 2});
      UnsupportedOperationException refused =
          assertThrows(
              UnsupportedOperationException.class, () -> array.getNDArrayInternal().relu());
      assertTrue(refused.getMessage().contains("relu"), refused.getMessage());
      assertEquals(DataType.FLOAT32, array.getDataType());
    }
  }
}
