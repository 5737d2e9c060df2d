package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.Elementwise;
import dev.filigree.cuda.operation.Movement;
import dev.filigree.cuda.operation.View;
import dev.filigree.graph.Node;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;

/**
 * Values of a plan that lie as kernels of images want them: {@code [batch, height, width,
 * channels]} with the channels at a pitch, while the graph says {@code [batch, channels, height,
 * width]} or, of one spatial axis, {@code [batch, channels, width]}. A value may lie in rows too;
 * what is read in the other form is moved once.
 */
final class ImagePlaces {
  /** Axes of the graph's order in the order of images. */
  private static final int[] TO_IMAGE = {0, 2, 3, 1};

  private static final int[] TO_ROWS = {0, 3, 1, 2};

  private final DevicePlanner planner;
  private final DeviceState device;
  private final Map<String, Map<DType, DeviceTensor>> places = new HashMap<>();

  ImagePlaces(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.device = device;
  }

  /** Whether a value lies as an image. */
  boolean has(String value) {
    return places.containsKey(value);
  }

  /** Whether values of a shape can. */
  static boolean fits(Shape shape) {
    return (shape.rank() == 3 || shape.rank() == 4) && shape.elements() > 0;
  }

  /** Shape in the graph's order with two spatial axes. */
  private static Shape planes(Shape shape) {
    return shape.rank() == 4
        ? shape
        : Shape.of(shape.extent(0), shape.extent(1), 1, shape.extent(2));
  }

  /** A shape of the graph in the order of images. */
  static Shape image(Shape shape) {
    Shape planes = planes(shape);
    return Shape.of(planes.extent(0), planes.extent(2), planes.extent(3), planes.extent(1));
  }

  /** The axis of an image that is an axis of a value of a rank. */
  static int axis(int axis, int rank) {
    int ofPlanes = rank == 3 && axis == 2 ? 3 : axis;
    return ofPlanes == 0 ? 0 : ofPlanes == 1 ? 3 : ofPlanes - 1;
  }

  /**
   * Whether a node of single elements should compute images: it reads one that lies nowhere else,
   * and everything else it reads broadcasts to it.
   */
  boolean lead(Node node) {
    int rank = planner.type(node.output()).rank();
    return fits(planner.type(node.output()).shape())
        && node.inputs().stream().anyMatch(value -> has(value) && !planner.isInRows(value))
        && node.inputs().stream()
            .filter(planner::isComputed)
            .allMatch(value -> planner.type(value).rank() == rank);
  }

  /** Memory for a value that the next step makes. */
  DeviceTensor define(String value, DType dtype) {
    DeviceTensor tensor = planner.temporary(dtype, image(planner.type(value).shape()));
    places.computeIfAbsent(value, unused -> new EnumMap<>(DType.class)).put(dtype, tensor);
    return tensor;
  }

  /** A computed value, moved or converted by steps of their own if need be. */
  DeviceTensor use(String value, DType dtype) {
    Map<DType, DeviceTensor> known = places.getOrDefault(value, Map.of());
    DeviceTensor place = known.get(dtype);
    if (place == null && !known.isEmpty()) {
      DeviceTensor other = known.values().iterator().next();
      place = define(value, dtype);
      DeviceTensor converted = place;
      planner.before(
          other, arena -> Elementwise.cast(device.kernels(), other.on(arena), converted.on(arena)));
    } else if (place == null) {
      DeviceTensor rows = planner.use(value, dtype);
      place = define(value, dtype);
      DeviceTensor moved = place;
      planner.before(
          rows,
          arena ->
              Movement.copy(
                  device.kernels(), permuted(rows, arena), moved.view(arena), moved.pitch()));
    }
    return planner.keep(place);
  }

  /** A value in rows, once it lies as an image: moved by a step of its own. */
  DeviceTensor rows(String value, DType dtype) {
    DeviceTensor image = use(value, dtype);
    DeviceTensor rows = planner.define(value, dtype);
    Shape planes = planes(rows.shape());
    planner.before(
        image,
        arena ->
            Movement.copy(
                device.kernels(),
                image.view(arena).permute(TO_ROWS),
                rows.as(planes, rows.pitch()).view(arena),
                rows.pitch()));
    return rows;
  }

  /** An operand of a node of single elements, of an arena's address. */
  @FunctionalInterface
  interface Operand {
    View view(long arena);
  }

  /** An operand that broadcasts to an image. */
  Operand operand(String value, DType dtype, int rank) {
    if (planner.isComputed(value)) {
      DeviceTensor image = use(value, dtype);
      return image::view;
    }
    DeviceTensor constant = planner.use(value, dtype);
    long[] extents = new long[rank];
    int missing = rank - constant.shape().rank();
    for (int axis = 0; axis < rank; axis++) {
      extents[axis] = axis < missing ? 1 : constant.shape().extent(axis - missing);
    }
    DeviceTensor whole = constant.as(Shape.of(extents), constant.pitch());
    return arena -> permuted(whole, arena);
  }

  private static View permuted(DeviceTensor rows, long arena) {
    return rows.as(planes(rows.shape()), rows.pitch()).view(arena).permute(TO_IMAGE);
  }
}
