package dev.filigree.graph;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightsException;
import dev.filigree.weights.Weights;

/**
 * A value that does not depend on the inputs: a plain tensor, or weights in a compressed form.
 * Immutable.
 */
public sealed interface Constant {
  /** A plain tensor. */
  record Plain(Tensor tensor) implements Constant {
    @Override
    public ValueType type() {
      return ValueType.of(tensor);
    }

    @Override
    public Tensor toTensor() {
      return tensor;
    }

    @Override
    public long bytes() {
      return tensor.bytes();
    }
  }

  /**
   * Compressed weights that stand for an f32 matrix.
   *
   * @param weights logical {@code [out, in]}
   * @param transposed whether the graph sees {@code [in, out]}, as ONNX's MatMul wants it
   */
  record Compressed(Weights weights, boolean transposed) implements Constant {
    @Override
    public ValueType type() {
      return ValueType.of(DType.F32, shape());
    }

    private Shape shape() {
      return transposed
          ? Shape.of(weights.columns(), weights.rows())
          : Shape.of(weights.rows(), weights.columns());
    }

    @Override
    public Tensor toTensor() {
      Tensor logical = Tensor.of(weights.unpack(), weights.rows(), weights.columns());
      return transposed ? logical.permute(1, 0).contiguous() : logical;
    }

    @Override
    public long bytes() {
      return weights.bytes();
    }
  }

  /**
   * Compressed weights of a convolution.
   *
   * @param weights logical {@code [out, kernel... * channels]}, the channel innermost
   * @param shape as the graph sees it, {@code [out, channels, kernel...]}
   */
  record Windowed(Weights weights, Shape shape) implements Constant {
    public Windowed {
      if (shape.rank() < 3
          || shape.extent(0) != weights.rows()
          || shape.elements() != (long) weights.rows() * weights.columns()) {
        throw new WeightsException(
            "weights of "
                + weights.rows()
                + " x "
                + weights.columns()
                + " stand for those of a convolution of "
                + shape,
            "store [out, kernel * channels]");
      }
    }

    @Override
    public ValueType type() {
      return ValueType.of(DType.F32, shape);
    }

    @Override
    public Tensor toTensor() {
      int rank = shape.rank();
      long[] extents = new long[rank];
      int[] order = new int[rank];
      for (int axis = 0; axis < rank; axis++) {
        // rows, kernel..., channels as they are stored
        int seen = axis == 0 ? 0 : axis == rank - 1 ? 1 : axis + 1;
        extents[axis] = shape.extent(seen);
        order[seen] = axis;
      }
      return Tensor.of(weights.unpack(), weights.rows(), weights.columns())
          .reshape(Shape.of(extents))
          .permute(order)
          .contiguous();
    }

    @Override
    public long bytes() {
      return weights.bytes();
    }
  }

  /** Type, extents and, for a small integer tensor, content. */
  ValueType type();

  /** The value as a plain tensor, unpacked if need be. */
  Tensor toTensor();

  /** Bytes it takes in its form. */
  long bytes();
}
