package dev.filigree.image;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;

/** Runs a network of one input and one output by ONNX Runtime: what ours is held against. */
final class OnnxRuntime implements AutoCloseable {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  OnnxRuntime(Path model) throws OrtException {
    session = environment.createSession(model.toString(), new OrtSession.SessionOptions());
  }

  /** The output for an input, of the input's type. */
  float[] run(Tensor x) throws OrtException {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect((int) x.bytes())
            .order(ByteOrder.nativeOrder())
            .put(x.data().toArray(DType.BYTE))
            .flip();
    OnnxJavaType type = x.dtype() == DType.F16 ? OnnxJavaType.FLOAT16 : OnnxJavaType.FLOAT;
    try (OnnxTensor input = OnnxTensor.createTensor(environment, bytes, x.shape().extents(), type);
        OrtSession.Result result =
            session.run(Map.of(session.getInputNames().iterator().next(), input))) {
      OnnxTensor first = (OnnxTensor) result.get(0);
      byte[] values = new byte[first.getByteBuffer().remaining()];
      first.getByteBuffer().get(values);
      Shape shape = Shape.of(first.getInfo().getShape());
      return Tensor.of(x.dtype(), shape, MemorySegment.ofArray(values)).toFloats();
    }
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }
}
