package dev.filigree.format.entropy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The lengths of the best prefix code whose codes are not longer than a limit, by package-merge
 * (Larmore and Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", JACM 37/3,
 * 1990).
 */
final class CodeLengths {
  private CodeLengths() {}

  /** A symbol, or a package of two things of the level below. */
  private record Item(long weight, int symbol, Item left, Item right) {
    void count(int[] lengths) {
      if (symbol >= 0) {
        lengths[symbol]++;
      } else {
        left.count(lengths);
        right.count(lengths);
      }
    }
  }

  /**
   * The length of each symbol's code, 0 for symbols that do not occur. A lone symbol has length 1.
   *
   * @param counts of the symbols
   * @param limit longest code; codes of that length must suffice for the symbols that occur
   */
  static int[] of(long[] counts, int limit) {
    List<Item> symbols = new ArrayList<>();
    for (int symbol = 0; symbol < counts.length; symbol++) {
      if (counts[symbol] > 0) {
        symbols.add(new Item(counts[symbol], symbol, null, null));
      }
    }
    int[] lengths = new int[counts.length];
    if (symbols.size() == 1) {
      lengths[symbols.getFirst().symbol] = 1;
      return lengths;
    }
    symbols.sort(Comparator.comparingLong(Item::weight));
    List<Item> level = symbols;
    for (int i = 1; i < limit; i++) {
      List<Item> next = new ArrayList<>(symbols);
      for (int j = 0; j + 1 < level.size(); j += 2) {
        Item left = level.get(j);
        Item right = level.get(j + 1);
        next.add(new Item(left.weight + right.weight, -1, left, right));
      }
      next.sort(Comparator.comparingLong(Item::weight));
      level = next;
    }
    for (int i = 0; i < 2 * symbols.size() - 2; i++) {
      level.get(i).count(lengths);
    }
    return lengths;
  }
}
