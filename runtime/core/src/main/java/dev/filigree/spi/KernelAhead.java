package dev.filigree.spi;

import dev.filigree.FiligreeException;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.KernelOperation.Kind;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Has the JIT compiler at work on kernels while the model that needs them is still being planned. A
 * kernel is compiled when it was called some times, and whoever calls it waits: without this, the
 * first answer of a process waits for one kernel after the other.
 */
public final class KernelAhead {
  /** Calls after which the launcher's JVM has compiled a kernel; elsewhere it is a start. */
  private static final int CALLS = 150;

  /**
   * Tokens, features and values of a call: many short calls have a whole method compiled, a long
   * one its loop first and the method after that.
   */
  private static final int SIZE = 16;

  /** Those that were begun in this process, by anyone. */
  private static final Set<KernelOperation> BEGUN = new HashSet<>();

  private KernelAhead() {}

  /**
   * Begins to compile, in a thread of its own that soon ends, what a model of such nodes is likely
   * to need; does nothing where a session's own threads have no other processor beside them.
   *
   * @param kernels name of the set, or empty for the best that can run
   * @param types of the model's nodes, as ONNX names them
   */
  public static void compile(String kernels, Set<String> types) {
    if (kernels.equals(KernelSets.SCALAR) || Runtime.getRuntime().availableProcessors() < 2) {
      return;
    }
    List<KernelOperation> wanted = begun(operations(types));
    if (!wanted.isEmpty()) {
      Thread.ofPlatform().daemon().name("filigree-compile").start(() -> compile(kernels, wanted));
    }
  }

  private static synchronized List<KernelOperation> begun(List<KernelOperation> operations) {
    return operations.stream().filter(BEGUN::add).toList();
  }

  /** In the order in which an encoder comes to them. */
  static List<KernelOperation> operations(Set<String> types) {
    List<KernelOperation> operations = new ArrayList<>();
    boolean text = hasAny(types, "ReduceMean", "LayerNormalization", "SkipLayerNormalization");
    if (text) {
      operations.add(of(Kind.LAYER_NORMALIZATION));
    }
    boolean recurrent = hasAny(types, "LSTM", "GRU", "RNN");
    if (recurrent || hasAny(types, "MatMul", "Gemm", "Conv")) {
      operations.add(of(Kind.START));
      operations.add(of(Kind.LINEAR));
    }
    if (recurrent) {
      operations.add(of(Kind.CELL));
    }
    // that of a classifier is a small one at its end
    if (text && hasAny(types, "Softmax", "Attention", "MultiHeadAttention")) {
      operations.add(of(Kind.ATTEND));
    }
    if (hasAny(types, "Erf", "Gelu", "BiasGelu")) {
      operations.add(new KernelOperation(Kind.ACTIVATE, Activation.GELU));
    }
    if (hasAny(types, "Relu")) {
      operations.add(new KernelOperation(Kind.ACTIVATE, Activation.RELU));
    }
    return operations;
  }

  private static boolean hasAny(Set<String> types, String... some) {
    for (String type : some) {
      if (types.contains(type)) {
        return true;
      }
    }
    return false;
  }

  private static KernelOperation of(Kind kind) {
    return new KernelOperation(kind, Activation.NONE);
  }

  private static void compile(String kernels, List<KernelOperation> operations) {
    try (Arena arena = Arena.ofConfined()) {
      KernelSets.open(kernels);
      KernelProbe probe = new KernelProbe(arena, SIZE, SIZE, SIZE);
      for (GuardedKernels opened : KernelSets.opened()) {
        for (KernelOperation operation : operations) {
          Runnable call = probe.trial(operation, opened.fast()).call();
          for (int i = 0; i < CALLS; i++) {
            call.run();
          }
        }
      }
    } catch (FiligreeException cannotRun) {
      // the session that is being opened says so to whoever opens it
    }
  }
}
