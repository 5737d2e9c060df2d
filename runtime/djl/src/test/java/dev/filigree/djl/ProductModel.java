package dev.filigree.djl;

import ai.djl.ndarray.NDList;
import ai.djl.repository.zoo.Criteria;
import ai.djl.translate.Batchifier;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;

/** A network whose results can be told by head: {@code y = x [[1, 4], [2, 5], [3, 6]]}. */
final class ProductModel {
  private ProductModel() {}

  /** Writes it as {@code NAME.onnx}. */
  static Path write(Path folder, String name) {
    return new OnnxModel(13)
        .input("x", DType.F32, "batch", "3")
        .output("y", DType.F32, "batch", "2")
        .initializer("w", Tensor.of(new float[] {1, 4, 2, 5, 3, 6}, 3, 2))
        .node("MatMul", "y", "x", "w")
        .write(folder.resolve(name + ".onnx"));
  }

  /** One row in, one row out, batched by DJL. */
  static final class Rows implements Translator<float[], float[]> {
    @Override
    public NDList processInput(TranslatorContext ctx, float[] input) {
      return new NDList(ctx.getNDManager().create(input));
    }

    @Override
    public float[] processOutput(TranslatorContext ctx, NDList list) {
      return list.singletonOrThrow().toFloatArray();
    }

    @Override
    public Batchifier getBatchifier() {
      return Batchifier.STACK;
    }
  }

  /** What a program writes to load it. */
  static Criteria.Builder<float[], float[]> criteria(Path folder) {
    return Criteria.builder()
        .setTypes(float[].class, float[].class)
        .optModelPath(folder)
        .optEngine(FiligreeEngine.NAME)
        .optTranslator(new Rows());
  }
}
