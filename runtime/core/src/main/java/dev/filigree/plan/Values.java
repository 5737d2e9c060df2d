package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/**
 * Where the values of a plan lie while it is made, from which step to which they are needed, and
 * what of that was so in the plan before.
 */
final class Values {
  private final Former former;
  private final Folding folding;
  private final Map<String, ValueType> types;
  private final Kernels kernels;
  private final List<Step> steps;

  /** What of the tokens is computed, or null for all. */
  private final Ragged ragged;

  private final Map<String, Map<Layout, Slot>> slots = new HashMap<>();
  private final List<Buffer> buffers = new ArrayList<>();

  /** Buffers that the step added next reads. */
  private final List<Buffer> pending = new ArrayList<>();

  /** Slots in panels that the step added next reads or makes. */
  private final List<Slot> touched = new ArrayList<>();

  private boolean isUneven;

  private List<PanelChain.Range> chains = List.of();

  private final List<Plan.Resident> residents = new ArrayList<>();

  /** What planning the node at hand does, or null. */
  private Carried recorded;

  /** Whether steps or buffers of the last plan are in this one. */
  private boolean isCarrying;

  /**
   * No values yet.
   *
   * @param steps of the plan, which grow
   * @param ragged what of the tokens is computed, or null for all
   */
  Values(Former former, Folding folding, Kernels kernels, List<Step> steps, Ragged ragged) {
    this.former = former;
    this.folding = folding;
    this.types = folding.types();
    this.kernels = kernels;
    this.steps = steps;
    this.ragged = ragged;
  }

  /**
   * Begins to record what is done for a node.
   *
   * @param explained number of layers before it
   */
  Carried record(Node node, int explained) {
    recorded = new Carried(node, types, folding, slots, steps.size(), explained);
    return recorded;
  }

  /** What is being recorded, or null. */
  Carried recording() {
    return recorded;
  }

  /** Ends recording. */
  Carried recorded() {
    flush();
    Carried done = recorded;
    recorded = null;
    return done;
  }

  /** Places a node's values where they were in the last plan, and drops what is being recorded. */
  void carry(Carried last) {
    recorded = null;
    isCarrying = true;
    last.live(steps.size(), buffers);
    for (Carried.Put put : last.puts()) {
      put(put.value(), put.layout(), put.slot());
    }
    residents.addAll(last.residents());
  }

  List<Plan.Resident> residents() {
    return residents;
  }

  /** Whether a value has a place. */
  boolean isPlaced(String value) {
    return slots.containsKey(value);
  }

  /** The place of an output, kept to the end; nothing if it has none. */
  Optional<Slot> last(String output) {
    if (!isPlaced(output)) {
      return Optional.empty();
    }
    // panels are moved into the caller's memory at the end of a run, without a step of their own
    Map<Layout, Slot> places = slots.get(output);
    Slot slot = places.getOrDefault(Layout.ROWS, places.get(Layout.PANELS));
    slot.buffer().needUntil(Carried.FOREVER);
    return Optional.of(slot);
  }

  /**
   * Gives all buffers their offsets.
   *
   * @return bytes of all, or nothing if some lie elsewhere in plans that share them
   */
  OptionalLong arrange() {
    int[] lives = buffers.stream().flatMapToInt(b -> IntStream.of(b.first(), b.last())).toArray();
    chains = PanelChain.of(steps, buffers);
    for (PanelChain.Range chain : chains) {
      buffers.forEach(buffer -> buffer.needDuring(chain));
    }
    OptionalLong bytes = placed();
    if (chains.isEmpty() || bytes.isEmpty() || bytes.getAsLong() <= former.placement().limit()) {
      return bytes;
    }
    // step by step it takes longer, and may fit
    chains = List.of();
    for (int i = 0; i < buffers.size(); i++) {
      buffers.get(i).restart(lives[2 * i]);
      buffers.get(i).needUntil(lives[2 * i + 1]);
    }
    return placed();
  }

  private OptionalLong placed() {
    return isCarrying && !former.placement().keeps(buffers)
        ? OptionalLong.empty()
        : OptionalLong.of(former.placement().place(buffers));
  }

  /** Which steps run panel by panel together, once the buffers are arranged. */
  List<PanelChain.Range> chains() {
    return chains;
  }

  /** Whether a value lies in panels already. */
  boolean isInPanels(String value) {
    Map<Layout, Slot> places = slots.get(value);
    return places != null && places.containsKey(Layout.PANELS);
  }

  /** Memory for a value that the next step makes. */
  Slot define(String value, Layout layout) {
    ValueType type = types.get(value);
    Slot slot = former.place(value, layout, type);
    if (slot == null) {
      slot = newSlot(type, layout);
      former.keep(value, layout, type, slot);
    } else {
      isCarrying = true;
      slot.buffer().restart(steps.size());
    }
    started(slot.buffer());
    put(value, layout, slot);
    touch(slot);
    return slot;
  }

  void put(String value, Layout layout, Slot slot) {
    slots.computeIfAbsent(value, name -> new EnumMap<>(Layout.class)).put(layout, slot);
    if (recorded != null) {
      recorded.put(new Carried.Put(value, layout, slot));
    }
  }

  private void started(Buffer buffer) {
    buffers.add(buffer);
    if (recorded != null) {
      recorded.start(buffer, steps.size());
    }
  }

  private void needUntil(Buffer buffer, int step) {
    buffer.needUntil(step);
    if (recorded != null) {
      recorded.need(buffer, step);
    }
  }

  /**
   * Notes that the plan cannot leave tokens out: something in it computes a token from others, or
   * from where it lies.
   */
  void refuseRagged() {
    isUneven = true;
  }

  /** Whether all steps can leave tokens out. */
  boolean isRagged() {
    return !isUneven;
  }

  private void touch(Slot slot) {
    if (ragged != null && slot.panels() != null && slot.dtype() == DType.F32) {
      touched.add(slot);
    }
  }

  /** Looks at what the step just added has to do with tokens that are left out. */
  void check(Step step) {
    if (touched.stream().anyMatch(Slot::isRagged)) {
      isUneven |= !step.takesRagged() || !touched.stream().allMatch(Slot::isRagged);
    }
    touched.clear();
  }

  /** Keeps what was used since the last step until the next one. */
  void flush() {
    for (Buffer buffer : pending) {
      needUntil(buffer, steps.size());
    }
    pending.clear();
  }

  /** Keeps a slot without a name in the graph until the step that is added next. */
  void use(Slot slot) {
    spoil();
    touch(slot);
    pending.add(slot.buffer());
  }

  /** Notes that what is done for the node cannot be done again: others have a share in it. */
  private void spoil() {
    if (recorded != null) {
      recorded.spoil();
    }
  }

  /** Memory for a value without a name in the graph that the next step makes. */
  Slot place(ValueType type, Layout layout) {
    spoil();
    Slot slot = newSlot(type, layout);
    started(slot.buffer());
    touch(slot);
    return slot;
  }

  private Slot newSlot(ValueType type, Layout layout) {
    Shape shape = type.shape();
    Panels panels = null;
    long bytes = Tensor.byteSize(type.dtype(), shape);
    if (layout == Layout.PANELS) {
      int features = (int) shape.extent(-1);
      int tokens = Math.toIntExact(features == 0 ? 0 : shape.elements() / features);
      boolean leavesOut = ragged != null && ragged.isOver(shape);
      panels = Panels.of(leavesOut ? ragged.tokens() : tokens, kernels.lanes());
      bytes = panels.bytes(features);
    }
    return new Slot(type.dtype(), shape, layout, panels, new Buffer(bytes, steps.size()));
  }

  /** Memory for a value in a form of its own that the next step makes. */
  Slot place(long bytes, Panels panels) {
    spoil();
    return room(bytes, panels);
  }

  /** Memory that nothing but the next step needs. */
  Slot room(long bytes, Panels panels) {
    Buffer buffer = new Buffer(bytes, steps.size());
    started(buffer);
    return new Slot(DType.U8, Shape.of(bytes), Layout.PANELS, panels, buffer);
  }

  /**
   * A value in a layout, moved there by a step of its own if need be, kept until the step that is
   * added next.
   */
  Slot use(String value, Layout layout) {
    Map<Layout, Slot> places = slots.get(value);
    if (places == null) {
      return resident(value, layout);
    }
    Slot slot = places.get(layout);
    if (slot == null && isOneToken(value)) {
      slot = inOtherLayout(places.values().iterator().next(), layout);
      put(value, layout, slot);
    } else if (slot == null) {
      Slot other = places.values().iterator().next();
      needUntil(other.buffer(), steps.size());
      slot = define(value, layout);
      steps.add(
          layout == Layout.PANELS
              ? new PanelSteps.ToPanels(kernels, other, slot)
              : new PanelSteps.ToRows(kernels, other, slot));
    }
    touch(slot);
    pending.add(slot.buffer());
    return slot;
  }

  /** Whether a value is a single row, which lies in a panel of width 1 as it lies in rows. */
  private boolean isOneToken(String value) {
    ValueType type = types.get(value);
    return type.dtype() == DType.F32
        && type.rank() > 0
        && type.shape().extent(-1) > 0
        && type.shape().elements() == type.shape().extent(-1);
  }

  private Slot inOtherLayout(Slot slot, Layout layout) {
    Panels panels = layout == Layout.PANELS ? Panels.of(1, kernels.lanes()) : null;
    return new Slot(slot.dtype(), slot.shape(), layout, panels, slot.buffer());
  }

  /** A constant that is stored compressed. */
  Tensor unpacked(String value) {
    return former.graph().constants().get(value).toTensor();
  }

  /** A constant put in the arena for the whole life of a workspace. */
  private Slot resident(String value, Layout layout) {
    // a matrix that became no layer, for nothing told its operand's axes before the shapes did
    Tensor tensor = folding.constant(value).orElseGet(() -> unpacked(value)).contiguous();
    ValueType type = ValueType.of(tensor);
    // the same object stays where nothing is new, so that what reads it next can tell
    types.merge(value, type, (known, unpacked) -> unpacked.equals(known) ? known : unpacked);
    Slot slot = define(value, Layout.ROWS);
    slot.buffer().needFromStart();
    needUntil(slot.buffer(), Carried.FOREVER);
    Plan.Resident resident = new Plan.Resident(slot, tensor);
    residents.add(resident);
    if (recorded != null) {
      recorded.resident(resident);
    }
    return layout == Layout.ROWS ? slot : use(value, layout);
  }
}
