package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.layout.ConvolutionWeights;
import dev.filigree.cuda.operation.Convolution.Direct;
import dev.filigree.cuda.operation.Convolution.Geometry;
import dev.filigree.cuda.operation.ImageQuantization;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Window;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.window.Conv;
import dev.filigree.kernel.window.ConvTranspose;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.plan.LayerPlan;
import dev.filigree.weights.Weights;
import java.util.List;
import java.util.Optional;

/**
 * How a plan runs convolutions: those of one pixel as linear layers, those without groups on tensor
 * cores, the rest directly.
 */
final class ConvolutionRules {
  private final DevicePlanner planner;
  private final DeviceState device;

  ConvolutionRules(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.device = device;
  }

  /** What all of them take beside weights. */
  private record Call(
      Node node, Geometry geometry, int groups, long bias, Activation activation, String residual) {
    LinearEpilogue epilogue(DeviceTensor added, long arena) {
      return new LinearEpilogue(bias, added == null ? null : added.on(arena), activation);
    }
  }

  /** Plans a node; false if the device has no kernel for it. */
  boolean plan(Node node) {
    if (node.isFused(Convolution.TYPE)) {
      return convolution(node);
    }
    return node.is("ConvTranspose") && transposed(node);
  }

  private boolean isImage(String value) {
    ValueType type = planner.type(value);
    return type.dtype() == DType.F32 && ImagePlaces.fits(type.shape()) && planner.isComputed(value);
  }

  private long bias(Node node) {
    return node.input(Convolution.BIAS)
        .map(name -> device.constants().vector(name, planner.constant(name).orElseThrow()))
        .orElse(0L);
  }

  private boolean convolution(Node node) {
    String x = node.inputs().getFirst();
    Optional<Weights> weights =
        device.matrix(planner.graph(), node.inputs().get(Convolution.WEIGHTS));
    if (weights.isEmpty()
        || !isImage(x)
        || !ImagePlaces.fits(planner.type(node.output()).shape())) {
      return false;
    }
    Call call =
        new Call(
            node,
            geometry(node, planner.type(x), planner.type(node.output())),
            Math.toIntExact(Conv.group(node)),
            bias(node),
            Convolution.activation(node),
            node.input(Convolution.RESIDUAL).orElse(null));
    Shape image = ImagePlaces.image(planner.type(x).shape());
    int pitchBytes = 2 * (int) image.extent(3) + 32;
    boolean fits =
        dev.filigree.cuda.operation.Convolution.fitsPatches(
            call.geometry, image.extent(0), pitchBytes);
    if (call.groups == 1 && isPointwise(call.geometry) && !device.convolutions().isAskedFor()) {
      return pointwise(call, weights.get());
    }
    if (call.groups == 1 && fits) {
      patches(call, weights.get());
    } else {
      direct(call, weights.get());
    }
    return true;
  }

  private static Geometry geometry(Node node, ValueType x, ValueType y) {
    long[] kernel =
        node.intsAttribute("kernel_shape").orElseThrow().stream().mapToLong(k -> k).toArray();
    Window window = Sliding2d.window(dev.filigree.kernel.window.Window.of(node, kernel, x));
    return new Geometry(window, Sliding2d.extent(x.shape()), Sliding2d.extent(y.shape()));
  }

  private static boolean isPointwise(Geometry geometry) {
    Extent one = new Extent(1, 1);
    Window window = geometry.window();
    return window.size().equals(one)
        && window.stride().equals(one)
        && window.padding().equals(new Extent(0, 0))
        && geometry.image().equals(geometry.result());
  }

  private DeviceTensor residual(Call call, DType dtype) {
    return call.residual == null ? null : planner.images().use(call.residual, dtype);
  }

  /** A window of one pixel is a linear layer over the channels, with all candidates of such. */
  private boolean pointwise(Call call, Weights weights) {
    Node node = call.node;
    String x = node.inputs().getFirst();
    Shape image = ImagePlaces.image(planner.type(x).shape());
    int tokens = Math.toIntExact(image.elements() / image.extent(3));
    LinearLayer layer = new LinearLayer(node.name(), weights, tokens, false);
    LayerChoice<LinearOption> choice = device.dispatch().choose(layer);
    LinearOption option = choice.option();
    DeviceWeights loaded = device.dispatch().weights(layer, option);
    DeviceTensor in = planner.images().use(x, DType.F16);
    DeviceTensor added = residual(call, DType.F16);
    DeviceTensor y = planner.images().define(node.output(), DType.F16);
    long workspaceBytes = option.workspaceBytes(device, loaded);
    DeviceTensor workspace = workspaceBytes == 0 ? null : planner.bytes(workspaceBytes);
    planner.sums().need(option);
    planner.add(
        new DeviceStep.OnDevice(
            arena ->
                option.bind(
                    device,
                    loaded,
                    new LinearOption.Operands(
                        in.on(arena),
                        0,
                        call.bias,
                        call.activation,
                        added == null ? null : added.on(arena),
                        y.on(arena),
                        workspace == null ? 0 : workspace.address(arena),
                        planner.sums().address(arena, option)))));
    planner.choice(new LinearLayer.Planned(layer, option));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            weights.format(),
            option.name(),
            device.dispatch().reason(layer, choice) + "; a window of one pixel is a linear layer",
            loaded.bytes(),
            choice.candidates()));
    return true;
  }

  private void patches(Call call, Weights weights) {
    Node node = call.node;
    String x = node.inputs().getFirst();
    Shape image = ImagePlaces.image(planner.type(x).shape());
    int batch = Math.toIntExact(image.extent(0));
    ConvolutionLayer layer = new ConvolutionLayer(node.name(), weights, call.geometry, batch);
    int tokens = layer.tokens();
    LayerChoice<ConvolutionOption> choice = device.convolutions().choose(layer);
    ConvolutionOption option = choice.option();
    DeviceWeights loaded = device.convolutions().weights(layer, option);
    DeviceTensor exact = planner.images().use(x, DType.F16);
    boolean rounded = option.activation() == ActivationType.I8;
    DeviceTensor scales = rounded ? planner.temporary(DType.F32, Shape.of(tokens)) : null;
    DeviceTensor in = rounded ? rounded(exact, scales, batch, tokens / batch) : exact;
    planner.keep(in);
    if (rounded) {
      planner.keep(scales);
    }
    DeviceTensor added = residual(call, DType.F16);
    DeviceTensor y = planner.images().define(node.output(), DType.F16);
    planner.sums().need(option);
    planner.add(
        new DeviceStep.OnDevice(
            arena ->
                option.bind(
                    device,
                    loaded,
                    new ConvolutionOption.Operands(
                        call.geometry,
                        in.on(arena),
                        scales == null ? 0 : scales.address(arena),
                        call.epilogue(added, arena),
                        y.on(arena),
                        planner.sums().address(arena, option)))));
    planner.choice(new ConvolutionLayer.Planned(layer, option));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            weights.format(),
            option.name(),
            device.convolutions().reason(layer, choice),
            loaded.bytes(),
            choice.candidates()));
  }

  /** Images rounded to 8 bits, with a scale of each for all pixels that are made of it. */
  private DeviceTensor rounded(DeviceTensor exact, DeviceTensor scales, int batch, int outPixels) {
    DeviceTensor magnitudes = planner.temporary(DType.F32, Shape.of(batch));
    DeviceTensor codes = planner.temporary(DType.I8, exact.shape());
    planner.keep(magnitudes);
    planner.keep(codes);
    planner.keep(scales);
    planner.add(
        new DeviceStep.OnDevice(
            arena -> {
              List<Launch> launches =
                  ImageQuantization.quantize(
                      device.kernels(),
                      batch,
                      exact.on(arena),
                      magnitudes.address(arena),
                      codes.on(arena),
                      scales.address(arena),
                      outPixels);
              return stream -> {
                stream.fill(magnitudes.address(arena), (long) batch * Float.BYTES, (byte) 0);
                launches.forEach(launch -> launch.into(stream));
              };
            }));
    return codes;
  }

  /** Without tensor cores; in f16, which is cast where f32 is wanted. */
  private void direct(Call call, Weights weights) {
    Node node = call.node;
    Shape x = planner.type(node.inputs().getFirst()).shape();
    Shape y = planner.type(node.output()).shape();
    boolean depthwise = call.groups == x.extent(1) && call.groups == y.extent(1);
    direct(
        call,
        weights,
        depthwise ? Direct.DEPTHWISE : Direct.GROUPED,
        depthwise
            ? "a channel for each output, in eights of channels"
            : call.groups
                + " groups of "
                + x.extent(1) / call.groups
                + " channels stay dense and off the tensor cores");
  }

  private void direct(Call call, Weights weights, Direct kernel, String reason) {
    Node node = call.node;
    DeviceWeights loaded =
        device.convolutions().direct(weights, call.geometry.taps(), kernel.kernel());
    DeviceTensor in = planner.images().use(node.inputs().getFirst(), DType.F16);
    DeviceTensor added = residual(call, DType.F16);
    DeviceTensor y = planner.images().define(node.output(), DType.F16);
    planner.launch(
        arena ->
            dev.filigree.cuda.operation.Convolution.direct(
                device.kernels(),
                kernel,
                call.groups,
                call.geometry,
                loaded.address("w"),
                in.on(arena),
                call.epilogue(added, arena),
                y.on(arena)));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            "f16",
            kernel.kernel() + "_f16",
            reason,
            loaded.bytes(),
            List.of()));
  }

  private boolean transposed(Node node) {
    String x = node.inputs().getFirst();
    String w = node.inputs().get(1);
    if (!isImage(x)
        || !ImagePlaces.fits(planner.type(node.output()).shape())
        || !(planner.graph().constants().get(w) instanceof Constant.Plain(Tensor tensor))
        || tensor.dtype() != DType.F32
        || tensor.shape().rank() != planner.type(x).rank()
        || node.input(Convolution.BIAS).isPresent()
            && planner.constant(node.inputs().get(Convolution.BIAS)).isEmpty()) {
      return false;
    }
    int groups = Math.toIntExact(Conv.group(node));
    ValueType type = planner.type(x);
    ValueType y = planner.type(node.output());
    Window window = Sliding2d.window(ConvTranspose.window(node, type, ValueType.of(tensor), y));
    Geometry geometry =
        new Geometry(window, Sliding2d.extent(type.shape()), Sliding2d.extent(y.shape()));
    Call call = new Call(node, geometry, groups, bias(node), Activation.NONE, null);
    Weights rows = device.rows(w, () -> ConvolutionWeights.transposed(tensor, groups));
    direct(call, rows, Direct.TRANSPOSED, "each element gathers what windows bring to it");
    return true;
  }
}
