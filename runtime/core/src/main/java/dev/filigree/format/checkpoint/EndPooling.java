package dev.filigree.format.checkpoint;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import java.util.Map;

/**
 * The state of the token that ends a text, as CLIP has it: {@code pooler_output [batch, hidden]},
 * or where the folder has a projection, {@code text_embeds [batch, projection]}.
 *
 * @param family of the network, with its config
 * @param net where it is written down
 */
record EndPooling(Family family, NetworkBuilder net) {
  /** The number of the end in configs of early checkpoints, which is not the end's. */
  private static final int WRONG = 2;

  private static final Map<String, Attribute> LONG = Map.of("to", new Attribute.Int(7));
  private static final String PROJECTION = "text_projection";

  /**
   * Adds the output.
   *
   * @param ids of the tokens {@code [batch, sequence]}
   * @param x states {@code [batch, sequence, hidden]}
   */
  void add(String ids, String x, int hidden) {
    JsonFile config = family.config();
    int end = config.required("eos_token_id", 0, AttentionShape.MAX_EXTENT);
    net.in("end");
    // the end has the highest number of all words; text behind the first end is padding
    String marked =
        end == WRONG ? ids : net.op("Cast", LONG, net.op("Equal", ids, net.number(end)));
    String place =
        net.op(
            "ArgMax",
            Map.of("axis", new Attribute.Int(1), "keepdims", new Attribute.Int(1)),
            marked);
    String state = net.op("GatherND", Map.of("batch_dims", new Attribute.Int(1)), x, place);
    Dim batch = Dim.symbol("batch");
    if (net.layers().hasLayer(PROJECTION)) {
      int width = config.required("projection_dim", 1, AttentionShape.MAX_EXTENT);
      net.output("text_embeds", net.linear(state, PROJECTION, width, hidden), batch, Dim.of(width));
    } else {
      net.output("pooler_output", state, batch, Dim.of(hidden));
    }
  }
}
