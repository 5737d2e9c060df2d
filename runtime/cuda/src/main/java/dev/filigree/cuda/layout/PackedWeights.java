package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.FragmentMetadata;
import dev.filigree.weights.Metadata24;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Weights in the order in which a kernel's lanes want them, with what else belongs to them. Rows
 * are padded to panels of 64, K to two steps, with zeros and legal metadata. Immutable.
 *
 * @param form structure and encoding
 * @param rows outputs
 * @param columns K: inputs, or places of them where they are put in an order
 * @param values the kernel's {@code w}: {@code [panels, steps, block]}, see {@link FragmentPlace}
 * @param metadata the kernel's {@code meta}, words {@code [panels, steps, lane, words]}; empty for
 *     dense weights
 * @param scales f32 {@code [padded rows]}; empty for 16-bit values
 * @param codebook of 16 entries, 32 bytes a row: the low bytes, then the high bytes; of 256 entries
 *     tables of a panel's rows, see {@code gemm/format/books.cuh}; else empty
 * @param offsets f16 {@code [padded rows]}, 1024 + zero point, for 8-bit codes under 16-bit
 *     activations; else empty
 * @param groups of integers scaled by groups along K, {@code [panels, groups, 2, 64]} in f16: the
 *     scales of a panel's rows, then 1024 + their zero points; else empty
 * @param order which input lies at each of the columns, i32, a negative one for none; empty where
 *     they lie as they come
 * @param numbers that belong to the weights, by the names of the kernels' parameters
 */
public record PackedWeights(
    WeightsForm form,
    int rows,
    int columns,
    MemorySegment values,
    MemorySegment metadata,
    MemorySegment scales,
    MemorySegment codebook,
    MemorySegment offsets,
    MemorySegment groups,
    MemorySegment order,
    Map<String, Integer> numbers) {

  /** The part that says in which order the inputs must be put; no parameter of a kernel. */
  public static final String ORDER = "order";

  /**
   * Lays weights out, panels in parallel.
   *
   * @param layer the name used in messages
   * @param weights valid ones, see {@link Weights#validate}
   * @param form one of {@link #forms}
   * @param activation type of the activations the kernel takes
   * @param arena owns the memory
   * @throws dev.filigree.WeightsException if the weights have no such form
   */
  public static PackedWeights pack(
      String layer, Weights weights, WeightsForm form, ActivationType activation, Arena arena) {
    FragmentPlace place = FragmentPlace.of(form, activation);
    StoredRows stored = StoredRows.of(layer, weights, form, activation);
    int steps = place.steps(stored.columns());
    int panels = FragmentPlace.panels(weights.rows());
    long blocks = (long) panels * steps;
    MemorySegment values = arena.allocate(blocks * place.blockBytes(), 16);
    MemorySegment metadata = arena.allocate(blocks * place.metadataBlockBytes(), 16);
    PanelWriter writer = new PanelWriter(place, stored, weights.rows(), steps);
    IntStream.range(0, panels).parallel().forEach(panel -> writer.values(panel, values));
    if (weights instanceof Sparse24 sparse && place.isSparse()) {
      IntStream.range(0, panels)
          .parallel()
          .forEach(panel -> metadata(sparse, stored, place, steps, panel, metadata));
    }
    int padded = panels * FragmentPlace.PANEL_ROWS;
    return new PackedWeights(
        form,
        weights.rows(),
        stored.columns(),
        values.asReadOnly(),
        metadata.asReadOnly(),
        stored.scales(padded, arena).asReadOnly(),
        stored.codebook(padded, arena).asReadOnly(),
        stored.offsets(padded, arena).asReadOnly(),
        stored.groups(panels, steps, arena).asReadOnly(),
        stored.order(arena).asReadOnly(),
        stored.numbers(steps));
  }

  /** The forms weights can be packed in under activations of a type, the smallest first. */
  public static List<WeightsForm> forms(Weights weights, ActivationType activation) {
    return StoredRows.forms(weights, activation);
  }

  /** Columns of weights in a form, if their inputs must be put in an order of the form's own. */
  public static OptionalInt orderedColumns(Weights weights, WeightsForm form) {
    boolean grouped =
        form.values() == WeightsForm.Values.I4 || form.values() == WeightsForm.Values.I8_GROUPS;
    return grouped && StoredRows.values(weights) instanceof PackedIntegers integers
        ? StoredGroups.orderedColumns(integers, form.structure())
        : OptionalInt.empty();
  }

  /**
   * What tells weights of one format and shape apart to kernels, in words: the forms that they have
   * and how these lie.
   */
  public static String describe(Weights weights) {
    return Stream.of(ActivationType.F16, ActivationType.I8)
        .flatMap(
            activation ->
                forms(weights, activation).stream()
                    .map(form -> describe(weights, form) + " under " + activation.label()))
        .collect(Collectors.joining(", "));
  }

  private static String describe(Weights weights, WeightsForm form) {
    OptionalInt ordered = orderedColumns(weights, form);
    long tables = tableBytes(weights, form);
    return form.structure().label()
        + " "
        + form.values().label()
        + (ordered.isPresent() ? " of " + ordered.getAsInt() + " columns" : "")
        + (tables > 0 ? " with " + tables + " bytes of tables" : "");
  }

  /** Bytes of the tables that weights in a form are looked up in. */
  public static long tableBytes(Weights weights, WeightsForm form) {
    return form.values() == WeightsForm.Values.CODEBOOK256
            && StoredRows.values(weights) instanceof CodeValues codes
        ? StoredBooks.bytes(weights.rows(), codes)
        : 0;
  }

  /** What goes to the device, by the names of the kernels' parameters; without what is empty. */
  public Map<String, MemorySegment> parts() {
    Map<String, MemorySegment> parts = new LinkedHashMap<>();
    parts.put("w", values);
    parts.put("meta", metadata);
    parts.put("scales", scales);
    parts.put("codebook", codebook);
    parts.put("offsets", offsets);
    parts.put("groups", groups);
    parts.put(ORDER, order);
    parts.values().removeIf(part -> part.byteSize() == 0);
    return parts;
  }

  /** Bytes of all of it. */
  public long bytes() {
    return parts().values().stream().mapToLong(MemorySegment::byteSize).sum();
  }

  private static void metadata(
      Sparse24 weights,
      StoredRows stored,
      FragmentPlace place,
      int steps,
      int panel,
      MemorySegment into) {
    FragmentMetadata fragment = place.metadata();
    int words = place.metadataWords();
    for (int step = 0; step < steps; step++) {
      long block = ((long) panel * steps + step) * place.metadataBlockBytes();
      for (int word = 0; word < words; word++) {
        int firstRow = panel * FragmentPlace.PANEL_ROWS;
        int firstTile = word * fragment.rowsPerWord() / 16;
        int firstGroup = step * fragment.chunksPerStep();
        int[] lanes =
            fragment.lanes(
                (row, chunk) ->
                    nibble(
                        weights,
                        stored,
                        firstRow + FragmentPlace.panelRow(firstTile + row / 16, row % 16),
                        firstGroup + chunk));
        for (int lane = 0; lane < FragmentMetadata.LANES; lane++) {
          into.set(DType.INT, block + ((long) lane * words + word) * Integer.BYTES, lanes[lane]);
        }
      }
    }
  }

  private static int nibble(Sparse24 weights, StoredRows stored, int row, int place) {
    int group = row < weights.rows() ? stored.four(place) : -1;
    return group < 0
        ? Metadata24.PADDING
        : Metadata24.nibble(stored.kept(place, weights.mask().group(row, group)));
  }
}
