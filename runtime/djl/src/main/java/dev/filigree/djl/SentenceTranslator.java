package dev.filigree.djl;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.translate.Batchifier;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import dev.filigree.Tensor;
import dev.filigree.graph.ValueInfo;
import dev.filigree.text.SentenceEncoder;
import dev.filigree.text.SentenceModel;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns texts into their vectors of length 1, whole batches at a time. Of DJL's batching it only
 * uses that there is some: texts are padded to one length where they are tokenised.
 */
final class SentenceTranslator implements Translator<String, float[]> {
  private static final String BATCH = SentenceModel.Batch.class.getName();

  private SentenceEncoder encoder;

  @Override
  public void prepare(TranslatorContext ctx) {
    Model model = ctx.getModel();
    if (!(model instanceof FiligreeModel ours)) {
      throw new IllegalArgumentException(
          "model '"
              + model.getName()
              + "' runs on another engine than "
              + FiligreeEngine.NAME
              + "; use that engine's translator");
    }
    encoder = ours.lease().encoder();
  }

  /** Not null, which makes DJL hand over whole batches. */
  @Override
  public Batchifier getBatchifier() {
    return Batchifier.STACK;
  }

  @Override
  public NDList batchProcessInput(TranslatorContext ctx, List<String> texts) {
    SentenceModel.Batch batch = encoder.batch(texts);
    ctx.setAttachment(BATCH, batch);
    NDList arrays = new NDList();
    batch.inputs().forEach((name, tensor) -> arrays.add(array(ctx, name, tensor)));
    return arrays;
  }

  private static NDArray array(TranslatorContext ctx, String name, Tensor tensor) {
    ByteBuffer bytes = ctx.getNDManager().allocateDirect(Math.toIntExact(tensor.bytes()));
    MemorySegment.ofBuffer(bytes).copyFrom(tensor.data());
    NDArray array =
        ctx.getNDManager()
            .create(bytes, new Shape(tensor.shape().extents()), DataTypes.of(tensor.dtype()));
    array.setName(name);
    return array;
  }

  @Override
  public List<float[]> batchProcessOutput(TranslatorContext ctx, NDList list) {
    Map<String, Tensor> outputs = new HashMap<>();
    List<ValueInfo> made = encoder.session().model().outputs();
    for (int i = 0; i < made.size(); i++) {
      outputs.put(made.get(i).name(), ((HostArray) list.get(i)).tensor());
    }
    return List.of(encoder.vectors((SentenceModel.Batch) ctx.getAttachment(BATCH), outputs));
  }

  @Override
  public NDList processInput(TranslatorContext ctx, String text) {
    NDList single = new NDList();
    for (NDArray array : batchProcessInput(ctx, List.of(text))) {
      single.add(array.squeeze(0));
    }
    return single;
  }

  @Override
  public float[] processOutput(TranslatorContext ctx, NDList list) {
    NDList batch = new NDList();
    for (NDArray array : list) {
      batch.add(array.expandDims(0));
    }
    return batchProcessOutput(ctx, batch).getFirst();
  }
}
