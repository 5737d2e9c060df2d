package dev.filigree.weights;

/**
 * How the numbers of a weight matrix are encoded: plain floats, scaled integers or codes into a
 * codebook. Values are addressed by their position in the encoded array; the row they belong to
 * chooses scale and codebook. Immutable.
 */
public sealed interface Values permits FloatValues, IntegerValues, PackedIntegers, CodeValues {
  /** Number of encoded values. */
  long count();

  /** Bytes of values, scales and codebooks together. */
  long bytes();

  /** Short name for people: {@code f32}, {@code int8}, {@code int4 g64}, {@code codebook-4bit}. */
  String encoding();

  /**
   * Decodes values of one row.
   *
   * @param row the row the values belong to
   * @param position of the first value in the encoded array
   * @param stride positions from one value to the next
   * @param count how many
   * @param into receives the values from index {@code at} on
   */
  void decode(int row, long position, long stride, int count, float[] into, int at);

  /**
   * Checks the contents.
   *
   * @param layer the name used in the message
   * @param rows rows of the matrix
   */
  void validate(String layer, int rows);
}
