package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Sums of products in Einstein's notation, such as {@code bij,bjk->bik}: a letter names an axis,
 * three dots the axes that broadcast.
 */
public final class Einsum implements Operator {
  /** Letters of the axes that three dots stand for: outside those a term may hold. */
  private static final char FIRST_DOT = '\u0100';

  /** A parsed equation: the letters of each operand and of the result. */
  public record Equation(List<String> terms, String result) {}

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    List<ValueType> operands = new ArrayList<>();
    for (int i = 0; i < node.inputs().size(); i++) {
      operands.add(inputs.required(i));
    }
    DType dtype = operands.getFirst().dtype();
    if (dtype == DType.BOOL || operands.stream().anyMatch(type -> type.dtype() != dtype)) {
      throw node.problem("multiplies " + operands, "pass numbers of one type");
    }
    Equation equation = equation(node, operands);
    Map<Character, Dim> dims = new HashMap<>();
    for (int i = 0; i < operands.size(); i++) {
      for (int axis = 0; axis < operands.get(i).rank(); axis++) {
        join(node, dims, equation.terms.get(i).charAt(axis), operands.get(i).dim(axis));
      }
    }
    return List.of(
        ValueType.of(
            dtype, equation.result.chars().mapToObj(letter -> dims.get((char) letter)).toList()));
  }

  private static void join(Node node, Map<Character, Dim> dims, char letter, Dim dim) {
    Dim known = dims.get(letter);
    if (known == null || known.is(1) || !known.isKnown() && !dim.is(1)) {
      dims.put(letter, dim);
    } else if (dim.isKnown() && known.isKnown() && !dim.is(1) && !dim.equals(known)) {
      throw node.problem(
          "gives axis '" + letter + "' the extents " + known + " and " + dim, "make them agree");
    }
  }

  private static Equation parse(Node node, List<Integer> ranks) {
    String text = node.textAttribute("equation", "").replace(" ", "");
    String[] sides = text.split("->", -1);
    String[] terms = sides[0].split(",", -1);
    if (sides.length > 2 || terms.length != ranks.size()) {
      throw node.problem("has the equation '" + text + "'", "give one term for each input");
    }
    int dots = 0;
    List<String> expanded = new ArrayList<>();
    for (int i = 0; i < terms.length; i++) {
      int own = ranks.get(i) - terms[i].replace("...", "").length();
      dots = Math.max(dots, terms[i].contains("...") ? own : 0);
      expanded.add(expand(terms[i], own));
      if (expanded.getLast().length() != ranks.get(i) || !isPlain(terms[i])) {
        throw node.problem(
            "has the term '" + terms[i] + "' for " + ranks.get(i) + " axes",
            "give a letter for each axis");
      }
    }
    String result = sides.length == 2 ? expand(sides[1], dots) : implicit(expanded, dots);
    boolean known =
        result.chars().allMatch(letter -> expanded.stream().anyMatch(t -> t.indexOf(letter) >= 0))
            && result.chars().distinct().count() == result.length();
    if (!known) {
      throw node.problem(
          "has the equation '" + text + "'", "name each axis of the result once, from the terms");
    }
    return new Equation(expanded, result);
  }

  /** The equation of a node with operands of some types. */
  public static Equation equation(Node node, List<ValueType> operands) {
    return parse(node, operands.stream().map(ValueType::rank).toList());
  }

  private static boolean isPlain(String term) {
    return term.replaceFirst("\\.\\.\\.", "")
        .chars()
        .allMatch(c -> c < 128 && Character.isLetter(c));
  }

  /** Puts letters in the place of three dots, counted from the last of them. */
  private static String expand(String term, int dots) {
    StringBuilder letters = new StringBuilder();
    for (int i = dots; i > 0; i--) {
      letters.append((char) (FIRST_DOT + i));
    }
    return term.replaceFirst("\\.\\.\\.", letters.toString());
  }

  /** The result of an equation that names none: dots, then what appears once, by the alphabet. */
  private static String implicit(List<String> terms, int dots) {
    String all = String.join("", terms);
    StringBuilder result = new StringBuilder(expand("...", dots));
    all.chars()
        .filter(letter -> letter < FIRST_DOT && all.indexOf(letter) == all.lastIndexOf(letter))
        .sorted()
        .forEach(letter -> result.append((char) letter));
    return result.toString();
  }

  @Override
  public Kernel bind(Binding binding) {
    List<Tensor> operands = binding.inputs();
    Tensor y = binding.output();
    Equation equation =
        parse(binding.node(), operands.stream().map(t -> t.shape().rank()).toList());
    StringBuilder summed = new StringBuilder();
    for (char letter : String.join("", equation.terms).toCharArray()) {
      if (equation.result.indexOf(letter) < 0 && summed.indexOf(String.valueOf(letter)) < 0) {
        summed.append(letter);
      }
    }
    Strided outer = walk(equation, operands, equation.result);
    Strided inner = walk(equation, operands, summed.toString());
    boolean floating = y.dtype().isFloating();
    int count = operands.size();
    double[] sum = new double[1];
    long[] whole = new long[1];
    long[] base = new long[count];
    Strided.Body multiply =
        (j, at) -> {
          if (floating) {
            double product = 1;
            for (int o = 0; o < count; o++) {
              product *= operands.get(o).getDouble(base[o] + at[o]);
            }
            sum[0] += product;
          } else {
            long product = 1;
            for (int o = 0; o < count; o++) {
              product *= operands.get(o).getLong(base[o] + at[o]);
            }
            whole[0] += product;
          }
        };
    return () ->
        outer.forEach(
            (i, at) -> {
              System.arraycopy(at, 0, base, 0, count);
              sum[0] = 0;
              whole[0] = 0;
              inner.forEach(multiply);
              if (floating) {
                y.setDouble(i, sum[0]);
              } else {
                y.setLong(i, whole[0]);
              }
            });
  }

  /** Walks the axes of some letters over all operands. */
  private static Strided walk(Equation equation, List<Tensor> operands, String letters) {
    long[] extents = new long[letters.length()];
    long[][] strides = new long[operands.size()][letters.length()];
    Arrays.fill(extents, 1);
    for (int o = 0; o < operands.size(); o++) {
      String term = equation.terms.get(o);
      for (int axis = 0; axis < term.length(); axis++) {
        int at = letters.indexOf(term.charAt(axis));
        long extent = operands.get(o).shape().extent(axis);
        if (at >= 0 && extent != 1) {
          extents[at] = extent;
          // a letter that stands twice in a term walks the diagonal
          strides[o][at] += operands.get(o).stride(axis);
        }
      }
    }
    return new Strided(Shape.of(extents), strides, new long[operands.size()]);
  }
}
