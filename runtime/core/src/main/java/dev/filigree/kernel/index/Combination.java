package dev.filigree.kernel.index;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Elements;

/** How a scatter joins an update with what stands there. */
enum Combination {
  NONE {
    @Override
    double join(double old, double update) {
      return update;
    }

    @Override
    long join(long old, long update) {
      return update;
    }
  },
  ADD {
    @Override
    double join(double old, double update) {
      return old + update;
    }

    @Override
    long join(long old, long update) {
      return old + update;
    }
  },
  MUL {
    @Override
    double join(double old, double update) {
      return old * update;
    }

    @Override
    long join(long old, long update) {
      return old * update;
    }
  },
  MIN {
    @Override
    double join(double old, double update) {
      return Math.min(old, update);
    }

    @Override
    long join(long old, long update) {
      return Math.min(old, update);
    }
  },
  MAX {
    @Override
    double join(double old, double update) {
      return Math.max(old, update);
    }

    @Override
    long join(long old, long update) {
      return Math.max(old, update);
    }
  };

  abstract double join(double old, double update);

  abstract long join(long old, long update);

  /** The combination a node asks for. */
  static Combination of(Node node) {
    return switch (node.textAttribute("reduction", "none")) {
      case "none" -> NONE;
      case "add" -> ADD;
      case "mul" -> MUL;
      case "min" -> MIN;
      case "max" -> MAX;
      case String other ->
          throw node.problem("joins by '" + other + "'", "use none, add, mul, min or max");
    };
  }

  /** Joins an element into a tensor of the same type. */
  void store(Tensor from, long at, Tensor to, long into) {
    if (this == NONE) {
      Elements.copy(from, at, to, into, 1);
    } else if (to.dtype().isFloating()) {
      to.setDouble(into, join(to.getDouble(into), from.getDouble(at)));
    } else {
      to.setLong(into, join(to.getLong(into), from.getLong(at)));
    }
  }
}
