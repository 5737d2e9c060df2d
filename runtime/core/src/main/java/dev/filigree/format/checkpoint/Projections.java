package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;

/**
 * Queries, keys and values of a network's layers, made by as many linear layers as the family has.
 *
 * @param shape of the network
 * @param net where they are written down
 */
record Projections(AttentionShape shape, NetworkBuilder net) {
  /** Parts that CodeGen's joined layer was divided into, for as many processors. */
  private static final int QUARTERS = 4;

  /**
   * Queries {@code [batch, sequence, heads * width]}, keys and values {@code [batch, sequence,
   * keyHeads * width]}.
   *
   * @param layer what the names of its modules begin with
   * @param x {@code [batch, sequence, hidden]}
   * @param hidden features of a token
   */
  String[] of(String layer, String x, int hidden) {
    int queries = shape.heads() * shape.width();
    int keys = shape.keyHeads() * shape.width();
    if (shape.family().projection() == Family.Projection.SEPARATE) {
      return new String[] {
        linear(x, layer, "query", queries, hidden),
        linear(x, layer, "key", keys, hidden),
        linear(x, layer, "value", keys, hidden)
      };
    }
    String all = linear(x, layer, "projection", queries + 2 * keys, hidden);
    return switch (shape.family().projection()) {
      case SEPARATE, JOINED ->
          new String[] {
            net.slice(all, 0, queries),
            net.slice(all, queries, queries + keys),
            net.slice(all, queries + keys, queries + 2L * keys)
          };
      case GROUPED -> {
        int each = shape.heads() / shape.keyHeads();
        String[] made = parts(all, shape.keyHeads(), new int[] {each, 1, 1}, new int[] {0, 1, 2});
        made[0] = added(made[0], layer, "query_bias", queries);
        made[2] = added(made[2], layer, "value_bias", keys);
        yield made;
      }
      case QUARTERS -> {
        if (shape.heads() % QUARTERS != 0) {
          throw new UnsupportedException(
              shape.family().config().file() + " has " + shape.heads() + " heads, in four parts",
              "use a model whose heads are a multiple of " + QUARTERS);
        }
        int each = shape.heads() / QUARTERS;
        yield parts(all, QUARTERS, new int[] {each, each, each}, new int[] {0, 2, 1});
      }
    };
  }

  private String linear(String x, String layer, String role, int out, int in) {
    Family family = shape.family();
    String name = layer + family.module(role).orElseThrow();
    return net.linear(x, name, out, in, family.has("transposed"));
  }

  /** DeBERTa has biases of its own, in another order than its joined layer. */
  private String added(String x, String layer, String role, int extent) {
    return shape
        .family()
        .module(role)
        .map(name -> net.op("Add", x, net.vector(layer + name, extent)))
        .orElse(x);
  }

  /**
   * Queries, keys and values of groups that lie behind each other.
   *
   * @param heads of each of a group's three parts
   * @param places of queries, keys and values among them
   */
  private String[] parts(String all, int groups, int[] heads, int[] places) {
    int width = shape.width();
    String byGroup =
        net.reshape(all, 0, 0, groups, (long) (heads[0] + heads[1] + heads[2]) * width);
    String[] made = new String[places.length];
    for (int i = 0; i < made.length; i++) {
      long from = 0;
      for (int before = 0; before < places[i]; before++) {
        from += (long) heads[before] * width;
      }
      long features = (long) heads[places[i]] * width;
      made[i] = net.reshape(net.slice(byGroup, from, from + features), 0, 0, groups * features);
    }
    return made;
  }
}
