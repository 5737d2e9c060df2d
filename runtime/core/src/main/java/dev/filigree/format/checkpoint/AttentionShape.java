package dev.filigree.format.checkpoint;

import dev.filigree.kernel.fused.CachedAttention;
import java.util.List;

/** What attention needs to know of a network. */
interface AttentionShape {
  /** Layers of a network at most. */
  int MAX_LAYERS = 1000;

  /** Features, tokens or heads at most. */
  int MAX_EXTENT = 1 << 24;

  /** With the config, completed. */
  Family family();

  /** Heads of queries. */
  int heads();

  /** Heads of keys and values, each read by {@code heads / keyHeads} heads of queries. */
  int keyHeads();

  /** Features of a head. */
  int width();

  /** Rotary positions that layers use. */
  List<Rope> ropes();

  /** In what the layers differ. */
  List<LayerKind> kinds();

  /** Factor of the scores of a layer. */
  double scores(int layer);

  /** Added to mean squares and variances. */
  double epsilon();

  /** By how much queries grow with their positions. */
  default CachedAttention.Growth growth() {
    return CachedAttention.Growth.NONE;
  }

  /** What bounds scores, {@code cap * tanh(x / cap)}; 0 for nothing. */
  double cap();

  /** The rotary positions of all kinds of layers. */
  static List<Rope> ropes(Family family, int width, List<LayerKind> kinds) {
    int most = kinds.stream().mapToInt(LayerKind::rope).max().orElse(LayerKind.UNTURNED);
    if (most == LayerKind.UNTURNED) {
      return List.of();
    }
    Rope whole = Rope.read(family, width, Rope.WHOLE);
    return most == 0 ? List.of(whole) : List.of(whole, Rope.read(family, width, Rope.SLIDING));
  }
}
