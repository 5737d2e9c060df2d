package dev.filigree.benchmarks.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.cli.PeerRuntime;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** ONNX Runtime on the CPU, with all its optimisations. */
public final class OnnxRuntimePeer implements PeerRuntime {
  /** For {@link java.util.ServiceLoader}. */
  public OnnxRuntimePeer() {}

  @Override
  public String name() {
    return "onnxruntime";
  }

  @Override
  public String version() {
    return OrtEnvironment.getEnvironment().getVersion();
  }

  /**
   * Bytes of stack for opening a model: ONNX Runtime walks the graph by recursion, and the graph of
   * the int8 MiniLM overflows the megabyte that a Java thread has.
   */
  private static final long STACK = 64L << 20;

  @Override
  public Session open(Model model, Path onnx, int threads) {
    FutureTask<Session> opening = new FutureTask<>(() -> open(onnx, threads));
    Thread thread = new Thread(null, opening, "onnxruntime-opening", STACK);
    thread.start();
    try {
      return opening.get();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while onnxruntime opened a model", interrupted);
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof UnsupportedException refused) {
        throw refused;
      }
      throw new IllegalStateException(failed.getCause());
    }
  }

  private static Session open(Path onnx, int threads) {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      // threads that wait must not take time from the runtime that is measured next, nor from their
      // own where processors are shared
      options.addConfigEntry("session.intra_op.allow_spinning", "0");
      return new Opened(OrtEnvironment.getEnvironment().createSession(onnx.toString(), options));
    } catch (OrtException refused) {
      throw refused(refused);
    }
  }

  private static UnsupportedException refused(OrtException refused) {
    return new UnsupportedException(
        "onnxruntime refuses the model: " + refused.getMessage(),
        "leave onnxruntime out of --against",
        refused);
  }

  private record Opened(OrtSession session) implements Session {
    @Override
    public Run prepare(Map<String, Tensor> inputs) {
      Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
      try {
        for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
          tensors.put(input.getKey(), tensor(input.getKey(), input.getValue()));
        }
      } catch (OrtException failed) {
        throw refused(failed);
      }
      return new Prepared(session, tensors);
    }

    private static OnnxTensor tensor(String name, Tensor tensor) throws OrtException {
      OrtEnvironment environment = OrtEnvironment.getEnvironment();
      int count = Math.toIntExact(tensor.elements());
      long[] shape = new long[tensor.shape().rank()];
      for (int axis = 0; axis < shape.length; axis++) {
        shape[axis] = tensor.shape().extent(axis);
      }
      switch (tensor.dtype()) {
        case F32 -> {
          return OnnxTensor.createTensor(environment, FloatBuffer.wrap(tensor.toFloats()), shape);
        }
        case I64 -> {
          long[] values = new long[count];
          for (int i = 0; i < count; i++) {
            values[i] = tensor.getLong(i);
          }
          return OnnxTensor.createTensor(environment, LongBuffer.wrap(values), shape);
        }
        case I32 -> {
          int[] values = new int[count];
          for (int i = 0; i < count; i++) {
            values[i] = (int) tensor.getLong(i);
          }
          return OnnxTensor.createTensor(environment, IntBuffer.wrap(values), shape);
        }
        default ->
            throw new UnsupportedException(
                "input " + name + " is " + tensor.dtype() + ", which bench does not pass on",
                "leave onnxruntime out of --against");
      }
    }

    @Override
    public void close() {
      try {
        session.close();
      } catch (OrtException failed) {
        throw refused(failed);
      }
    }
  }

  /** Runs on the same tensors; the results of the last run are kept. */
  private static final class Prepared implements Run {
    private final OrtSession session;
    private final Map<String, OnnxTensor> inputs;
    private OrtSession.Result last;

    Prepared(OrtSession session, Map<String, OnnxTensor> inputs) {
      this.session = session;
      this.inputs = inputs;
    }

    @Override
    public void run() {
      try {
        if (last != null) {
          last.close();
        }
        last = session.run(inputs);
      } catch (OrtException failed) {
        throw refused(failed);
      }
    }

    @Override
    public float[] output() {
      FloatBuffer buffer = ((OnnxTensor) last.get(0)).getFloatBuffer();
      float[] values = new float[buffer.remaining()];
      buffer.get(values);
      return values;
    }

    @Override
    public void close() {
      if (last != null) {
        last.close();
      }
      inputs.values().forEach(OnnxTensor::close);
    }
  }
}
