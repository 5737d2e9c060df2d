package dev.filigree.text;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions.OptLevel;
import dev.filigree.Tensor;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Runs a text encoder by ONNX Runtime: what our results are held against. */
final class OnnxRuntime implements AutoCloseable {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  /**
   * @param level what ONNX Runtime may do to the graph: {@code NO_OPT} runs it as written
   */
  OnnxRuntime(Path model, OptLevel level) throws OrtException {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(2);
      options.setOptimizationLevel(level);
      session = environment.createSession(model.toString(), options);
    }
  }

  /** The model's first output for i64 inputs. */
  float[] run(Map<String, Tensor> inputs) throws OrtException {
    Map<String, OnnxTensor> passed = new HashMap<>();
    for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
      Tensor tensor = input.getValue();
      passed.put(
          input.getKey(),
          OnnxTensor.createTensor(
              environment, LongBuffer.wrap(tensor.toLongs()), tensor.shape().extents()));
    }
    try (OrtSession.Result result = session.run(passed)) {
      OnnxTensor first = (OnnxTensor) result.get(0);
      float[] values = new float[Math.toIntExact(first.getInfo().getNumElements())];
      first.getFloatBuffer().get(values);
      return values;
    } finally {
      passed.values().forEach(OnnxTensor::close);
    }
  }

  /**
   * Embeddings from a first output: the mean over the tokens the mask names, scaled to length 1.
   * Written plainly and in doubles, apart from the encoder's own.
   */
  static double[][] pool(float[] states, Tensor mask, int features) {
    int batch = (int) mask.shape().extent(0);
    int length = (int) mask.shape().extent(1);
    double[][] vectors = new double[batch][features];
    for (int row = 0; row < batch; row++) {
      for (int f = 0; f < features; f++) {
        for (int t = 0; t < length; t++) {
          if (mask.getLong((long) row * length + t) == 1) {
            vectors[row][f] += states[(row * length + t) * features + f];
          }
        }
      }
      double squares = 0;
      for (double value : vectors[row]) {
        squares += value * value;
      }
      for (int f = 0; f < features; f++) {
        vectors[row][f] /= Math.sqrt(squares);
      }
    }
    return vectors;
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }
}
