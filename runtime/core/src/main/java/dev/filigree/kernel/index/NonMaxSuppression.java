package dev.filigree.kernel.index;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.DataDependentOperator;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Picks boxes by score, class by class, leaving out those that overlap one already picked. Rows of
 * the result are {@code [batch, class, box]}. Of equal scores the box with the lower index comes
 * first, and overlaps are computed in f32, both as ONNX Runtime does: the operator leaves them
 * open, and a detector's boxes with whole corners often overlap by just the limit.
 */
public final class NonMaxSuppression implements DataDependentOperator {
  private static final int MOST = 2;
  private static final int OVERLAP = 3;
  private static final int SCORE = 4;

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType boxes = inputs.required(0);
    ValueType scores = inputs.required(1);
    boolean fits =
        boxes.rank() == 3
            && scores.rank() == 3
            && boxes.dtype().isFloating()
            && scores.dtype().isFloating()
            && (!boxes.dim(2).isKnown() || boxes.dim(2).is(4))
            && agree(boxes.dim(0), scores.dim(0))
            && agree(boxes.dim(1), scores.dim(2));
    if (!fits) {
      throw node.problem(
          "picks from " + boxes + " by " + scores,
          "pass boxes [batch, boxes, 4] and scores [batch, classes, boxes]");
    }
    Dim picked = Dim.symbol("picked(" + node.output() + ")");
    return List.of(ValueType.of(DType.I64, List.of(picked, Dim.of(3))));
  }

  private static boolean agree(Dim a, Dim b) {
    return !a.isKnown() || !b.isKnown() || a.equals(b);
  }

  @Override
  public Tensor[] compute(Node node, int opset, Tensor[] operands) {
    infer(node, Axes.known(new Binding(node, opset, operands, new Tensor[0])));
    Tensor boxes = operands[0];
    Tensor scores = operands[1];
    long most = number(operands, MOST, 0) < 0 ? 0 : (long) number(operands, MOST, 0);
    float overlap = (float) number(operands, OVERLAP, 0);
    double threshold = number(operands, SCORE, Double.NEGATIVE_INFINITY);
    boolean centred = node.intAttribute("center_point_box", 0) != 0;
    int count = Math.toIntExact(boxes.shape().extent(1));
    List<long[]> picked = new ArrayList<>();
    for (long batch = 0; batch < scores.shape().extent(0); batch++) {
      float[][] corners = corners(boxes, batch, count, centred);
      for (long c = 0; c < scores.shape().extent(1); c++) {
        long row = (batch * scores.shape().extent(1) + c) * count;
        for (int box : pick(corners, scores, row, most, overlap, threshold)) {
          picked.add(new long[] {batch, c, box});
        }
      }
    }
    Tensor y = Tensor.zeros(DType.I64, Shape.of(picked.size(), 3));
    for (int i = 0; i < 3 * picked.size(); i++) {
      y.setLong(i, picked.get(i / 3)[i % 3]);
    }
    return new Tensor[] {y};
  }

  private static double number(Tensor[] operands, int i, double otherwise) {
    boolean given = i < operands.length && operands[i] != null && operands[i].elements() == 1;
    return given ? operands[i].getDouble(0) : otherwise;
  }

  private static List<Integer> pick(
      float[][] corners, Tensor scores, long row, long most, float overlap, double threshold) {
    List<Integer> order = new ArrayList<>();
    for (int box = 0; box < corners.length; box++) {
      if (scores.getDouble(row + box) > threshold) {
        order.add(box);
      }
    }
    order.sort(Comparator.comparingDouble(box -> 0 - scores.getDouble(row + box)));
    List<Integer> picked = new ArrayList<>();
    for (int box : order) {
      if (picked.size() >= most) {
        break;
      }
      if (picked.stream().noneMatch(p -> shared(corners[p], corners[box]) > overlap)) {
        picked.add(box);
      }
    }
    return picked;
  }

  /** The boxes of a sample as least y and x, greatest y and x. */
  private static float[][] corners(Tensor boxes, long batch, int count, boolean centred) {
    float[][] corners = new float[count][4];
    for (int box = 0; box < count; box++) {
      float[] b = new float[4];
      for (int i = 0; i < 4; i++) {
        b[i] = (float) boxes.getDouble((batch * count + box) * 4 + i);
      }
      corners[box] =
          centred
              ? new float[] {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2}
              : new float[] {
                Math.min(b[0], b[2]),
                Math.min(b[1], b[3]),
                Math.max(b[0], b[2]),
                Math.max(b[1], b[3])
              };
    }
    return corners;
  }

  /** Intersection over union. */
  private static float shared(float[] a, float[] b) {
    float height = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
    float width = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
    float intersection = height * width;
    float union = area(a) + area(b) - intersection;
    return height > 0 && width > 0 && intersection > 0 && union > 0 ? intersection / union : 0;
  }

  private static float area(float[] box) {
    return (box[2] - box[0]) * (box[3] - box[1]);
  }
}
