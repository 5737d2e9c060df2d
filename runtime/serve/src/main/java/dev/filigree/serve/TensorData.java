package dev.filigree.serve;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * The elements of a tensor as JSON has them: numbers, booleans or strings, in one flat array or in
 * nested ones of its shape. They are gathered before the type is known, since JSON has no order of
 * fields.
 */
final class TensorData {
  /** Axes of a tensor at most. */
  static final int MAX_RANK = 8;

  private final String input;

  /** Extent of each level of nesting; -1 for what is not known yet. */
  private final int[] extents = new int[MAX_RANK];

  /** Level at which the elements are; -1 before the first. */
  private int level = -1;

  private int levels;
  private int count;

  /** Whole numbers, also those beyond 2^63 in their low 64 bits. */
  private long[] integers = new long[16];

  /** All numbers, once one is not whole or too large for a long. */
  private double[] reals;

  /** Strings, which only {@link TextTensor} is made of. */
  private final List<String> strings = new ArrayList<>();

  private boolean hasFraction;
  private boolean hasLarge;
  private boolean hasNegative;
  private int booleans;

  private TensorData(String input) {
    this.input = input;
    Arrays.fill(extents, -1);
  }

  /**
   * Reads an array whose start is the current token.
   *
   * @param input whose elements they are, for messages
   * @throws HttpFailure if it holds anything but numbers, booleans and strings, or arrays of
   *     unequal length
   */
  static TensorData read(String input, JsonParser parser) {
    if (parser.currentToken() != JsonToken.START_ARRAY) {
      throw HttpFailure.bad("input '" + input + "' has data that is no array; send an array");
    }
    TensorData data = new TensorData(input);
    data.read(parser, 0);
    return data;
  }

  private void read(JsonParser parser, int depth) {
    if (depth == MAX_RANK) {
      throw HttpFailure.bad(
          "input '" + input + "' nests more than " + MAX_RANK + " arrays; send its data flat");
    }
    levels = Math.max(levels, depth + 1);
    int children = 0;
    for (JsonToken token = parser.nextToken();
        token != JsonToken.END_ARRAY;
        token = parser.nextToken()) {
      boolean isArray = token == JsonToken.START_ARRAY;
      if (level >= 0 && isArray != depth < level) {
        throw uneven();
      }
      if (isArray) {
        read(parser, depth + 1);
      } else {
        level = depth;
        element(parser, token);
      }
      children++;
    }
    if (extents[depth] >= 0 && extents[depth] != children) {
      throw uneven();
    }
    extents[depth] = children;
  }

  private HttpFailure uneven() {
    return HttpFailure.bad(
        "input '" + input + "' has nested arrays of unequal length; send one for each row");
  }

  private void element(JsonParser parser, JsonToken token) {
    if (count == integers.length) {
      integers = Arrays.copyOf(integers, 2 * count);
      reals = reals == null ? null : Arrays.copyOf(reals, 2 * count);
    }
    switch (token) {
      case VALUE_TRUE, VALUE_FALSE -> {
        booleans++;
        integers[count] = token == JsonToken.VALUE_TRUE ? 1 : 0;
      }
      case VALUE_NUMBER_INT -> whole(parser);
      case VALUE_NUMBER_FLOAT -> {
        hasFraction = true;
        real(parser.getDoubleValue());
      }
      case VALUE_STRING -> strings.add(parser.getString());
      default ->
          throw HttpFailure.bad(
              "input '" + input + "' has an element that is none of number, boolean and string");
    }
    count++;
  }

  private void whole(JsonParser parser) {
    if (parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
      integers[count] = parser.getLongValue();
      hasNegative |= integers[count] < 0;
      if (reals != null) {
        reals[count] = integers[count];
      }
      return;
    }
    BigInteger large = parser.getBigIntegerValue();
    if (large.signum() < 0 || large.bitLength() > Long.SIZE) {
      hasFraction = true;
    }
    hasLarge = true;
    integers[count] = large.longValue();
    real(large.doubleValue());
  }

  private void real(double value) {
    if (reals == null) {
      reals = new double[integers.length];
      for (int i = 0; i < count; i++) {
        reals[i] = integers[i];
      }
    }
    reals[count] = value;
  }

  /**
   * The strings of a tensor of strings.
   *
   * @throws HttpFailure if there is anything else
   */
  List<String> strings() {
    if (strings.size() != count) {
      throw HttpFailure.bad(
          "input '" + input + "' has elements that are no strings; BYTES takes strings");
    }
    return strings;
  }

  /**
   * The tensor.
   *
   * @throws HttpFailure if type or shape do not fit the elements
   */
  Tensor tensor(DType type, Shape shape) {
    checkShape(shape);
    if (!strings.isEmpty()) {
      throw HttpFailure.bad(
          "input '"
              + input
              + "' has strings, which "
              + DataTypes.name(type)
              + " does not hold; send numbers, or texts as the input '"
              + TextTensor.INPUT
              + "' of datatype BYTES");
    }
    if (booleans != (type == DType.BOOL ? count : 0)) {
      throw HttpFailure.bad(
          "input '"
              + input
              + "' mixes booleans and numbers; BOOL takes true and false, the other"
              + " datatypes numbers");
    }
    Tensor tensor = Tensor.zeros(type, shape);
    if (type.isFloating()) {
      for (int i = 0; i < count; i++) {
        tensor.setDouble(i, reals == null ? integers[i] : reals[i]);
      }
      return tensor;
    }
    checkWhole(type);
    for (int i = 0; i < count; i++) {
      tensor.setLong(i, integers[i]);
      if (type != DType.U64 && tensor.getLong(i) != integers[i]) {
        throw HttpFailure.bad(
            "input '"
                + input
                + "' has "
                + integers[i]
                + ", which "
                + DataTypes.name(type)
                + " does not hold");
      }
    }
    return tensor;
  }

  private void checkShape(Shape shape) {
    if (shape.elements() != count) {
      throw HttpFailure.bad(
          "input '"
              + input
              + "' has "
              + count
              + " elements, its shape "
              + shape
              + " takes "
              + shape.elements());
    }
    if (levels > 1 && count > 0) {
      int[] nested = Arrays.copyOf(extents, levels);
      boolean same = nested.length == shape.rank();
      for (int axis = 0; same && axis < nested.length; axis++) {
        same = shape.extent(axis) == nested[axis];
      }
      if (!same) {
        throw HttpFailure.bad(
            "input '"
                + input
                + "' is nested as "
                + Arrays.toString(nested)
                + ", its shape is "
                + shape
                + "; send its data flat, or as the shape says");
      }
    }
  }

  private void checkWhole(DType type) {
    boolean fits =
        !hasFraction && (!hasLarge || type == DType.U64) && !(hasNegative && type.isUnsigned());
    if (!fits) {
      throw HttpFailure.bad(
          "input '" + input + "' has a number that " + DataTypes.name(type) + " does not hold");
    }
  }
}
