package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Rotary;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** Attention over whole sequences and what turns its queries and keys, and how a plan runs them. */
final class AttentionRules {
  private final Planner planner;
  private final Kernels kernels;

  /** Forms of values that all layers share. */
  private final Map<String, Slot> forms = new HashMap<>();

  AttentionRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans attention; false if its operands are no matrices of f32. */
  boolean attend(Node node) {
    for (int i = 0; i < 3; i++) {
      if (!planner.isMatrix(node.inputs().get(i))) {
        return false;
      }
    }
    Slot q = planner.use(node.inputs().get(0), Layout.PANELS);
    Slot k = planner.use(node.inputs().get(1), Layout.PANELS);
    Slot v = planner.use(node.inputs().get(2), Layout.PANELS);
    Attention.Form form = Attention.form(node);
    int batch = (int) q.shape().extent(0);
    int queries = (int) q.shape().extent(1);
    int keys = (int) k.shape().extent(1);
    if (q.isRagged() && !planner.isOfRows(batch, queries, keys)) {
      planner.refuseRagged();
    }
    Optional<Mask> mask =
        node.input(Attention.MASK)
            .map(name -> mask(name, Shape.of(batch, form.heads(), queries, keys)));
    // making the mask may have added a step
    for (int i = 0; i < 3; i++) {
      planner.use(node.inputs().get(i), Layout.PANELS);
    }
    Slot y = planner.define(node.output(), Layout.PANELS);
    Function<MemorySegment, AttentionCall> operands =
        memory ->
            new AttentionCall(
                memory,
                q.panels(),
                k.panels(),
                q.offset(),
                k.offset(),
                v.offset(),
                y.offset(),
                mask.map(found -> found.slot.offset()).orElse(-1L),
                mask.map(Mask::steps).orElse(new long[4]),
                form,
                q.features() / form.heads(),
                0,
                queries,
                keys);
    AttentionCall sizes = operands.apply(MemorySegment.NULL);
    planner.add(
        new PanelSteps.Attention(
            kernels,
            operands,
            batch,
            form.heads(),
            q.isRagged(),
            kernels.attentionScratch(sizes),
            kernels.attentionBytes(sizes)));
    planner.explain(node, Layout.PANELS, "each head in cache, " + form.heads() + " heads");
    return true;
  }

  /** A mask in memory, and the elements to step in it along batch, head, query and key. */
  private record Mask(Slot slot, long[] steps) {}

  private Mask mask(String name, Shape scores) {
    Shape shape = planner.type(name).shape();
    long[] steps = Broadcast.strides(shape, scores);
    if (steps[2] == 0) {
      return new Mask(planner.use(name, Layout.ROWS), steps);
    }
    Shape turned = TurnMaskStep.turned(shape, scores);
    Slot slot =
        shared(
            "mask " + name,
            () -> {
              Slot rows = planner.use(name, Layout.ROWS);
              Slot columns = planner.place(ValueType.of(DType.F32, turned), Layout.ROWS);
              planner.add(new TurnMaskStep(rows, columns, scores));
              return columns;
            });
    return new Mask(slot, TurnMaskStep.steps(turned));
  }

  /** Plans rotary positions; false if the operands are no matrices of f32. */
  boolean rotate(Node node) {
    for (String input : node.inputs()) {
      if (!planner.isMatrix(input)) {
        return false;
      }
    }
    String x = node.inputs().getFirst();
    Slot cos = table(node.inputs().get(1), x);
    Slot sin = table(node.inputs().get(2), x);
    // making the sines may have added steps
    table(node.inputs().get(1), x);
    Slot in = planner.use(x, Layout.PANELS);
    Slot y = planner.define(node.output(), Layout.PANELS);
    planner.add(new RotaryStep(in, cos, sin, y, Rotary.heads(node)));
    planner.explain(node, Layout.PANELS, "each pair of features for all tokens of a panel");
    return true;
  }

  /** Cosines or sines of each token of x, in panels; tables of one sequence hold for each. */
  private Slot table(String name, String x) {
    ValueType type = planner.type(name);
    Shape tokens = planner.type(x).shape();
    long turned = type.shape().extent(-1);
    long wanted = tokens.extent(0) * tokens.extent(1) * turned;
    if (type.shape().elements() == wanted) {
      return planner.use(name, Layout.PANELS);
    }
    return shared(
        "table " + name + " of " + wanted,
        () -> {
          Slot own = planner.use(name, Layout.ROWS);
          Shape shape = Shape.of(tokens.extent(0), tokens.extent(1), turned);
          Slot each = planner.place(ValueType.of(DType.F32, shape), Layout.ROWS);
          planner.add(new RepeatStep(own, each));
          planner.use(each);
          Slot panels = planner.place(ValueType.of(DType.F32, shape), Layout.PANELS);
          planner.add(new PanelSteps.ToPanels(kernels, each, panels));
          return panels;
        });
  }

  private Slot shared(String key, Supplier<Slot> make) {
    Slot known = forms.get(key);
    if (known == null) {
      known = make.get();
      forms.put(key, known);
    }
    planner.use(known);
    return known;
  }
}
