package dev.filigree.benchmarks.peers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.cli.PeerRuntime;
import dev.filigree.testing.MiniLm;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** The other runtimes compute the same model: what bench compares is comparable. */
class PeersTest {
  private static Map<String, Tensor> inputs() {
    SplittableRandom random = new SplittableRandom(1);
    Map<String, Tensor> inputs = new LinkedHashMap<>();
    for (String name : List.of("input_ids", "attention_mask", "token_type_ids")) {
      Tensor tensor = Tensor.zeros(DType.I64, Shape.of(2, 9));
      for (int i = 0; i < tensor.elements(); i++) {
        long id = name.equals("input_ids") ? random.nextInt(1000, 20000) : 0;
        tensor.setLong(i, name.equals("attention_mask") ? 1 : id);
      }
      inputs.put(name, tensor);
    }
    return inputs;
  }

  private static void check(PeerRuntime runtime, Path file, float tolerance) {
    try (Model model = Model.open(file);
        Session session = model.session(SessionOptions.defaults());
        PeerRuntime.Session peer = runtime.open(model, file, 1);
        PeerRuntime.Run run = peer.prepare(inputs())) {
      float[] expected = session.run(inputs()).values().iterator().next().toFloats();
      run.run();
      run.run();
      assertArrayEquals(expected, run.output(), tolerance);
    }
  }

  @Test
  void onnxRuntimeComputesTheDenseModel() {
    check(new OnnxRuntimePeer(), MiniLm.dense(), 2e-5f);
  }

  @Test
  void onnxRuntimeComputesTheInt8Model() {
    // its optimised graph rounds activations elsewhere than the graph says
    check(new OnnxRuntimePeer(), MiniLm.quantized(), 0.5f);
  }

  private static void requireNatives() {
    Assumptions.assumeTrue(
        PeersTest.class.getResource("/pytorch/cpu/linux-x86_64/pytorch.properties") != null
            || PeersTest.class.getResource("/native/lib/pytorch.properties") != null,
        "PyTorch's libraries are not on the class path: build with -Dpeers.natives");
  }

  @Test
  void pyTorchComputesTheDenseModel() {
    requireNatives();
    check(new PyTorchPeer(), MiniLm.dense(), 2e-5f);
  }

  @Test
  void pyTorchRefusesIntegers() {
    requireNatives();
    try (Model model = Model.open(MiniLm.quantized())) {
      UnsupportedException refused =
          assertThrows(
              UnsupportedException.class,
              () -> new PyTorchPeer().open(model, MiniLm.quantized(), 1));
      assertTrue(refused.getMessage().contains("8-bit integers"), refused.getMessage());
    }
  }
}
