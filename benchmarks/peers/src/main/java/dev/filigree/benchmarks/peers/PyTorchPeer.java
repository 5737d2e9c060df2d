package dev.filigree.benchmarks.peers;

import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.cli.PeerRuntime;
import java.nio.file.Path;
import java.util.Map;

/**
 * PyTorch through DJL. DJL has no reader of ONNX files for it, so the model's graph is run operator
 * by operator with PyTorch's own linear layers, normalisation, softmax and GELU.
 */
public final class PyTorchPeer implements PeerRuntime {
  private static final String ENGINE = "PyTorch";

  /** For {@link java.util.ServiceLoader}. */
  public PyTorchPeer() {}

  @Override
  public String name() {
    return "djl-pytorch";
  }

  @Override
  public String version() {
    return engine().getVersion();
  }

  private static Engine engine() {
    try {
      // what it needs is on the class path, and nothing is to be fetched while something is
      // measured
      System.setProperty("ai.djl.offline", "true");
      return Engine.getEngine(ENGINE);
    } catch (EngineException | IllegalArgumentException | LinkageError missing) {
      throw new UnsupportedException(
          "PyTorch's native libraries cannot be loaded: " + missing.getMessage(),
          "start the command by its launcher on Linux x86-64, or leave djl-pytorch out of"
              + " --against",
          missing);
    }
  }

  @Override
  public Session open(Model model, Path onnx, int threads) {
    Engine engine = engine();
    JniUtils.setNumThreads(threads);
    NDManager manager = engine.newBaseManager();
    TorchGraph graph = new TorchGraph(model.graph(), manager);
    return new Session() {
      @Override
      public Run prepare(Map<String, Tensor> inputs) {
        return graph.prepare(inputs);
      }

      @Override
      public void close() {
        manager.close();
      }
    };
  }
}
