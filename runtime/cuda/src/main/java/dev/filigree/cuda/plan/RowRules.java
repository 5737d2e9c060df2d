package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.operation.Embedding;
import dev.filigree.cuda.operation.Normalization;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Broadcast;
import dev.filigree.plan.LayerPlan;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * How a plan looks rows of tables up and normalises rows. Where a normalisation alone reads what
 * was looked up, one kernel does both.
 */
final class RowRules {
  static final String NORMALIZATION = "LayerNormalization";

  private final DevicePlanner planner;
  private final DeviceState device;

  /** Normalisations that a look-up has done. */
  private final Set<Node> done = new HashSet<>();

  RowRules(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.device = device;
  }

  /**
   * Where a result goes, in each form that somebody reads.
   *
   * @param y in f16, or null
   * @param exact in f32, or null
   */
  private record Forms(DeviceTensor y, DeviceTensor exact) {
    Normalization.Results on(long arena) {
      return new Normalization.Results(
          y == null ? null : y.on(arena), exact == null ? null : exact.on(arena));
    }
  }

  private Forms define(String value) {
    boolean exact = planner.deviceType(value) == DType.F32;
    boolean rounded = !exact || planner.isReadRounded(value);
    return new Forms(
        rounded ? planner.define(value, DType.F16) : null,
        exact ? planner.define(value, DType.F32) : null);
  }

  /** A table of a look-up and where its indices are. */
  private record LookUp(Weights table, long address, DeviceTensor indices) {}

  /** Plans a look-up of up to three tables whose rows are added. */
  boolean embedding(Node node) {
    int count = dev.filigree.kernel.fused.Embedding.tables(node);
    Shape shape = planner.type(node.output()).shape();
    if (count > Embedding.MOST_TABLES || shape.rank() != 3 || shape.elements() == 0) {
      return false;
    }
    List<Weights> tables = new ArrayList<>();
    Set<DType> indexTypes = new HashSet<>();
    for (int t = 0; t < count; t++) {
      Optional<Weights> table = device.matrix(planner.graph(), node.inputs().get(2 * t));
      if (table.isEmpty()) {
        return false;
      }
      tables.add(table.get());
      indexTypes.add(planner.inputs(node).required(2 * t + 1).dtype());
    }
    if (indexTypes.size() != 1) {
      return false;
    }
    DType indexType = indexTypes.iterator().next();
    List<LookUp> lookUps = new ArrayList<>();
    long bytes = 0;
    for (int t = 0; t < count; t++) {
      Weights table = tables.get(t);
      lookUps.add(
          new LookUp(
              table,
              device.constants().table(node.inputs().get(2 * t), table),
              planner.use(node.inputs().get(2 * t + 1), indexType)));
      bytes += 2L * table.rows() * table.columns();
    }
    Optional<Node> reader =
        planner
            .onlyReader(node.output())
            .filter(only -> only.type().equals(NORMALIZATION) && norm(only).isPresent());
    Embedding.LayerNorm norm = reader.flatMap(this::norm).orElse(null);
    Forms forms = define(reader.orElse(node).output());
    long fault = planner.fault(node);
    int sequence = (int) shape.extent(1);
    Shape positions = Shape.of(shape.extent(0), sequence);
    int pitch = Rows.pitch(DType.F16, DeviceTensor.columns(shape));
    planner.launch(
        arena ->
            Embedding.sum(
                device.kernels(),
                lookUps.stream().map(each -> bound(each, positions, arena)).toList(),
                indexType,
                pitch,
                norm,
                DType.F16,
                forms.on(arena),
                sequence,
                arena + fault));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            "f16",
            norm == null ? "embedding_f16" : "embedding_normalization_f16",
            "rows of " + count + " tables, summed" + (norm == null ? "" : " and normalised"),
            bytes,
            List.of()));
    reader.ifPresent(done::add);
    return true;
  }

  private static Embedding.Table bound(LookUp lookUp, Shape positions, long arena) {
    DeviceTensor index = lookUp.indices;
    long[] steps = Broadcast.strides(index.shape(), positions);
    if (index.shape().rank() == 2 && steps[0] != 0) {
      steps[0] = index.pitch();
    }
    return new Embedding.Table(
        lookUp.address, lookUp.table.rows(), index.address(arena), steps[0], steps[1]);
  }

  /** What a normalisation of the last axis by constants takes; nothing if it is another. */
  private Optional<Embedding.LayerNorm> norm(Node node) {
    ValueType type = planner.type(node.inputs().getFirst());
    long columns = type.shape().extent(-1);
    long axis = node.intAttribute("axis", -1);
    Optional<Tensor> scale = planner.constant(node.inputs().get(1));
    Optional<Tensor> bias = node.input(2).flatMap(planner::constant);
    if (node.outputs().size() > 1
        || type.dtype() != DType.F32
        || axis != -1 && axis != type.rank() - 1
        || scale.filter(each -> each.elements() == columns).isEmpty()
        || node.input(2).isPresent() && bias.filter(each -> each.elements() == columns).isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        new Embedding.LayerNorm(
            device.constants().vector(node.inputs().get(1), scale.get()),
            bias.map(each -> device.constants().vector(node.inputs().get(2), each)).orElse(0L),
            node.floatAttribute("epsilon", 1e-5f)));
  }

  /** Plans a normalisation of rows. */
  boolean layerNormalization(Node node) {
    if (done.contains(node)) {
      return true;
    }
    Optional<Embedding.LayerNorm> norm = norm(node);
    if (norm.isEmpty()) {
      return false;
    }
    String x = node.inputs().getFirst();
    DType dtype = planner.deviceType(x);
    DeviceTensor in = planner.use(x, dtype);
    Forms forms = define(node.output());
    planner.launch(
        arena ->
            Normalization.layer(
                device.kernels(),
                in.on(arena),
                null,
                norm.get().scale(),
                norm.get().bias(),
                null,
                forms.on(arena),
                norm.get().epsilon()));
    planner.explain(node, "layer_normalization_" + dtype, "rows in registers");
    return true;
  }
}
