package dev.filigree.format.checkpoint;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import java.util.List;
import java.util.Map;

/** What encoders add to scores by the distance of two tokens. */
final class RelativeBias {
  private static final int MOST = 1 << 20;

  private final EncoderConfig shape;
  private final NetworkBuilder net;
  private final String numbers;

  /**
   * A bias.
   *
   * @param numbers positions {@code [sequence]}
   */
  RelativeBias(EncoderConfig shape, NetworkBuilder net, String numbers) {
    this.shape = shape;
    this.net = net;
    this.numbers = numbers;
  }

  /** A distance's place in a table. */
  @FunctionalInterface
  private interface Place {
    int of(int distance);
  }

  /**
   * Places of the distances of all tokens, {@code [sequence, sequence]}.
   *
   * @param fromQueries whether distances are the query's place less the key's, else the other way
   */
  private String places(boolean fromQueries, Place place) {
    JsonFile config = shape.family().config();
    int positions = config.number("max_position_embeddings", 1, MOST).orElse(0);
    int relative = config.number("max_relative_positions", -1, MOST).orElse(0);
    int buckets = config.number("relative_attention_max_distance", 2, MOST).orElse(128);
    // distances are looked up in a table of all of them, 0 standing in its middle; from there on
    // they share a place
    int most = Math.max(Math.max(positions, relative), buckets) + 1;
    long[] places = new long[2 * most - 1];
    for (int i = 0; i < places.length; i++) {
      places[i] = place.of(i - (most - 1));
    }
    int queries = fromQueries ? 1 : 0;
    String distance =
        net.op("Sub", net.unsqueeze(numbers, queries), net.unsqueeze(numbers, 1 - queries));
    String near = net.op("Clip", distance, net.number(1 - most), net.number(most - 1));
    String index = net.op("Add", near, net.number(most - 1));
    return net.gather(net.constant(Tensor.of(places, places.length)), index);
  }

  /** A number for each head by the bucket of a distance, {@code [1, heads, sequence, sequence]}. */
  String byBucket(String table) {
    net.in(table);
    JsonFile config = shape.family().config();
    int buckets = config.number("relative_attention_num_buckets", 2, 1 << 16).orElse(32);
    int far = config.number("relative_attention_max_distance", 2, MOST).orElse(128);
    String found = places(false, distance -> bucket(distance, buckets, far));
    String values = net.gather(net.table(table, buckets, shape.heads()), found);
    return net.unsqueeze(net.transpose(values, 2, 0, 1), 0);
  }

  /**
   * The bucket of the distance from query to key: half of the buckets for either direction, of
   * these half for single distances and the rest growing by powers (C. Raffel et al., Exploring the
   * Limits of Transfer Learning, 2020).
   *
   * @param farthest distance from which all fall in one bucket
   */
  static int bucket(int distance, int buckets, int farthest) {
    int half = buckets / 2;
    int exact = half / 2;
    int from = distance > 0 ? half : 0;
    int steps = Math.abs(distance);
    if (steps < exact) {
      return from + steps;
    }
    int far =
        exact
            + (int)
                ((float) (Math.log((float) steps / exact) / Math.log((double) farthest / exact))
                    * (half - exact));
    return from + Math.min(far, half - 1);
  }

  /**
   * Scores of a layer's words and relative positions (P. He et al., DeBERTa, 2021): of queries with
   * the keys of distances, and of keys with the queries of distances.
   *
   * @param distances embeddings of the distances, already normalised {@code [2 span, hidden]}
   * @param layer name of the layer's modules
   * @param q queries by head {@code [batch, heads, sequence, width]}
   * @param k keys by head
   */
  String disentangled(String distances, String layer, String q, String k, double scale) {
    JsonFile config = shape.family().config();
    int span = span(config);
    net.in(layer + "distances");
    String place =
        net.unsqueeze(
            places(true, distance -> Math.clamp(log(distance, config) + span, 0, 2 * span - 1)),
            0,
            1);
    List<String> kinds = shape.relativeKinds();
    String sum = "";
    if (kinds.contains("c2p")) {
      sum = found(q, byHead(distances, layer, "key"), place, false);
    }
    if (kinds.contains("p2c")) {
      String turned = net.transpose(place, 0, 1, 3, 2);
      String other = found(k, byHead(distances, layer, "query"), turned, true);
      sum = sum.isEmpty() ? other : net.op("Add", sum, other);
    }
    return net.times(sum, scale);
  }

  /** Distances that have embeddings of their own, to either side. */
  static int span(JsonFile config) {
    int buckets = config.number("position_buckets", -1, 1 << 20).orElse(-1);
    return buckets > 0 ? buckets : most(config);
  }

  private static int most(JsonFile config) {
    int most = config.number("max_relative_positions", -1, MOST).orElse(-1);
    return most > 0 ? most : config.required("max_position_embeddings", 1, MOST);
  }

  /** Distances are themselves up to half the span, and grow by powers from there on. */
  private static int log(int distance, JsonFile config) {
    int buckets = config.number("position_buckets", -1, 1 << 20).orElse(-1);
    int middle = buckets / 2;
    int steps = Math.abs(distance);
    if (buckets <= 0 || steps <= middle) {
      return distance;
    }
    float share =
        (float) Math.log((float) steps / middle)
            / (float) Math.log((most(config) - 1) / (double) middle);
    int far = (int) Math.ceil(share * (middle - 1)) + middle;
    return distance < 0 ? -far : far;
  }

  /** Embeddings of distances as keys or queries of a layer, {@code [1, heads, width, 2 span]}. */
  private String byHead(String distances, String layer, String role) {
    boolean isShared = shape.family().config().flag("share_att_key", false);
    String own = isShared ? role : "position_" + role;
    String name = layer + shape.family().module(own).orElseThrow();
    String made = net.linear(distances, name, shape.heads() * shape.width(), shape.hidden());
    String split =
        net.reshape(made, 1, 2L * span(shape.family().config()), shape.heads(), shape.width());
    return net.transpose(split, 0, 2, 3, 1);
  }

  /** For each query and key the score of the one of them with the distance. */
  private String found(String x, String distances, String place, boolean isOfKeys) {
    String all = net.op("MatMul", x, distances);
    String shape = net.op("Shape", x);
    String sequence = net.op("Slice", shape, net.longs(2), net.longs(3));
    String outer = net.op("Slice", shape, net.longs(0), net.longs(3));
    String wanted = net.op("Expand", place, net.concat(0, outer, sequence));
    String scores = net.op("GatherElements", Map.of("axis", new Attribute.Int(-1)), all, wanted);
    return isOfKeys ? net.transpose(scores, 0, 1, 3, 2) : scores;
  }
}
