package dev.filigree.kernel.loss;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Lines;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;

/**
 * The negative logarithm of the probability of the right class, weighted by class: of logarithms of
 * probabilities (NegativeLogLikelihoodLoss), or of scores (SoftmaxCrossEntropyLoss), whose
 * logarithms of probabilities are then a second output.
 *
 * <p>Inputs: {@code [batch, classes, ...]}, classes of {@code [batch, ...]}, optional weights
 * {@code [classes]}. Output: of {@code [batch, ...]}, or their sum or weighted mean.
 *
 * @param ofScores whether the input are scores
 */
public record CrossEntropy(boolean ofScores) implements Operator {
  private static final String IGNORED = "ignore_index";

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType target = inputs.required(1);
    if (!x.dtype().isFloating()
        || x.rank() < 2
        || target.rank() != x.rank() - 1
        || !target.dtype().isInteger()) {
      throw node.problem(
          "compares " + x + " with " + target,
          "pass floats [batch, classes, ...] and [batch, ...]");
    }
    inputs
        .type(2)
        .ifPresent(
            weights -> {
              if (weights.rank() != 1 || x.dim(1).isKnown() && !weights.dim(0).equals(x.dim(1))) {
                throw node.problem("weighs by " + weights, "give one weight for each class");
              }
            });
    List<Dim> each = new ArrayList<>(x.dims());
    each.remove(1);
    boolean single = !reduction(node).equals("none");
    return List.of(
        ValueType.of(x.dtype(), single ? List.of() : each), ValueType.of(x.dtype(), x.dims()));
  }

  private static String reduction(Node node) {
    String reduction = node.textAttribute("reduction", "mean");
    if (!List.of("none", "sum", "mean").contains(reduction)) {
      throw node.problem("reduces by '" + reduction + "'", "use none, sum or mean");
    }
    return reduction;
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor target = binding.input(1);
    Tensor weights = binding.has(2) ? binding.input(2) : null;
    Tensor loss = binding.output();
    Tensor logarithms = binding.outputs().size() > 1 ? binding.output(1) : null;
    String reduction = reduction(node);
    boolean ignores = node.attributes().get(IGNORED) instanceof Attribute.Int;
    long ignored = node.intAttribute(IGNORED, 0);
    Lines lines = Lines.of(x.shape(), 1);
    return () -> {
      double sum = 0;
      double whole = 0;
      for (long line = 0; line < lines.count(); line++) {
        double shift = ofScores ? logSum(x, lines, line) : 0;
        for (long c = 0; logarithms != null && c < lines.length(); c++) {
          long at = lines.start(line) + c * lines.step();
          logarithms.setDouble(at, x.getDouble(at) - shift);
        }
        long right = target.getLong(line);
        double weight = 0;
        double value = 0;
        if (!ignores || right != ignored) {
          requireClass(node, right, lines.length());
          weight = weights == null ? 1 : weights.getDouble(right);
          value = -weight * (x.getDouble(lines.start(line) + right * lines.step()) - shift);
        }
        sum += value;
        whole += weight;
        if (reduction.equals("none")) {
          loss.setDouble(line, value);
        }
      }
      if (!reduction.equals("none")) {
        loss.setDouble(0, reduction.equals("sum") ? sum : sum / whole);
      }
    };
  }

  private static void requireClass(Node node, long right, long classes) {
    if (right < 0 || right >= classes) {
      throw node.problem(
          "names class " + right + " of " + classes, "set ignore_index to leave it out");
    }
  }

  /** The logarithm of the sum of the exponentials of a line. */
  private static double logSum(Tensor x, Lines lines, long line) {
    double max = Double.NEGATIVE_INFINITY;
    for (long c = 0; c < lines.length(); c++) {
      max = Math.max(max, x.getDouble(lines.start(line) + c * lines.step()));
    }
    double sum = 0;
    for (long c = 0; c < lines.length(); c++) {
      sum += Math.exp(x.getDouble(lines.start(line) + c * lines.step()) - max);
    }
    return max + Math.log(sum);
  }
}
