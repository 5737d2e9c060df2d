package dev.filigree.kernel.image;

import dev.filigree.graph.Node;
import java.util.Set;

/**
 * How an axis is resampled: where an element of the result lies in the input, and how the value
 * there is made. Names are those of ONNX's Resize.
 *
 * @param mode nearest, linear or cubic
 * @param coordinates how a place is found
 * @param rounding of places to the nearest element
 * @param cubic the parameter of the cubic polynomial
 * @param excludes whether weights outside the axis are left out
 * @param antialias whether the filter widens when the result is smaller
 */
record Resampling(
    String mode,
    String coordinates,
    String rounding,
    double cubic,
    boolean excludes,
    boolean antialias) {
  static Resampling of(Node node, int opset) {
    // operator set 10 and Upsample know one way only
    boolean early = opset < 11;
    Resampling resampling =
        new Resampling(
            switch (node.textAttribute("mode", "nearest")) {
              case "nearest" -> "nearest";
              case "linear", "bilinear" -> "linear";
              case "cubic" -> "cubic";
              case String other ->
                  throw node.unsupported("resizes by '" + other + "'", "use nearest or linear");
            },
            node.textAttribute(
                "coordinate_transformation_mode", early ? "asymmetric" : "half_pixel"),
            node.textAttribute("nearest_mode", early ? "floor" : "round_prefer_floor"),
            node.floatAttribute("cubic_coeff_a", -0.75f),
            node.intAttribute("exclude_outside", 0) != 0,
            node.intAttribute("antialias", 0) != 0);
    if (!COORDINATES.contains(resampling.coordinates) || !ROUNDINGS.contains(resampling.rounding)) {
      throw node.unsupported(
          "resizes by '" + resampling.coordinates + "' and '" + resampling.rounding + "'",
          "use one of " + COORDINATES + " and of " + ROUNDINGS);
    }
    return resampling;
  }

  private static final Set<String> COORDINATES =
      Set.of(
          "half_pixel",
          "half_pixel_symmetric",
          "pytorch_half_pixel",
          "align_corners",
          "asymmetric",
          "tf_half_pixel_for_nn",
          "tf_crop_and_resize");

  private static final Set<String> ROUNDINGS =
      Set.of("round_prefer_floor", "round_prefer_ceil", "floor", "ceil");

  boolean isNearest() {
    return mode.equals("nearest");
  }

  /** Whether the result shows a part of the input only. */
  boolean crops() {
    return coordinates.equals("tf_crop_and_resize");
  }

  /**
   * The taps of an axis.
   *
   * @param from extent of the input
   * @param to extent of the result
   * @param start of the shown part, where crops
   * @param end of the shown part
   */
  Taps taps(long from, long to, double scale, double start, double end) {
    Taps taps = Taps.of(to);
    for (int i = 0; i < to; i++) {
      float place = place(i, from, to, scale, start, end);
      if (from == 0 || crops() && (place < 0 || place > from - 1)) {
        continue;
      }
      switch (mode) {
        case "nearest" -> taps.single(i, (int) Math.clamp(nearest(place), 0, from - 1));
        case "linear" -> filter(taps, i, place, from, scale, 1);
        default -> filter(taps, i, place, from, scale, 2);
      }
    }
    return taps;
  }

  /** In floats, as other runtimes have it: to the nearest element a last bit makes a difference. */
  private float place(int i, long from, long to, double scale, double start, double end) {
    float ratio = (float) scale;
    float last = from - 1;
    // the extent before it is rounded down, as the conformance suite has it where an axis shrinks;
    // where it grows, the suite does not tell, and PyTorch, which exports such models, has the
    // other
    float extent = coordinates.equals("align_corners") && ratio > 1 ? to : from * ratio;
    return switch (coordinates) {
      case "half_pixel" -> (i + 0.5f) / ratio - 0.5f;
      case "half_pixel_symmetric" -> from / 2f * (1 - to / extent) + (i + 0.5f) / ratio - 0.5f;
      case "pytorch_half_pixel" -> to > 1 ? (i + 0.5f) / ratio - 0.5f : 0;
      case "align_corners" -> to == 1 ? 0 : i * last / (extent - 1);
      case "asymmetric" -> i / ratio;
      case "tf_half_pixel_for_nn" -> (i + 0.5f) / ratio;
      default ->
          to > 1
              ? (float) start * last + i * (float) (end - start) * last / (extent - 1)
              : 0.5f * (float) (start + end) * last;
    };
  }

  private double nearest(double place) {
    return switch (rounding) {
      case "round_prefer_floor" -> Math.ceil(place - 0.5);
      case "round_prefer_ceil" -> Math.floor(place + 0.5);
      case "floor" -> Math.floor(place);
      default -> Math.ceil(place);
    };
  }

  /**
   * Weights of the elements around a place.
   *
   * @param radius elements the filter reaches to either side
   */
  private void filter(Taps taps, int at, double place, long from, double scale, int radius) {
    double shrinking = antialias ? Math.min(scale, 1) : 1;
    int first = (int) Math.floor(-radius / shrinking) + 1;
    int count = 2 - 2 * first;
    double base = Math.floor(place);
    int[] elements = new int[count];
    double[] weights = new double[count];
    double total = 0;
    for (int t = 0; t < count; t++) {
      double element = base + first + t;
      double weight = weight((element - place) * shrinking, radius);
      boolean outside = element < 0 || element >= from;
      elements[t] = (int) Math.clamp(element, 0, from - 1.0);
      weights[t] = excludes && outside ? 0 : weight;
      total += weights[t];
    }
    for (int t = 0; t < count; t++) {
      weights[t] /= total;
    }
    taps.elements()[at] = elements;
    taps.weights()[at] = weights;
  }

  private double weight(double distance, int radius) {
    double d = Math.abs(distance);
    if (radius == 1) {
      return Math.max(0, 1 - d);
    }
    // R. Keys: Cubic convolution interpolation for digital image processing, 1981
    if (d <= 1) {
      return ((cubic + 2) * d - (cubic + 3)) * d * d + 1;
    }
    return d < 2 ? ((cubic * d - 5 * cubic) * d + 8 * cubic) * d - 4 * cubic : 0;
  }
}
