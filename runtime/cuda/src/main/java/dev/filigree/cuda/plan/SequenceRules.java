package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.cuda.operation.CachedAttention;
import dev.filigree.cuda.operation.Gate;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.Normalization;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Gated;
import dev.filigree.kernel.fused.LastToken;
import dev.filigree.kernel.fused.RootMeanSquare;
import java.util.List;

/** How a plan runs the operators of decoders. */
final class SequenceRules {
  private final DevicePlanner planner;
  private final DeviceState device;
  private final CachedAttention.State state;

  /**
   * Rules.
   *
   * @param state of the runs; null where the graph is no decoder's
   */
  SequenceRules(DevicePlanner planner, DeviceState device, CachedAttention.State state) {
    this.planner = planner;
    this.device = device;
    this.state = state;
  }

  /** Plans a node; false if it is none of a decoder. */
  boolean plan(Node node) {
    return switch (node.type()) {
      case RootMeanSquare.TYPE -> rootMeanSquare(node);
      case Gated.TYPE -> gated(node);
      case LastToken.TYPE -> state != null && lastToken(node);
      case dev.filigree.kernel.fused.CachedAttention.TYPE -> state != null && attention(node);
      default -> false;
    };
  }

  private long vector(String name) {
    return device.constants().vector(name, planner.constant(name).orElseThrow());
  }

  private boolean rootMeanSquare(Node node) {
    String x = node.inputs().getFirst();
    DType dtype = planner.deviceType(x);
    DeviceTensor in = planner.use(x, dtype);
    DeviceTensor y = planner.define(node.output(), DType.F16);
    long scale = vector(node.inputs().get(1));
    boolean exact = dtype == DType.F32;
    planner.launch(
        arena ->
            Normalization.rms(
                device.kernels(),
                in.on(arena),
                null,
                scale,
                0,
                null,
                new Normalization.Results(y.on(arena), null),
                RootMeanSquare.epsilon(node)));
    planner.explain(node, "rms_normalization_" + dtype, exact ? "of the f32 stream" : "in rows");
    return true;
  }

  private boolean gated(Node node) {
    DeviceTensor gate = planner.use(node.inputs().get(0), DType.F16);
    DeviceTensor x = planner.use(node.inputs().get(1), DType.F16);
    DeviceTensor y = planner.define(node.output(), DType.F16);
    planner.launch(
        arena ->
            Gate.gated(
                device.kernels(),
                Gated.activation(node),
                gate.on(arena),
                x.on(arena),
                y.on(arena)));
    planner.explain(node, "gated_f16", "element by element, in f32");
    return true;
  }

  private boolean lastToken(Node node) {
    String x = node.inputs().getFirst();
    DType dtype = planner.deviceType(node.output());
    DeviceTensor in = planner.use(x, dtype);
    DeviceTensor y = planner.define(node.output(), dtype);
    planner.launch(
        arena -> CachedAttention.lastToken(device.kernels(), state, in.on(arena), y.on(arena)));
    planner.explain(
        node,
        "last_token_b" + dtype.bytes() * Byte.SIZE,
        "the only one whose successor is asked for");
    return true;
  }

  private boolean attention(Node node) {
    dev.filigree.kernel.fused.CachedAttention.Form wanted =
        dev.filigree.kernel.fused.CachedAttention.Form.of(node);
    int heads = wanted.heads();
    int keyHeads = wanted.keyHeads();
    int norms = dev.filigree.kernel.fused.CachedAttention.NORMS;
    boolean normalised = node.input(norms).isPresent();
    DeviceTensor q = planner.use(node.inputs().get(0), DType.F16);
    DeviceTensor k = planner.use(node.inputs().get(1), DType.F16);
    DeviceTensor v = planner.use(node.inputs().get(2), DType.F16);
    CachedAttention.Form form =
        new CachedAttention.Form(
            wanted.layer(),
            heads,
            keyHeads,
            q.columns() / heads,
            wanted.window(),
            normalised ? vector(node.inputs().get(norms)) : 0,
            normalised ? vector(node.inputs().get(norms + 1)) : 0,
            wanted.epsilon());
    DeviceTensor y = planner.define(node.output(), DType.F16);
    planner.add(
        new DeviceStep.OnDevice(
            arena -> {
              List<Launch> launches =
                  CachedAttention.attend(
                      device.kernels(),
                      form,
                      state,
                      q.on(arena),
                      k.on(arena),
                      v.on(arena),
                      y.on(arena));
              return stream -> launches.forEach(launch -> launch.into(stream));
            }));
    planner.explain(
        node,
        "cached_attention_f16",
        heads
            + " heads over "
            + keyHeads
            + " of keys, cached in pages of "
            + CachedAttention.PAGE
            + " tokens"
            + (form.window() == 0 ? "" : ", over a window of " + form.window()));
    return true;
  }
}
