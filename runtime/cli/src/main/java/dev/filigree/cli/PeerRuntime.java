package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Another runtime that {@code bench --against} measures beside this one. Found by {@link
 * java.util.ServiceLoader}; those that come with Filigree are in {@code benchmarks/peers}, which
 * the launcher adds to the class path when they are asked for.
 */
public interface PeerRuntime {
  /** Its name on the command line, for example {@code onnxruntime}. */
  String name();

  /** Its version, for reports. */
  String version();

  /**
   * Opens a model.
   *
   * @param model as this runtime reads it
   * @param onnx an ONNX file of the same model
   * @param threads that work on one run
   * @throws UnsupportedException if it cannot run this model
   */
  Session open(Model model, Path onnx, int threads);

  /** A model in another runtime. */
  interface Session extends AutoCloseable {
    /** Prepares runs on the same inputs. */
    Run prepare(Map<String, Tensor> inputs);

    @Override
    void close();
  }

  /** Runs on the same inputs. */
  interface Run extends AutoCloseable {
    /** Runs the model once. */
    void run();

    /** The first output of the last run, row by row. */
    float[] output();

    @Override
    void close();
  }
}
