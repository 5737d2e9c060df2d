package dev.filigree.compress.train;

import dev.filigree.InputException;
import dev.filigree.compress.KMeans;
import dev.filigree.compress.Lloyd;
import dev.filigree.compress.Structure;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Deep Compression (Han, Mao and Dally, arXiv 1510.00149) of a trained classifier: prune while
 * retraining, share values, tune the centroids, code. After every stage the error and the bytes.
 */
public final class DeepCompression {
  /**
   * What is done to a layer.
   *
   * @param kept fraction of its weights
   * @param codeBits of an index into its codebook
   * @param gapBits of the distance to the next weight that is kept; a larger one takes fillers
   */
  public record LayerPlan(double kept, int codeBits, int gapBits) {
    public LayerPlan {
      if (!(kept > 0 && kept <= 1) || codeBits < 1 || codeBits > 8 || gapBits < 1 || gapBits > 8) {
        throw new InputException(
            "a layer of which "
                + kept
                + " stays, with codes of "
                + codeBits
                + " bits and gaps of "
                + gapBits,
            "keep more than 0 and at most 1, and use 1 to 8 bits");
      }
    }
  }

  /**
   * How stages train.
   *
   * @param prune the first half of its steps prunes, the second half recovers
   * @param tune of the centroids
   */
  public record Options(Classifier.Options prune, Classifier.Options tune) {}

  /**
   * A line of the table.
   *
   * @param stage what was done
   * @param error share of test samples in the wrong class
   * @param bytes of all parameters in the form that the stage leaves them in
   */
  public record Row(String stage, double error, double bytes) {}

  /**
   * What became of a layer.
   *
   * @param weights it had
   * @param kept of them, fillers not counted
   * @param codeBits mean bits of a code after coding
   * @param gapBits mean bits of a gap after coding
   */
  public record CodedLayer(
      String constant, long weights, long kept, double codeBits, double gapBits, double bytes) {}

  /** The table and the layers. */
  public record Result(List<Row> rows, List<CodedLayer> layers) {}

  private final Classifier classifier;
  private final Map<String, LayerPlan> plans;

  /**
   * A compression.
   *
   * @param plans by the constant of a layer's weights
   */
  public DeepCompression(Classifier classifier, Map<String, LayerPlan> plans) {
    if (!plans.keySet().equals(classifier.weights().keySet())) {
      throw new InputException(
          "plans for the weights " + plans.keySet(),
          "the layers' weights are " + classifier.weights().keySet());
    }
    this.classifier = classifier;
    this.plans = new LinkedHashMap<>(plans);
  }

  /** Goes through all stages; the classifier is left with the shared, tuned weights. */
  public Result run(LabelledSamples train, LabelledSamples test, Options options) {
    List<Row> rows = new ArrayList<>();
    double dense = classifier.parameters().stream().mapToDouble(p -> 4.0 * p.values().length).sum();
    rows.add(new Row("dense", classifier.error(test), dense));
    int steps = options.prune.epochs() * Math.ceilDiv(train.count(), options.prune.batch());
    Map<String, Structure> structures = new LinkedHashMap<>();
    plans.forEach(
        (constant, plan) -> structures.put(constant, new Structure.Unstructured(1 - plan.kept)));
    PruningSchedule schedule = new PruningSchedule(0, steps / 2, Math.max(1, steps / 60));
    classifier.train(train, options.prune, new Classifier.Pruning(structures, schedule));
    rows.add(new Row("pruned and retrained", classifier.error(test), bytes(Form.FLOATS)));
    plans.forEach((constant, plan) -> share(classifier.weights().get(constant), plan));
    rows.add(new Row("shared", classifier.error(test), bytes(Form.CODES)));
    classifier.train(train, options.tune, null);
    rows.add(new Row("centroids tuned", classifier.error(test), bytes(Form.CODES)));
    List<CodedLayer> layers = new ArrayList<>();
    plans.forEach((constant, plan) -> layers.add(coded(classifier.weights().get(constant), plan)));
    double coded = layers.stream().mapToDouble(CodedLayer::bytes).sum() + unshared();
    rows.add(new Row("coded", classifier.error(test), coded));
    return new Result(rows, layers);
  }

  /** Values as floats, or as codes of a fixed number of bits. */
  private enum Form {
    FLOATS,
    CODES
  }

  /** Bytes of biases and all else that is neither pruned nor shared. */
  private double unshared() {
    return classifier.parameters().stream()
        .filter(parameter -> !plans.containsKey(parameter.constant()))
        .mapToDouble(parameter -> 4.0 * parameter.values().length)
        .sum();
  }

  private double bytes(Form form) {
    double bits = 8 * unshared();
    for (Map.Entry<String, LayerPlan> entry : plans.entrySet()) {
      LayerPlan plan = entry.getValue();
      int[] assignment = assignment(classifier.weights().get(entry.getKey()));
      SparseCode code = SparseCode.of(assignment, plan.gapBits);
      bits += (double) code.gaps().length * plan.gapBits;
      bits += (double) code.codes().length * (form == Form.FLOATS ? 32 : plan.codeBits);
      bits += form == Form.FLOATS ? 0 : 32.0 * (1 << plan.codeBits);
    }
    return bits / 8;
  }

  /**
   * Clusters what a layer keeps. The start is linear, which keeps centroids for the few large
   * weights: after tuning it is as good as the optimum and codes shorter.
   */
  private static void share(Parameter weights, LayerPlan plan) {
    float[] values = weights.values();
    float[] kept = new float[values.length];
    int count = 0;
    for (float value : values) {
      if (value != 0) {
        kept[count++] = value;
      }
    }
    float[] some = Arrays.copyOf(kept, count);
    KMeans.Clusters clusters =
        Lloyd.cluster(some, null, 1 << plan.codeBits, Lloyd.Start.LINEAR, 1, 0);
    int[] codes = new int[values.length];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = values[i] == 0 ? Parameter.ZERO : KMeans.nearest(clusters.centroids(), values[i]);
    }
    weights.share(codes, clusters.centroids());
  }

  /** The codes of a layer; before values are shared all that is kept has the code 0. */
  private static int[] assignment(Parameter weights) {
    int[] codes = weights.codes();
    if (codes == null) {
      codes = new int[weights.values().length];
      for (int i = 0; i < codes.length; i++) {
        codes[i] = weights.values()[i] == 0 ? Parameter.ZERO : 0;
      }
    }
    return codes;
  }

  private static CodedLayer coded(Parameter weights, LayerPlan plan) {
    SparseCode code = SparseCode.of(assignment(weights), plan.gapBits);
    int kept = code.codes().length;
    long codes = code.codedCodes();
    long gaps = code.codedGaps();
    return new CodedLayer(
        weights.constant(),
        weights.values().length,
        kept,
        8.0 * codes / kept,
        8.0 * gaps / kept,
        codes + gaps + 4.0 * weights.free().length);
  }
}
