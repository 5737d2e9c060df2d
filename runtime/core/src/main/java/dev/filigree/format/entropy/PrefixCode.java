package dev.filigree.format.entropy;

/**
 * A canonical prefix code of bytes: given by the lengths of its codes alone. Codes of one length
 * are consecutive numbers in the order of their symbols; the shorter come first.
 */
final class PrefixCode {
  /** Longest code: a table of all prefixes of that length stays in the first cache. */
  static final int LIMIT = 12;

  static final int SYMBOLS = 256;

  /** Bits of a table's entry below the symbol: a shift takes no more of its count. */
  static final int LENGTH_BITS = 6;

  /** Bits of a code's length among the others of an entry. */
  static final int LENGTH_MASK = (1 << LENGTH_BITS) - 1;

  private PrefixCode() {}

  /** Canonical codes, their bits reversed since streams begin at the least significant bit. */
  static int[] codes(int[] lengths) {
    int[] codes = new int[SYMBOLS];
    int next = 0;
    for (int length = 1; length <= LIMIT; length++) {
      for (int symbol = 0; symbol < SYMBOLS; symbol++) {
        if (lengths[symbol] == length) {
          codes[symbol] = Integer.reverse(next++) >>> Integer.SIZE - length;
        }
      }
      next <<= 1;
    }
    return codes;
  }

  /**
   * For every prefix the symbol it begins with above {@link #LENGTH_BITS}, and the code's length
   * below.
   *
   * @param empty whether there is nothing to decode, and so no code
   * @return null if these are no lengths of a prefix code
   */
  static short[] table(int[] lengths, boolean empty) {
    long filled = 0;
    int used = 0;
    for (int length : lengths) {
      if (length > LIMIT) {
        return null;
      }
      filled += length == 0 ? 0 : 1 << LIMIT - length;
      used += length == 0 ? 0 : 1;
    }
    boolean lone = used == 1 && filled == 1 << LIMIT - 1;
    if (empty ? used != 0 : filled != 1 << LIMIT && !lone) {
      return null;
    }
    int[] codes = codes(lengths);
    short[] table = new short[1 << LIMIT];
    for (int symbol = 0; symbol < SYMBOLS; symbol++) {
      int length = lengths[symbol];
      for (int high = 0; length > 0 && high < 1 << LIMIT - length; high++) {
        table[high << length | codes[symbol]] = (short) (symbol << LENGTH_BITS | length);
      }
    }
    if (lone) {
      // the other half is no code; the check of the decoded bytes finds what was wrong
      for (int i = 0; i < table.length; i++) {
        table[i] = table[i & ~1];
      }
    }
    return table;
  }
}
