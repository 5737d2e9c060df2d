package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.cuda.operation.BinaryOperation;
import dev.filigree.cuda.operation.Comparison;
import dev.filigree.cuda.operation.Elementwise;
import dev.filigree.cuda.operation.Elementwise.Attributes;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.UnaryOperation;
import dev.filigree.graph.Node;
import java.util.Optional;

/** How a plan runs functions of single elements. */
final class FunctionRules {
  private static final double GREATEST_F16 = 65504;

  private final DevicePlanner planner;
  private final OperationKernels kernels;
  private final DeviceConstants constants;

  FunctionRules(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.kernels = device.kernels();
    this.constants = device.constants();
  }

  /** Plans a node; false if it is no function that the kernels know. */
  boolean plan(Node node) {
    return unary(node) || binary(node) || compare(node);
  }

  /** Plans a change of the element type. */
  boolean cast(Node node) {
    String x = node.inputs().getFirst();
    if (!planner.isComputed(x)) {
      return false;
    }
    DeviceTensor in = planner.use(x);
    DeviceTensor y = planner.define(node.output());
    planner.launch(arena -> Elementwise.cast(kernels, in.on(arena), y.on(arena)));
    planner.explain(node, "cast_" + in.dtype(), in.dtype() + " to " + y.dtype());
    return true;
  }

  private boolean unary(Node node) {
    // ONNX's own Gelu is left where it is approximated by a tanh
    Optional<UnaryOperation> operation =
        UnaryOperation.of(node.type()).filter(found -> !node.is("Gelu"));
    if (operation.isEmpty() || !planner.type(node.output()).dtype().isFloating()) {
      return false;
    }
    Optional<Attributes> attributes = attributes(operation.get(), node);
    if (attributes.isEmpty()) {
      return false;
    }
    DType dtype = planner.deviceType(node.output());
    boolean images = planner.images().lead(node);
    String x = node.inputs().getFirst();
    DeviceTensor in = images ? planner.images().use(x, dtype) : planner.use(x, dtype);
    DeviceTensor y = define(node, dtype, images);
    planner.launch(
        arena ->
            Elementwise.unary(
                kernels, operation.get(), attributes.get(), in.on(arena), y.on(arena)));
    planner.explain(node, "unary_" + y.dtype(), "element by element");
    return true;
  }

  private DeviceTensor define(Node node, DType dtype, boolean image) {
    return image
        ? planner.images().define(node.output(), dtype)
        : planner.define(node.output(), dtype);
  }

  /** An operand of a function of several, as it lies or as an image. */
  private ImagePlaces.Operand operand(Node node, int input, DType dtype, boolean image) {
    String value = node.inputs().get(input);
    return image
        ? planner.images().operand(value, dtype, planner.type(node.output()).rank())
        : planner.use(value, dtype)::view;
  }

  /** What a function takes beside its operand, with ONNX's defaults; nothing if data decides. */
  private Optional<Attributes> attributes(UnaryOperation operation, Node node) {
    return switch (operation) {
      case CLIP -> clip(node);
      case GELU ->
          // the approximation is another function
          node.textAttribute("approximate", "none").equals("none")
              ? Optional.of(Attributes.NONE)
              : Optional.empty();
      case LEAKY_RELU -> attributes(node, 0.01f, 0, 0);
      case CELU, ELU, THRESHOLDED_RELU -> attributes(node, 1, 0, 0);
      case HARD_SIGMOID -> attributes(node, 0.2f, 0.5f, 0);
      case SELU -> attributes(node, 1.67326319217681884765625f, 0, 1.05070102214813232421875f);
      case SHRINK ->
          Optional.of(
              new Attributes(
                  node.floatAttribute("bias", 0), node.floatAttribute("lambd", 0.5f), 0));
      default -> Optional.of(Attributes.NONE);
    };
  }

  private static Optional<Attributes> attributes(Node node, float alpha, float beta, float gamma) {
    return Optional.of(
        new Attributes(
            node.floatAttribute("alpha", alpha),
            node.floatAttribute("beta", beta),
            node.floatAttribute("gamma", gamma)));
  }

  /** Bounds are attributes in old operator sets and inputs in later ones. */
  private Optional<Attributes> clip(Node node) {
    Optional<Float> low = bound(node, 1, "min", Float.NEGATIVE_INFINITY);
    Optional<Float> high = bound(node, 2, "max", Float.POSITIVE_INFINITY);
    return low.isPresent() && high.isPresent()
        ? Optional.of(new Attributes(low.get(), high.get(), 0))
        : Optional.empty();
  }

  private Optional<Float> bound(Node node, int input, String attribute, float none) {
    Optional<String> name = node.input(input);
    if (name.isEmpty()) {
      return Optional.of(node.floatAttribute(attribute, none));
    }
    return planner.constant(name.get()).filter(t -> t.elements() == 1).map(FunctionRules::first);
  }

  private static float first(Tensor tensor) {
    return (float) tensor.getDouble(0);
  }

  private boolean binary(Node node) {
    Optional<BinaryOperation> operation = BinaryOperation.of(node.type());
    DType dtype = planner.deviceType(node.output());
    if (operation.isEmpty() || node.inputs().size() != 2 || !isComputable(dtype)) {
      return false;
    }
    boolean images = planner.images().lead(node);
    ImagePlaces.Operand a = operand(node, 0, dtype, images);
    ImagePlaces.Operand b = operand(node, 1, dtype, images);
    DeviceTensor y = define(node, dtype, images);
    planner.launch(
        arena ->
            Elementwise.binary(
                kernels, operation.get(), a.view(arena), b.view(arena), y.view(arena)));
    planner.explain(node, "binary_" + dtype, "element by element");
    return true;
  }

  private static boolean isComputable(DType dtype) {
    return dtype.isFloating() || dtype == DType.I32 || dtype == DType.I64;
  }

  private boolean compare(Node node) {
    Optional<Comparison> comparison = Comparison.of(node.type());
    if (comparison.isEmpty()) {
      return false;
    }
    DType dtype = planner.type(node.inputs().get(0)).dtype();
    DeviceTensor a = planner.use(node.inputs().get(0), dtype);
    DeviceTensor b = planner.use(node.inputs().get(1), dtype);
    DeviceTensor y = planner.define(node.output());
    planner.launch(
        arena ->
            Elementwise.compare(
                kernels, comparison.get(), a.view(arena), b.view(arena), y.view(arena)));
    planner.explain(node, "compare_" + dtype, "element by element");
    return true;
  }

  /**
   * One of the tensors that are chosen between. Scores are masked by the least f32 number as a
   * rule; as an infinity of f16 it would leave NaN of a row that is masked as a whole, where f32
   * gives every score the same weight.
   */
  private DeviceTensor choice(String value, DType dtype) {
    Optional<Tensor> constant =
        dtype != DType.F16 || planner.isComputed(value)
            ? Optional.empty()
            : planner.constant(value);
    if (constant.isEmpty()) {
      return planner.use(value, dtype);
    }
    Tensor inRange = Tensor.zeros(DType.F32, constant.get().shape());
    for (long i = 0; i < inRange.elements(); i++) {
      double x = constant.get().getDouble(i);
      inRange.setDouble(i, Double.isFinite(x) ? Math.clamp(x, -GREATEST_F16, GREATEST_F16) : x);
    }
    return constants.tensor(value + " in the range of f16", inRange, dtype);
  }

  /** Plans a choice between two tensors. */
  boolean where(Node node) {
    DType dtype = planner.deviceType(node.output());
    DeviceTensor condition = planner.use(node.inputs().get(0));
    DeviceTensor a = choice(node.inputs().get(1), dtype);
    DeviceTensor b = choice(node.inputs().get(2), dtype);
    DeviceTensor y = planner.define(node.output());
    planner.launch(
        arena ->
            Elementwise.where(
                kernels, condition.view(arena), a.view(arena), b.view(arena), y.view(arena)));
    planner.explain(node, "where_b" + dtype.bytes() * Byte.SIZE, "element by element");
    return true;
  }
}
