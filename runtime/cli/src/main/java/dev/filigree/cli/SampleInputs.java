package dev.filigree.cli;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.fused.Embedding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SplittableRandom;

/**
 * Inputs made up for measuring: of two symbolic axes the first is the batch and the second the
 * length; masks are ones, ids small numbers that every vocabulary has, or the model's own where it
 * is smaller, floats random between -1 and 1. The same each time.
 */
final class SampleInputs {
  private static final long SEED = 1;
  private static final int IDS = 1000;

  /** A length where none is asked for, if the model takes one so long. */
  private static final int LENGTH = 128;

  private SampleInputs() {}

  /**
   * Makes inputs.
   *
   * @param shapes given by name, which leave nothing open
   * @throws UsageException if a shape is none or of no input, or if an input's is not known
   */
  static Map<String, Tensor> of(Model model, int batch, int length, Map<String, String> shapes) {
    for (String name : shapes.keySet()) {
      if (model.inputs().stream().noneMatch(input -> input.name().equals(name))) {
        throw new UsageException(
            "--shape " + name + ": the model has no such input; it takes " + model.inputs());
      }
    }
    SplittableRandom random = new SplittableRandom(SEED);
    Map<String, Tensor> inputs = new LinkedHashMap<>();
    for (ValueInfo input : model.inputs()) {
      Tensor tensor = Tensor.zeros(input.dtype(), shape(input, batch, length, shapes));
      boolean isIds = input.name().endsWith("ids") && !input.name().contains("type");
      int ids = isIds ? ids(model, input.name()) : 0;
      for (long i = 0; i < tensor.elements(); i++) {
        if (input.dtype().isFloating()) {
          tensor.setDouble(i, random.nextDouble(-1, 1));
        } else if (input.dtype() == DType.BOOL || input.name().contains("mask")) {
          tensor.setLong(i, 1);
        } else if (isIds) {
          tensor.setLong(i, random.nextInt(ids));
        }
      }
      inputs.put(input.name(), tensor);
    }
    return inputs;
  }

  /**
   * A size to measure at.
   *
   * @param rows of the batch
   * @param length 0 if the model leaves none open and none was asked for
   * @param shapes given by name
   */
  record Size(int rows, int length, Map<String, String> shapes) {
    /** Inputs of that size. */
    Map<String, Tensor> inputs(Model model) {
      return of(model, rows, length, shapes);
    }
  }

  /**
   * Sizes to measure at.
   *
   * @param batches asked for; none for one row, or as many as the model insists on
   * @param lengths asked for; none for {@value #LENGTH}, or as many as the model takes
   * @throws UsageException if something is asked for that the model or a shape has settled
   *     otherwise
   */
  static List<Size> sizes(
      Model model, List<Integer> batches, List<Integer> lengths, Map<String, String> shapes) {
    List<Size> sizes = new ArrayList<>();
    for (int batch : batches.isEmpty() ? List.of(1) : batches) {
      for (int length : lengths.isEmpty() ? List.of(longest(model, LENGTH)) : lengths) {
        Map<String, Tensor> inputs = of(model, batch, length, shapes);
        int rows = rows(model, inputs, shapes);
        boolean isOpen = hasOpenLength(model, shapes);
        if (!batches.isEmpty()) {
          requireSettled("--batch", batch, OptionalLong.of(rows), model);
        }
        if (!lengths.isEmpty() && !isOpen) {
          requireSettled("--length", length, settledLength(model, inputs), model);
        }
        sizes.add(new Size(rows, isOpen || !lengths.isEmpty() ? length : 0, shapes));
      }
    }
    return sizes;
  }

  /**
   * The length where no axis is left open for one: the second extent of the first input of texts
   * {@code [batch, length]} or of vectors {@code [batch, length, features]}; none if there is none,
   * as with images.
   */
  private static OptionalLong settledLength(Model model, Map<String, Tensor> inputs) {
    return model.inputs().stream()
        .map(input -> inputs.get(input.name()).shape())
        .filter(shape -> shape.rank() == 2 || shape.rank() == 3)
        .mapToLong(shape -> shape.extent(1))
        .findFirst();
  }

  /** Refuses an extent that is not the one the model or a shape has settled. */
  private static void requireSettled(String option, int asked, OptionalLong settled, Model model) {
    if (settled.isEmpty() || settled.getAsLong() != asked) {
      throw new UsageException(
          option
              + " is "
              + asked
              + ", but "
              + (settled.isPresent()
                  ? "the model or --shape fixes it at " + settled.getAsLong()
                  : "no input of the model has a length")
              + "; leave it out; the model takes "
              + model.inputs());
    }
  }

  /**
   * Rows of the batch that inputs hold: the first extent of the first one whose shape was given or
   * which leaves it open, else of the first; one where the model takes nothing.
   */
  private static int rows(Model model, Map<String, Tensor> inputs, Map<String, String> shapes) {
    return model.inputs().stream()
        .filter(input -> shapes.containsKey(input.name()) || isOpen(input, 0, 1))
        .findFirst()
        .or(() -> model.inputs().stream().findFirst())
        .map(telling -> inputs.get(telling.name()).shape())
        .filter(shape -> shape.rank() > 0)
        .map(shape -> (int) shape.extent(0))
        .orElse(1);
  }

  private static boolean hasOpenLength(Model model, Map<String, String> shapes) {
    return model.inputs().stream()
        .anyMatch(
            input -> !shapes.containsKey(input.name()) && isOpen(input, 1, Integer.MAX_VALUE));
  }

  /** Whether some axes of an input may have any extent. */
  private static boolean isOpen(ValueInfo input, int from, int to) {
    return input.dims() != null
        && input.dims().stream().skip(from).limit(to - from).anyMatch(dim -> !dim.isKnown());
  }

  /** A length, or the longest that a model takes where that is less. */
  private static int longest(Model model, int length) {
    return model.inputs().stream()
        .filter(input -> input.dims() != null && input.dims().size() == 2)
        .map(input -> input.dims().get(1))
        .filter(dim -> !dim.isKnown())
        .findFirst()
        .map(dim -> Math.max(1, model.longest(dim.toString(), length)))
        .orElse(length);
  }

  /** How many ids the tables have in which an input names rows. */
  private static int ids(Model model, String input) {
    long least = IDS;
    for (Node node : model.graph().nodes()) {
      // tables and indices, one after the other
      for (int i = 1; isLookUp(node) && i < node.inputs().size(); i++) {
        Constant table = model.graph().constants().get(node.inputs().get(i - 1));
        if (table != null && node.inputs().get(i).equals(input)) {
          least = Math.min(least, table.type().shape().extent(0));
        }
      }
    }
    return (int) Math.max(1, least);
  }

  private static boolean isLookUp(Node node) {
    return node.isFused(Embedding.TYPE) || node.is("Gather") && node.intAttribute("axis", 0) == 0;
  }

  private static Shape shape(ValueInfo input, int batch, int length, Map<String, String> shapes) {
    String given = shapes.get(input.name());
    if (given != null) {
      if (!given.matches("\\d{1,9}(x\\d{1,9})*")) {
        throw new UsageException("--shape " + input.name() + "=" + given + " is not like 1x3x48");
      }
      return Shape.of(Arrays.stream(given.split("x")).mapToLong(Long::parseLong).toArray());
    }
    if (input.dims() == null) {
      throw new UsageException(
          "the model does not declare the shape of "
              + input.name()
              + "; pass --shape "
              + input.name()
              + "=AxB");
    }
    long[] extents = new long[input.dims().size()];
    int symbols = 0;
    for (int axis = 0; axis < extents.length; axis++) {
      Dim dim = input.dims().get(axis);
      extents[axis] = dim.isKnown() ? dim.value() : symbols++ == 0 && axis == 0 ? batch : length;
    }
    return Shape.of(extents);
  }
}
