package dev.filigree.cuda.plan;

import dev.filigree.cuda.layout.CsrWeights;
import dev.filigree.cuda.layout.LibraryWeights;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.util.Map;

/** How weights lie on the device; several kernels may share one. */
sealed interface LinearLayout {
  /** The order in which tensor cores take them. */
  record Fragments(WeightsForm form, ActivationType activation) implements LinearLayout {}

  /** Sparse rows in the order of the own kernels. */
  record SparseRows(ActivationType activation) implements LinearLayout {}

  /** Dense rows for cuBLAS. */
  record DenseRows() implements LinearLayout {}

  /** Compressed sparse rows for cuSPARSE. */
  record CompressedRows() implements LinearLayout {}

  /**
   * Lays weights out and copies them to the device.
   *
   * @param layer named in messages
   */
  default DeviceWeights load(DeviceState device, String layer, Weights weights) {
    try (Arena arena = Arena.ofShared()) {
      return switch (this) {
        case Fragments(WeightsForm form, ActivationType activation) -> {
          PackedWeights packed = PackedWeights.pack(layer, weights, form, activation, arena);
          yield MetadataCheck.load(device, layer, packed);
        }
        case SparseRows(ActivationType activation) ->
            new DeviceWeights(
                device.context(),
                CsrWeights.pack(layer, (SparseCsr) weights, activation, arena).parts(),
                Map.of());
        case DenseRows() ->
            new DeviceWeights(device.context(), LibraryWeights.dense(weights, arena), Map.of());
        case CompressedRows() ->
            new DeviceWeights(
                device.context(),
                LibraryWeights.sparse(layer, (SparseCsr) weights, arena),
                Map.of());
      };
    }
  }
}
