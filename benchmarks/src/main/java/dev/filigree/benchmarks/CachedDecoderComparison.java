package dev.filigree.benchmarks;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.ValueInfo;
import java.lang.management.ManagementFactory;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Compares a decoder that was exported with a cache, token by token as the cache grows, with ONNX
 * Runtime on the same file: one thread each, in alternation.
 *
 * <pre>
 *   CachedDecoderComparison decoder.onnx           5 rounds of 50 tokens, from a cache of 16 on
 *   CachedDecoderComparison decoder.onnx 100 3     3 rounds of 100 tokens
 * </pre>
 *
 * The file takes {@code input_ids} and {@code attention_mask} of 64-bit integers, then keys and
 * values of each layer {@code [batch, heads, past, width]}; it makes scores, then the longer keys
 * and values in the same order.
 */
public final class CachedDecoderComparison {
  private static final int FIRST = 16;

  /** A word every vocabulary has. */
  private static final int WORDS = 30;

  private CachedDecoderComparison() {}

  /** See the class. */
  public static void main(String[] arguments) throws OrtException {
    int tokens = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 50;
    int rounds = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 5;
    for (Round round : compare(Path.of(arguments[0]), tokens, rounds)) {
      System.out.printf(
          Locale.ROOT,
          "%7.2f ms a token, ONNX Runtime %7.2f ms: %.2f times; scores differ by %.1e%n",
          round.own / 1e6,
          round.other / 1e6,
          round.own / round.other,
          round.difference);
    }
  }

  /**
   * A round from the first cache to the longest.
   *
   * @param own median nanoseconds of processor time a token takes
   * @param other the same of ONNX Runtime
   * @param difference the greatest of two scores
   */
  record Round(double own, double other, double difference) {}

  static List<Round> compare(Path file, int tokens, int rounds) throws OrtException {
    List<Round> all = new ArrayList<>();
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (Model model = Model.open(file);
        Session session = model.session(SessionOptions.defaults().withThreads(1));
        OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(1);
      try (OrtSession other = environment.createSession(file.toString(), options)) {
        for (int round = 0; round < rounds; round++) {
          all.add(round(session, environment, other, tokens));
        }
      }
    }
    return all;
  }

  private static Round round(
      Session session, OrtEnvironment environment, OrtSession other, int tokens)
      throws OrtException {
    List<ValueInfo> inputs = session.model().inputs();
    List<ValueInfo> outputs = session.model().outputs();
    Map<String, Tensor> given = new LinkedHashMap<>();
    for (ValueInfo part : inputs.subList(2, inputs.size())) {
      long heads = part.dims().get(1).value();
      long width = part.dims().get(3).value();
      given.put(part.name(), Tensor.zeros(DType.F32, Shape.of(1, heads, FIRST, width)));
    }
    double[] own = new double[tokens];
    double[] theirs = new double[tokens];
    double worst = 0;
    for (int token = 0; token < tokens; token++) {
      long[] mask = new long[FIRST + token + 1];
      Arrays.fill(mask, 1);
      given.put(inputs.get(0).name(), Tensor.of(new long[] {token * 7 % WORDS}, 1, 1));
      given.put(inputs.get(1).name(), Tensor.of(mask, 1, mask.length));
      long start = processorNanos();
      Map<String, Tensor> made = session.run(given);
      own[token] = processorNanos() - start;
      float[] scores = new float[made.get(outputs.getFirst().name()).toFloats().length];
      theirs[token] = run(environment, other, given, scores);
      float[] ours = made.get(outputs.getFirst().name()).toFloats();
      for (int i = 0; i < scores.length; i++) {
        worst = Math.max(worst, Math.abs(scores[i] - ours[i]));
      }
      for (int part = 2; part < inputs.size(); part++) {
        given.put(inputs.get(part).name(), made.get(outputs.get(part - 1).name()));
      }
    }
    return new Round(median(own), median(theirs), worst);
  }

  /** Nanoseconds that ONNX Runtime takes for the same inputs. */
  private static double run(
      OrtEnvironment environment, OrtSession session, Map<String, Tensor> given, float[] scores)
      throws OrtException {
    Map<String, OnnxTensor> passed = new LinkedHashMap<>();
    for (Map.Entry<String, Tensor> input : given.entrySet()) {
      Tensor tensor = input.getValue();
      long[] extents = tensor.shape().extents();
      passed.put(
          input.getKey(),
          tensor.dtype() == DType.I64
              ? OnnxTensor.createTensor(environment, LongBuffer.wrap(tensor.toLongs()), extents)
              : OnnxTensor.createTensor(environment, FloatBuffer.wrap(tensor.toFloats()), extents));
    }
    long start = processorNanos();
    try (OrtSession.Result result = session.run(passed)) {
      double nanos = processorNanos() - start;
      ((OnnxTensor) result.get(0)).getFloatBuffer().get(scores);
      return nanos;
    } finally {
      passed.values().forEach(OnnxTensor::close);
    }
  }

  private static long processorNanos() {
    return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
