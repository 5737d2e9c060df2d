package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/**
 * How the weights of a group of layers are quantised, in the terms of compressed-tensors'
 * QuantizationArgs.
 *
 * @param bits of a weight
 * @param type of the codes
 * @param strategy which weights share a scale
 * @param groupSize consecutive inputs that share a scale, or -1 for a whole row
 * @param symmetric whether codes have no zero point
 * @param block rows and columns that share a scale where blocks do
 */
record Scheme(
    int bits, Type type, Strategy strategy, int groupSize, boolean symmetric, int[] block) {
  private static final int[] BLOCK = {128, 128};
  private static final Pattern BLOCKS = Pattern.compile("([1-9][0-9]{0,7})x([1-9][0-9]{0,7})");

  /** Kinds of codes. */
  enum Type {
    INT,
    FLOAT
  }

  /** Which weights share a scale. */
  enum Strategy {
    TENSOR,
    CHANNEL,
    GROUP,
    BLOCK,
    TOKEN,
    TENSOR_GROUP,
    ATTN_HEAD
  }

  /** Reads the object that describes the weights of a group. */
  static Scheme read(JsonFile weights) {
    int bits = weights.required("num_bits", 1, 16);
    Type type = weights.choice("type", Type.class).orElse(Type.INT);
    int group = weights.number("group_size", -1, 1 << 24).orElse(-1);
    Strategy strategy =
        weights
            .choice("strategy", Strategy.class)
            .orElse(group > 0 ? Strategy.GROUP : Strategy.CHANNEL);
    if (strategy == Strategy.ATTN_HEAD) {
      throw new UnsupportedException(
          weights.file() + " scales weights by attention head",
          "the nearest supported strategy is 'channel'");
    }
    if (group == 0) {
      throw new UnsupportedException(
          weights.file() + " has groups of 0 weights", "use -1 for one scale a row");
    }
    // a group is a block of one row
    boolean isGrouped = strategy == Strategy.GROUP && group > 0;
    int[] block = isGrouped ? new int[] {1, group} : block(weights);
    return new Scheme(bits, type, strategy, group, weights.flag("symmetric", true), block);
  }

  /** Integers of a width, one scale a row or a group of inputs. */
  static Scheme integers(int bits, int groupSize, boolean symmetric) {
    return new Scheme(
        bits,
        Type.INT,
        groupSize > 0 ? Strategy.GROUP : Strategy.CHANNEL,
        groupSize,
        symmetric,
        BLOCK);
  }

  /**
   * Floats of eight bits, scaled by blocks or by row or layer.
   *
   * @param owner may have rows and columns of a block as {@code weight_block_size}
   */
  static Scheme floats(JsonFile owner) {
    Strategy strategy = owner.has("weight_block_size") ? Strategy.BLOCK : Strategy.CHANNEL;
    int[] block = block(owner, "weight_block_size");
    return new Scheme(Byte.SIZE, Type.FLOAT, strategy, -1, true, block);
  }

  private static int[] block(JsonFile weights) {
    return block(weights, "block_structure");
  }

  /** Reads the extents of a block: a list of two numbers, or a text such as {@code 128x128}. */
  private static int[] block(JsonFile weights, String key) {
    JsonNode structure = weights.node().path(key);
    if (structure.isMissingNode() || structure.isNull()) {
      return BLOCK;
    }
    String text =
        structure.isString()
            ? structure.stringValue()
            : structure.isArray() && structure.size() == 2
                ? structure.get(0).asString() + "x" + structure.get(1).asString()
                : "";
    Matcher extents = BLOCKS.matcher(text);
    if (!extents.matches()) {
      throw new FormatException(
          weights.file() + " has the block structure " + structure, "write it as \"128x128\"");
    }
    return new int[] {Integer.parseInt(extents.group(1)), Integer.parseInt(extents.group(2))};
  }

  /** For messages, for example {@code int4 by group of 128}. */
  @Override
  public String toString() {
    Optional<Integer> group = groupSize > 0 ? Optional.of(groupSize) : Optional.empty();
    return type.name().toLowerCase(Locale.ROOT)
        + bits
        + " by "
        + strategy.name().toLowerCase(Locale.ROOT)
        + group.map(size -> " of " + size).orElse("");
  }
}
