package dev.filigree.compress.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.Interpreter;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Gradients against central differences, and the way forward against the reference. */
class GradientTest {
  private static final double STEP = 4e-3;

  private final Random random = new Random(7);

  @Test
  void gradientsOfAConvolutionalClassifierAreItsDifferences() {
    Nets net = Nets.classifier(random);
    Tensor images = net.random(random, 3, 2, 9, 8);
    int[] labels = {1, 0, 3};
    check(net, Map.of("x", images), output -> Loss.crossEntropy(output, labels));
  }

  @Test
  void gradientsOfATransformerBlockAreItsDifferences() {
    Nets net = Nets.transformer(random, Activation.GELU);
    Signal target = Signal.of(net.random(random, 2, 5, 8));
    check(
        net,
        Map.of("x", net.random(random, 2, 5, 8)),
        output -> {
          Loss.Result cosine = Loss.pooledCosine(output, target);
          Loss.Result square = Loss.meanSquare(output, target, 1.7, 0.6);
          float[] sum = cosine.gradient().clone();
          for (int i = 0; i < sum.length; i++) {
            sum[i] += square.gradient()[i];
          }
          return new Loss.Result(cosine.value() + square.value(), sum);
        });
  }

  @Test
  void gradientsOfATextClassifierAreItsDifferences() {
    Nets net = Nets.textClassifier(random);
    int[] labels = {2, 0};
    check(
        net, Map.of("x", net.random(random, 2, 5, 8)), output -> Loss.crossEntropy(output, labels));
  }

  @ParameterizedTest
  @EnumSource(
      value = Activation.class,
      names = {"RELU", "GELU", "TANH", "SIGMOID", "SILU"})
  void everyActivationsSlopeIsItsDifference(Activation activation) {
    try (WorkerPool pool = new WorkerPool(2, "test")) {
      for (double x : new double[] {-9, -3.1, -1, -0.2, 0.003, 0.4, 1.7, 5, 12}) {
        float[] y = {(float) x};
        float[] slope = new float[1];
        Curve.apply(activation, y, slope, pool);
        assertEquals(activation.apply(x), y[0], 2e-6 * (1 + Math.abs(x)), activation + " of " + x);
        double difference = (activation.apply(x + 1e-4) - activation.apply(x - 1e-4)) / 2e-4;
        assertEquals(difference, slope[0], 2e-4, activation + " at " + x);
      }
    }
  }

  @Test
  void resultsDoNotDependOnThreads() {
    Nets net = Nets.transformer(new Random(3), Activation.GELU);
    Tensor x = net.random(random, 4, 6, 8);
    assertArrayEquals(gradients(net, x, 1), gradients(net, x, 3));
  }

  private static float[] gradients(Nets net, Tensor x, int threads) {
    try (WorkerPool pool = new WorkerPool(threads, "test");
        Network network = new Network(net.graph(), List.of(), KernelSets.open(""), pool)) {
      Network.Trace trace =
          network.run(network.whole(), network.prepare(Map.of("x", x)), null, true);
      trace.backward(Map.of("y", trace.output().data().clone()));
      return network.parameters(network.whole()).getFirst().gradient().clone();
    }
  }

  @Test
  void whatCannotBeTrainedThroughIsRefusedByName() {
    Nets net = Nets.classifier(random);
    net.then(new Node("odd", Node.ONNX, "Hardmax", List.of("y"), List.of("z"), Map.of()), "z");
    try (WorkerPool pool = new WorkerPool(1, "test")) {
      UnsupportedException refused =
          assertThrows(
              UnsupportedException.class,
              () -> new Network(net.graph(), List.of(), KernelSets.open(""), pool));
      assertTrue(refused.getMessage().contains("'odd' (Hardmax)"), refused.getMessage());
    }
  }

  @Test
  void paddedTextsAreRefused() {
    Nets net = Nets.masked(random);
    Tensor x = net.random(random, 1, 3, 8);
    Tensor mask = Tensor.of(new float[] {0, 0, -10_000}, 1, 1, 1, 3);
    try (WorkerPool pool = new WorkerPool(1, "test");
        Network network = new Network(net.graph(), List.of(), KernelSets.open(""), pool)) {
      Network.Batch batch = network.prepare(Map.of("x", x, "mask", mask));
      assertThrows(InputException.class, () -> network.forward(batch));
    }
  }

  private void check(Nets net, Map<String, Tensor> inputs, Function<Signal, Loss.Result> loss) {
    try (WorkerPool pool = new WorkerPool(2, "test");
        Network network = new Network(net.graph(), List.of(), KernelSets.open(""), pool)) {
      Network.Batch batch = network.prepare(inputs);
      Network.Trace trace = network.run(network.whole(), batch, null, true);
      String output = net.graph().outputs().getFirst().name();
      float[] reference = new Interpreter(net.graph()).run(inputs).get(output).toFloats();
      assertArrayEquals(reference, trace.output().toTensor().toFloats(), 2e-5f);
      trace.backward(Map.of(output, loss.apply(trace.output()).gradient()));
      List<Parameter> parameters = network.parameters(network.whole());
      assertEquals(net.parameters(), parameters.size());
      for (Parameter parameter : parameters) {
        for (int direction = 0; direction < 4; direction++) {
          float[] way = direction(parameter.values().length);
          double slope = 0;
          for (int i = 0; i < way.length; i++) {
            slope += (double) way[i] * parameter.gradient()[i];
          }
          double difference =
              (along(network, batch, loss, parameter, way, STEP)
                      - along(network, batch, loss, parameter, way, -STEP))
                  / (2 * STEP);
          assertEquals(
              difference,
              slope,
              1e-3 + 0.01 * Math.abs(difference),
              parameter.constant() + ", direction " + direction);
        }
      }
    }
  }

  private double along(
      Network network,
      Network.Batch batch,
      Function<Signal, Loss.Result> loss,
      Parameter parameter,
      float[] way,
      double step) {
    float[] before = parameter.values().clone();
    for (int i = 0; i < before.length; i++) {
      parameter.values()[i] += (float) (step * way[i]);
    }
    double value = loss.apply(network.run(network.whole(), batch, null, false).output()).value();
    System.arraycopy(before, 0, parameter.values(), 0, before.length);
    return value;
  }

  /** A direction of length 1. */
  private float[] direction(int length) {
    double[] way = new double[length];
    double square = 0;
    for (int i = 0; i < length; i++) {
      way[i] = random.nextGaussian();
      square += way[i] * way[i];
    }
    float[] unit = new float[length];
    for (int i = 0; i < length; i++) {
      unit[i] = (float) (way[i] / Math.sqrt(square));
    }
    return unit;
  }

  @Test
  void signalsComeBackAsTheTensorsTheyWere() {
    for (Shape shape : List.of(Shape.of(3, 5), Shape.of(2, 3, 4), Shape.of(2, 3, 4, 5))) {
      float[] values = direction(Math.toIntExact(shape.elements()));
      Tensor tensor = Tensor.of(DType.F32, shape, MemorySegment.ofArray(values));
      Tensor back = Signal.of(tensor).toTensor();
      assertEquals(shape, back.shape());
      assertArrayEquals(values, back.toFloats());
    }
  }
}
