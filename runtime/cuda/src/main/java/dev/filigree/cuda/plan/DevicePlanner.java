package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.cuda.operation.CachedAttention;
import dev.filigree.cuda.operation.Elementwise;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.Movement;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ShapeRule;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import dev.filigree.plan.Arenas;
import dev.filigree.plan.Buffer;
import dev.filigree.plan.Folding;
import dev.filigree.plan.LayerPlan;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Makes a device plan out of a graph and the shapes of its inputs. What follows from shapes and
 * constants alone is computed now; every other node becomes launches, or an operator that runs in
 * the process where the device has no kernel for it. Floats are f16 on the device, except where
 * {@link Precision} says that they must stay f32.
 */
final class DevicePlanner {
  /** The kernel of what the device has none for. */
  static final String ON_HOST = "cpu reference";

  /** What kernels count in 32 bits with a sign. */
  private static final String TOO_MANY =
      "more rows, columns or tiles than the 2147483647 that kernels of the CUDA device count";

  private static final String SMALLER = "run smaller batches, or this model on the CPU";

  private final Graph graph;
  private final DeviceState device;
  private final Map<String, ValueType> types;
  private final Precision precision;
  private final Folding folding;
  private final Map<String, Map<DType, DeviceTensor>> places = new HashMap<>();
  private final ImagePlaces images;
  private final List<Buffer> buffers = new ArrayList<>();

  /** Buffers that the step added next reads. */
  private final List<Buffer> pending = new ArrayList<>();

  private final SharedSums sums = new SharedSums();
  private final List<DeviceStep> steps = new ArrayList<>();
  private final List<LayerPlan> layers = new ArrayList<>();
  private final List<PlannedLayer> choices = new ArrayList<>();
  private final List<DevicePlan.LookUp> faults = new ArrayList<>();

  private DevicePlanner(Graph graph, DeviceState device, Folding folding) {
    this.graph = graph;
    this.device = device;
    this.folding = folding;
    this.types = folding.types();
    this.precision = new Precision(graph);
    this.images = new ImagePlaces(this, device);
  }

  /**
   * Plans a graph.
   *
   * @param shapes of all inputs
   * @return nothing if some shape follows from data, so that only the interpreter can run the graph
   */
  static Optional<DevicePlan> plan(Graph graph, Map<String, Shape> shapes, DeviceState device) {
    return plan(graph, shapes, device, null);
  }

  /**
   * Plans a graph, a decoder's if there is a state.
   *
   * @param state of the decoder's runs, or null
   */
  static Optional<DevicePlan> plan(
      Graph graph, Map<String, Shape> shapes, DeviceState device, CachedAttention.State state) {
    return Folding.of(graph, shapes)
        .map(folding -> new DevicePlanner(graph, device, folding).plan(state));
  }

  private DevicePlan plan(CachedAttention.State state) {
    // the words of look-ups are at the start of the arena, in every workspace, then shared sums
    Buffer words = new Buffer((long) graph.nodes().size() * Long.BYTES, -1);
    words.needUntil(Integer.MAX_VALUE);
    List<DeviceTensor> inputs = new ArrayList<>();
    for (ValueInfo input : graph.inputs()) {
      DeviceTensor place = input(input.name());
      place.buffer().needFromStart();
      inputs.add(place);
    }
    OperatorRules rules = new OperatorRules(this, device, state);
    for (Node node : graph.nodes()) {
      if (!folding.fold(node)) {
        plan(node, rules);
      }
    }
    List<DevicePlan.Output> outputs = new ArrayList<>();
    for (ValueInfo info : graph.outputs()) {
      outputs.add(output(info));
    }
    sums.placeAt(Arenas.aligned(words.bytes()));
    long first = sums.offset() + sums.bytes();
    long bytes = Arenas.place(buffers);
    List<Buffer> moved = buffers;
    for (Buffer buffer : moved) {
      buffer.placeAt(buffer.offset() + first);
    }
    return new DevicePlan(inputs, outputs, steps, first + bytes, sums, faults, layers, choices);
  }

  private DeviceTensor input(String name) {
    try {
      return define(name, deviceType(name));
    } catch (ArithmeticException tooLarge) {
      throw new UnsupportedException(
          "input '" + name + "' of shape " + types.get(name).shape() + " has " + TOO_MANY, SMALLER);
    }
  }

  private void plan(Node node, OperatorRules rules) {
    try {
      if (!rules.plan(node)) {
        onHost(node);
      }
    } catch (ArithmeticException tooLarge) {
      throw node.unsupported("has " + TOO_MANY, SMALLER);
    }
  }

  private DevicePlan.Output output(ValueInfo info) {
    Optional<Tensor> constant = constant(info.name());
    if (constant.isPresent()) {
      return new DevicePlan.Output(info, null, constant.get());
    }
    // f16 is widened on the device: the copy to the process is then one of bytes
    DeviceTensor place = use(info.name(), info.dtype());
    place.buffer().needUntil(Integer.MAX_VALUE);
    return new DevicePlan.Output(info, place, null);
  }

  Graph graph() {
    return graph;
  }

  ValueType type(String value) {
    return types.get(value);
  }

  /** A constant of the graph or of this plan, in plain form. */
  Optional<Tensor> constant(String value) {
    return folding.constant(value);
  }

  /** What is known of a node's inputs. */
  ShapeRule.Inputs inputs(Node node) {
    Map<String, ValueType> known = new HashMap<>();
    for (String input : node.inputs()) {
      if (!input.isEmpty()) {
        known.put(input, constant(input).map(ValueType::of).orElseGet(() -> types.get(input)));
      }
    }
    return new ShapeInference.Known(node, graph.opset(), known);
  }

  /** The node that reads a value, if it is the only one and the value is no output. */
  Optional<Node> onlyReader(String value) {
    List<Node> readers =
        graph.nodes().stream().filter(node -> node.inputs().contains(value)).toList();
    boolean leaves = graph.outputs().stream().anyMatch(output -> output.name().equals(value));
    return readers.size() == 1 && !leaves ? Optional.of(readers.getFirst()) : Optional.empty();
  }

  /** Whether somebody reads a value in f16 although it is kept in f32. */
  boolean isReadRounded(String value) {
    return precision.isReadRounded(value);
  }

  /** Whether a value is on the device, as opposed to a constant. */
  boolean isComputed(String value) {
    return places.containsKey(value) || images.has(value);
  }

  /** Whether a value lies in rows on the device. */
  boolean isInRows(String value) {
    return places.containsKey(value);
  }

  /** Values that lie as images. */
  ImagePlaces images() {
    return images;
  }

  /** The element type a value has on the device. */
  DType deviceType(String value) {
    DType dtype = types.get(value).dtype();
    return dtype == DType.F32 && !precision.isExact(value) ? DType.F16 : dtype;
  }

  /** Memory for a value that the next step makes. */
  DeviceTensor define(String value) {
    return define(value, deviceType(value));
  }

  /** Memory for a value in an element type that the next step makes. */
  DeviceTensor define(String value, DType dtype) {
    DeviceTensor tensor = temporary(dtype, types.get(value).shape());
    places.computeIfAbsent(value, unused -> new EnumMap<>(DType.class)).put(dtype, tensor);
    return tensor;
  }

  /** Lets a value share the memory of another. */
  void alias(String value, DeviceTensor tensor) {
    places.computeIfAbsent(value, unused -> new EnumMap<>(DType.class)).put(tensor.dtype(), tensor);
  }

  /** Memory without a name in the graph that the next step makes. */
  DeviceTensor temporary(DType dtype, Shape shape) {
    return temporary(dtype, shape, Rows.pitch(dtype, DeviceTensor.columns(shape)));
  }

  DeviceTensor temporary(DType dtype, Shape shape, int pitch) {
    Buffer buffer = buffer(DeviceTensor.bytes(dtype, shape, pitch));
    DeviceTensor tensor = new DeviceTensor(dtype, shape, pitch, buffer, 0);
    Math.toIntExact(tensor.rows());
    return tensor;
  }

  /** Memory for tiles that blocks share, of all steps. */
  SharedSums sums() {
    return sums;
  }

  /** Memory of some bytes that the next step makes. */
  DeviceTensor bytes(long count) {
    return temporary(DType.U8, Shape.of(count), Rows.pitch(DType.U8, Math.toIntExact(count)));
  }

  /** Memory that the next step makes. */
  Buffer buffer(long bytes) {
    Buffer buffer = new Buffer(Math.max(1, bytes), steps.size());
    buffers.add(buffer);
    return buffer;
  }

  /** Keeps memory for the step that is added next. */
  DeviceTensor keep(DeviceTensor tensor) {
    if (tensor.buffer() != null) {
      pending.add(tensor.buffer());
    }
    return tensor;
  }

  /** A value in its own element type. */
  DeviceTensor use(String value) {
    return use(value, deviceType(value));
  }

  /**
   * A value in an element type, converted by a step of its own if need be, kept until the step that
   * is added next.
   */
  DeviceTensor use(String value, DType dtype) {
    Map<DType, DeviceTensor> known = places.get(value);
    if (known == null && images.has(value)) {
      return keep(images.rows(value, dtype));
    }
    if (known == null) {
      Tensor tensor = constant(value).orElseGet(() -> graph.constants().get(value).toTensor());
      return device.constants().tensor(tensor, dtype);
    }
    DeviceTensor place = known.get(dtype);
    if (place == null) {
      DeviceTensor other = known.values().iterator().next();
      DeviceTensor converted = define(value, dtype);
      before(
          other, arena -> Elementwise.cast(device.kernels(), other.on(arena), converted.on(arena)));
      place = converted;
    }
    return keep(place);
  }

  /** The same elements in row-major order under another shape, moved if rows change. */
  DeviceTensor reshaped(DeviceTensor from, Shape shape) {
    int pitch = Rows.pitch(from.dtype(), DeviceTensor.columns(shape));
    boolean sameRows = DeviceTensor.columns(shape) == from.columns();
    if (sameRows || from.isContiguous() && pitch == DeviceTensor.columns(shape)) {
      return keep(from.as(shape, sameRows ? from.pitch() : pitch));
    }
    DeviceTensor flat = from;
    if (!from.isContiguous()) {
      flat = copied(from, from.as(from.shape(), from.columns()));
    }
    return keep(copied(flat.as(shape, DeviceTensor.columns(shape)), from.as(shape, pitch)));
  }

  private DeviceTensor copied(DeviceTensor from, DeviceTensor form) {
    keep(from);
    DeviceTensor to = temporary(form.dtype(), form.shape(), form.pitch());
    launch(
        arena -> Movement.copy(device.kernels(), from.view(arena), to.view(arena), form.pitch()));
    return to;
  }

  /** Makes a launch for an arena. */
  @FunctionalInterface
  interface LaunchBinder {
    Launch bind(long arena);
  }

  /**
   * Adds a launch that reads one tensor alone, in front of the step whose operands are gathered.
   */
  void before(DeviceTensor from, LaunchBinder binder) {
    if (from.buffer() != null) {
      from.buffer().needUntil(steps.size());
    }
    steps.add(new DeviceStep.OnDevice(arena -> binder.bind(arena)::into));
  }

  /** Adds a launch that reads all that was used since the last step. */
  void launch(LaunchBinder binder) {
    add(new DeviceStep.OnDevice(arena -> binder.bind(arena)::into));
  }

  /** Adds a step that reads all that was used since the last one. */
  void add(DeviceStep step) {
    pending.forEach(buffer -> buffer.needUntil(steps.size()));
    pending.clear();
    steps.add(step);
  }

  /** A word that receives the position of an index out of range; its offset in the arena. */
  long fault(Node node) {
    return fault(
        node,
        "takes a row out of range",
        "pass indices within the table; token ids must come from the model's own tokenizer");
  }

  /** The same with words of its own, see {@link DevicePlan.LookUp}. */
  long fault(Node node, String problem, String remedy) {
    faults.add(new DevicePlan.LookUp(node, problem, remedy));
    return (faults.size() - 1L) * Long.BYTES;
  }

  /** Notes a layer that could run in several ways. */
  void choice(PlannedLayer layer) {
    choices.add(layer);
  }

  void explain(LayerPlan layer) {
    layers.add(layer);
  }

  /** Explains a node without a choice of kernels. */
  void explain(Node node, String kernel, String reason) {
    String value = node.output();
    explain(
        new LayerPlan(
            node.name(),
            node.type(),
            deviceType(value) + types.get(value).shape().toString(),
            kernel,
            reason,
            0,
            List.of()));
  }

  private void onHost(Node node) {
    long bytes = 0;
    List<DeviceStep.HostOperand> operands = new ArrayList<>();
    for (String input : node.inputs()) {
      if (input.isEmpty()) {
        operands.add(null);
      } else if (isComputed(input)) {
        DeviceTensor place = use(input);
        bytes += place.bytes();
        operands.add(new DeviceStep.HostOperand(place, null));
      } else {
        Tensor tensor =
            constant(input).orElseGet(() -> graph.constants().get(input).toTensor()).contiguous();
        operands.add(new DeviceStep.HostOperand(null, tensor));
      }
    }
    List<DeviceStep.HostOperand> results = new ArrayList<>();
    for (String output : node.outputs()) {
      DeviceTensor place = output.isEmpty() ? null : define(output);
      results.add(place == null ? null : new DeviceStep.HostOperand(place, null));
      bytes += place == null ? 0 : place.bytes();
    }
    add(new DeviceStep.OnHost(node, operands, results));
    explain(
        new LayerPlan(
            node.name(),
            node.type(),
            node.outputs().stream()
                .filter(output -> !output.isEmpty())
                .map(output -> types.get(output).toString())
                .findFirst()
                .orElse(""),
            ON_HOST,
            "the device has no kernel for it: "
                + bytes
                + " bytes are copied between device and process",
            0,
            List.of()));
  }
}
