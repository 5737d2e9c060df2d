package dev.filigree.plan;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.spi.PackedLinear;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What planning one node did, and on what it depends: where a later plan finds all of that as it
 * was, it does the same without asking the rules. Steps count from the first of the node.
 */
final class Carried {
  /** For a buffer that is needed for the whole life of a workspace. */
  static final int FOREVER = Integer.MAX_VALUE;

  private static final int LAYOUTS = Layout.values().length;

  /** A place that a value got. */
  record Put(String value, Layout layout, Slot slot) {}

  /** A linear layer and the weights it is run with. */
  record LinearUse(PackedLinear kernel, WarmUp.Sized sized) {}

  /**
   * A step for which a buffer is needed.
   *
   * @param starts whether that step makes it
   */
  private record Need(Buffer buffer, int step, boolean starts) {}

  private final ValueType[] types;
  private final Tensor[] constants;
  private final Slot[] places;

  private final int base;
  private final int explained;
  private final List<Put> puts = new ArrayList<>();
  private final List<Need> needs = new ArrayList<>();
  private boolean isSpoiled;
  private final List<Plan.Resident> residents = new ArrayList<>();
  private final List<LinearUse> linear = new ArrayList<>();
  private List<Step> steps = List.of();
  private List<LayerPlan> layers = List.of();
  private List<Integer> stepsUpTo = List.of();

  /**
   * Begins with what a node depends on.
   *
   * @param types of all values
   * @param folding what is constant
   * @param slots where values lie
   * @param base number of steps before the node's
   * @param explained number of layers before it
   */
  Carried(
      Node node,
      Map<String, ValueType> types,
      Folding folding,
      Map<String, Map<Layout, Slot>> slots,
      int base,
      int explained) {
    int inputs = node.inputs().size();
    this.types = new ValueType[inputs + node.outputs().size()];
    this.constants = new Tensor[inputs];
    this.places = new Slot[inputs * LAYOUTS];
    this.base = base;
    this.explained = explained;
    for (int i = 0; i < this.types.length; i++) {
      this.types[i] = types.get(value(node, i));
    }
    for (int i = 0; i < inputs; i++) {
      String input = node.inputs().get(i);
      constants[i] = folding.constant(input).orElse(null);
      Map<Layout, Slot> of = slots.get(input);
      for (Layout layout : Layout.values()) {
        places[i * LAYOUTS + layout.ordinal()] = of == null ? null : of.get(layout);
      }
    }
  }

  private static String value(Node node, int i) {
    int inputs = node.inputs().size();
    return i < inputs ? node.inputs().get(i) : node.outputs().get(i - inputs);
  }

  /** Whether another node's planning, or this one's before, depends on the same. */
  boolean isFor(Carried other) {
    return isSame(types, other.types)
        && isSame(constants, other.constants)
        && areAlike(places, other.places);
  }

  private static boolean isSame(Object[] a, Object[] b) {
    for (int i = 0; i < a.length; i++) {
      if (a[i] != b[i]) {
        return false;
      }
    }
    return a.length == b.length;
  }

  private static boolean areAlike(Slot[] a, Slot[] b) {
    for (int i = 0; i < a.length; i++) {
      if (a[i] != b[i] && (a[i] == null || b[i] == null || !a[i].isAlike(b[i]))) {
        return false;
      }
    }
    return a.length == b.length;
  }

  /** Notes that something was done that cannot be done again. */
  void spoil() {
    isSpoiled = true;
  }

  boolean isSpoiled() {
    return isSpoiled;
  }

  void put(Put put) {
    puts.add(put);
  }

  /** Notes that a step makes a buffer. */
  void start(Buffer buffer, int step) {
    needs.add(new Need(buffer, step - base, true));
  }

  /** Notes that a step, or {@link #FOREVER}, needs a buffer. */
  void need(Buffer buffer, int step) {
    needs.add(new Need(buffer, step == FOREVER ? FOREVER : step - base, false));
  }

  /** Notes a constant that was put in the arena. */
  void resident(Plan.Resident resident) {
    residents.add(resident);
  }

  void linear(LinearUse use) {
    linear.add(use);
  }

  List<Plan.Resident> residents() {
    return residents;
  }

  List<LinearUse> linear() {
    return linear;
  }

  /** Ends with what the node became, the last of all steps and layers. */
  void end(List<Step> made, List<LayerPlan> told, List<Integer> upTo) {
    steps = List.copyOf(made.subList(base, made.size()));
    layers = List.copyOf(told.subList(explained, told.size()));
    stepsUpTo = upTo.subList(explained, upTo.size()).stream().map(step -> step - base).toList();
  }

  List<Put> puts() {
    return puts;
  }

  List<Step> steps() {
    return steps;
  }

  List<LayerPlan> layers() {
    return layers;
  }

  /** For each layer the number of the node's steps up to its last. */
  List<Integer> stepsUpTo() {
    return stepsUpTo;
  }

  /**
   * Notes again when the node's buffers are needed.
   *
   * @param before number of steps before the node's
   * @param buffers receives those that the node's steps make
   */
  void live(int before, List<Buffer> buffers) {
    for (Need need : needs) {
      if (need.starts) {
        need.buffer.restart(before + need.step);
        buffers.add(need.buffer);
      } else {
        need.buffer.needUntil(need.step == FOREVER ? FOREVER : before + need.step);
      }
    }
    for (Plan.Resident resident : residents) {
      resident.slot().buffer().needFromStart();
    }
  }
}
