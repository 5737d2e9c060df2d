package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Values;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The bits of a layer's stored weights, row by row, in one of the encodings kernels take. */
interface StoredRows {
  /**
   * The stored values of a row, one an element, in the low bits; behind the last come values that
   * stand for 0.
   */
  void row(int row, int[] into);

  /** Columns that a kernel multiplies: those of the weights, unless they are put in an order. */
  default int columns() {
    return weights().columns();
  }

  /** Whose rows they are. */
  Weights weights();

  /** Which input lies at each of the columns, i32, -1 for none; or nothing. */
  default MemorySegment order(Arena arena) {
    return arena.allocate(0);
  }

  /** Scales of the rows, or nothing. */
  default MemorySegment scales(int padded, Arena arena) {
    return arena.allocate(0);
  }

  /** Codebooks of the rows, or nothing. */
  default MemorySegment codebook(int padded, Arena arena) {
    return arena.allocate(0);
  }

  /** Zero points of the rows, or nothing. */
  default MemorySegment offsets(int padded, Arena arena) {
    return arena.allocate(0);
  }

  /** Parameters of groups along K, or nothing; see {@link PackedWeights#groups}. */
  default MemorySegment groups(int panels, int steps, Arena arena) {
    return arena.allocate(0);
  }

  /** The four columns of 2:4 that lie at a place, by number; a negative one for none. */
  default int four(int place) {
    return place * Sparse24.GROUP < weights().columns() ? place : -1;
  }

  /**
   * What a row keeps of the four columns at a place.
   *
   * @param mask of these columns in the weights, the first in bit 0
   */
  default int kept(int place, int mask) {
    return mask;
  }

  /** Numbers that belong to the weights, by the names of the kernels' parameters. */
  default Map<String, Integer> numbers(int steps) {
    return Map.of();
  }

  /** The forms weights can be had in, the smallest first. */
  static List<WeightsForm> forms(Weights weights, ActivationType activation) {
    List<WeightsForm> forms = new ArrayList<>();
    Structure structure = weights instanceof Sparse24 ? Structure.SPARSE24 : Structure.DENSE;
    Values values = values(weights);
    if (activation == ActivationType.I8) {
      boolean fit =
          values instanceof IntegerValues integers && StoredIntegers.fit(integers)
              || values instanceof PackedIntegers packed
                  && StoredIntegers.fit(packed)
                  && StoredIntegers.isSigned(packed);
      if (fit) {
        forms.add(new WeightsForm(structure, WeightsForm.Values.I8));
      }
      return forms;
    }
    if (values instanceof CodeValues codes && codes.bits() <= StoredCodes.BITS) {
      forms.add(new WeightsForm(structure, WeightsForm.Values.CODEBOOK16));
    } else if (values instanceof CodeValues && activation == ActivationType.F16) {
      forms.add(new WeightsForm(structure, WeightsForm.Values.CODEBOOK256));
    }
    if (values instanceof PackedIntegers integers
        && activation == ActivationType.F16
        && StoredGroups.fit(integers)) {
      forms.add(new WeightsForm(structure, StoredGroups.encoding(integers)));
    }
    boolean bytes =
        values instanceof IntegerValues
            || values instanceof PackedIntegers packed && StoredIntegers.fit(packed);
    if (bytes && activation == ActivationType.F16) {
      forms.add(new WeightsForm(structure, WeightsForm.Values.I8));
    }
    WeightsForm.Values floats =
        activation == ActivationType.F16 ? WeightsForm.Values.F16 : WeightsForm.Values.BF16;
    forms.add(new WeightsForm(structure, floats));
    if (structure != Structure.DENSE) {
      forms.add(new WeightsForm(Structure.DENSE, floats));
    }
    return forms;
  }

  /**
   * The rows of a form.
   *
   * @throws WeightsException if the weights have no such form
   */
  static StoredRows of(String layer, Weights weights, WeightsForm form, ActivationType activation) {
    if (!forms(weights, activation).contains(form)) {
      throw new WeightsException(
          "layer "
              + layer
              + " of "
              + weights.format()
              + " weights cannot be packed as "
              + form.structure().label()
              + " "
              + form.values().label()
              + " under "
              + activation.label(),
          "choose one of "
              + forms(weights, activation).stream()
                  .map(f -> f.structure().label() + " " + f.values().label())
                  .toList());
    }
    return switch (form.values()) {
      case F16 -> new StoredFloats(weights, form.structure(), DType.F16);
      case BF16 -> new StoredFloats(weights, form.structure(), DType.BF16);
      case I8 -> StoredIntegers.of(weights, values(weights), activation == ActivationType.I8);
      case I4, I8_GROUPS ->
          StoredGroups.of(weights, (PackedIntegers) values(weights), form.structure());
      case CODEBOOK16 ->
          new StoredCodes(
              weights,
              (CodeValues) values(weights),
              activation == ActivationType.F16 ? DType.F16 : DType.BF16);
      case CODEBOOK256 -> new StoredBooks(weights, (CodeValues) values(weights));
    };
  }

  /** The encoded values; null for what is unpacked to floats. */
  static Values values(Weights weights) {
    return switch (weights) {
      case Dense dense -> null;
      case Quantized quantized -> quantized.values();
      case Codebook codebook -> codebook.values();
      case Sparse24 sparse -> sparse.values();
      case Packed packed -> packed.values();
      case SparseCsr csr -> null;
    };
  }

  /** Stored values of a row. */
  static int count(Weights weights) {
    return weights instanceof Sparse24 sparse ? sparse.groups() * Sparse24.KEPT : weights.columns();
  }

  /** Position of a row's first stored value in the encoded array. */
  static long first(Weights weights, int row) {
    return weights instanceof Quantized quantized
        ? row * quantized.rowStride()
        : (long) row * count(weights);
  }

  /** From one stored value of a row to the next. */
  static long stride(Weights weights) {
    return weights instanceof Quantized quantized ? quantized.columnStride() : 1;
  }
}
