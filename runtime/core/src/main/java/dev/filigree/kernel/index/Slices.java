package dev.filigree.kernel.index;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.shape.Gather;
import java.util.ArrayList;
import java.util.List;

/** Slices of a tensor that tuples of indices name, as GatherND and ScatterND have them. */
final class Slices {
  private final Node node;
  private final Tensor indices;
  private final Shape shape;
  private final long[] strides;
  private final int batchAxes;
  private final int depth;
  private final long perBatch;

  /**
   * @param indices the last axis of which holds tuples
   * @param x tensor that is indexed
   * @param batchAxes leading axes that both share
   */
  Slices(Node node, Tensor indices, Tensor x, int batchAxes) {
    this.node = node;
    this.indices = indices;
    this.shape = x.shape();
    this.strides = x.shape().strides();
    this.batchAxes = batchAxes;
    this.depth = (int) indices.shape().extent(-1);
    int last = indices.shape().rank() - 1;
    this.perBatch = Elements.product(indices.shape(), batchAxes, last);
  }

  /** Number of tuples. */
  long count() {
    return Elements.product(indices.shape(), 0, indices.shape().rank() - 1);
  }

  /** Elements of a slice. */
  long size() {
    return Elements.product(shape, batchAxes + depth, shape.rank());
  }

  /** First element of the slice that a tuple names. */
  long start(long tuple) {
    long start =
        perBatch == 0 ? 0 : tuple / perBatch * Elements.product(shape, batchAxes, shape.rank());
    for (int d = 0; d < depth; d++) {
      long index = indices.getLong(tuple * depth + d);
      start += Gather.row(node, index, shape.extent(batchAxes + d)) * strides[batchAxes + d];
    }
    return start;
  }

  /** Extents of what the tuples name, refusing tuples longer than the tensor has axes. */
  static List<Dim> dims(Node node, ValueType indices, ValueType x, int batchAxes) {
    Indices.requireIntegers(node, indices);
    if (indices.rank() < 1 || batchAxes < 0 || batchAxes >= Math.min(indices.rank(), x.rank())) {
      throw node.problem("indexes " + x + " by " + indices, "pass tuples of indices");
    }
    if (!indices.dim(-1).isKnown()) {
      throw new DataDependentException(node, "rank");
    }
    long depth = indices.dim(-1).value();
    if (depth < 1 || depth > x.rank() - batchAxes) {
      throw node.problem("indexes " + x + " by " + indices, "use tuples of 1 to all axes");
    }
    for (int axis = 0; axis < batchAxes; axis++) {
      if (x.dim(axis).isKnown()
          && indices.dim(axis).isKnown()
          && !x.dim(axis).equals(indices.dim(axis))) {
        throw node.problem("indexes " + x + " by " + indices, "batch axes must agree");
      }
    }
    List<Dim> dims = new ArrayList<>(indices.dims().subList(0, indices.rank() - 1));
    dims.addAll(x.dims().subList(batchAxes + (int) depth, x.rank()));
    return dims;
  }
}
