package dev.filigree.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** How results are printed: tables for people, one JSON document for programs. */
final class Output {
  static final ObjectMapper JSON = JsonMapper.builder().build();

  private Output() {}

  /** Prints one JSON document. */
  static void json(PrintWriter out, ObjectNode document) {
    out.println(document);
    out.flush();
  }

  /** A number of bytes for people. */
  static String bytes(long bytes) {
    if (bytes < 1000) {
      return bytes + " B";
    }
    if (bytes < 1_000_000) {
      return format("%.1f kB", bytes / 1e3);
    }
    return bytes < 1_000_000_000 ? format("%.1f MB", bytes / 1e6) : format("%.2f GB", bytes / 1e9);
  }

  /** Formats without the user's locale, so that numbers look the same everywhere. */
  static String format(String pattern, Object... arguments) {
    return String.format(Locale.ROOT, pattern, arguments);
  }

  /** A number as JSON has it: null for what is not known. */
  static Double known(double number) {
    return Double.isNaN(number) ? null : number;
  }

  /** Formats a number, or is empty for what is not known. */
  static String known(String pattern, double number) {
    return Double.isNaN(number) ? "" : format(pattern, number);
  }

  /** A text cut to a width. */
  static String cut(String text, int width) {
    String line = text.replaceAll("\\s+", " ").strip();
    return line.length() <= width ? line : line.substring(0, Math.max(0, width - 1)) + "…";
  }

  /** A text cut nearer to its start than to its end: the ends of names tell them apart. */
  static String cutMiddle(String name, int width) {
    if (name.length() <= width) {
      return name;
    }
    int tail = width * 2 / 3;
    return name.substring(0, width - tail - 1) + "…" + name.substring(name.length() - tail);
  }

  /**
   * Rows of cells in aligned columns. On a terminal that is too narrow the widest columns are cut.
   * Sentences in the last column are not: they are numbered there and follow below the table, each
   * once.
   */
  static final class Table {
    /** What a column keeps at least. */
    private static final int MIN_WIDTH = 10;

    private static final String GAP = "  ";

    private final List<String[]> rows = new ArrayList<>();
    private final boolean[] right;

    /**
     * A table.
     *
     * @param header of each column; one that starts with '&gt;' aligns its column to the right
     */
    Table(String... header) {
      right = new boolean[header.length];
      String[] names = new String[header.length];
      for (int c = 0; c < header.length; c++) {
        right[c] = header[c].startsWith(">");
        names[c] = right[c] ? header[c].substring(1) : header[c];
      }
      rows.add(names);
    }

    void row(String... cells) {
      rows.add(cells);
    }

    void print(PrintWriter out) {
      print(out, Terminal.columns());
    }

    /** Prints lines of at most {@code columns} characters, if the table can be made so narrow. */
    void print(PrintWriter out, int columns) {
      int[] widths = widths(columns);
      List<String> notes = notes(widths);
      if (!notes.isEmpty()) {
        widths = widths(columns);
      }
      rows(out, widths);
      for (int n = 0; n < notes.size(); n++) {
        String number = (n + 1) + GAP;
        String text = notes.get(n);
        out.println();
        for (String line : wrapped(text, Math.max(MIN_WIDTH, columns - number.length()))) {
          out.println(number + line);
          number = " ".repeat(number.length());
        }
      }
    }

    /**
     * Puts numbers in the place of sentences in the last column if they are too long for it.
     *
     * @return the sentences, none if all fit
     */
    private List<String> notes(int[] widths) {
      int last = widths.length - 1;
      boolean fits =
          right[last] || rows.stream().allMatch(row -> row[last].length() <= widths[last]);
      boolean sentences = rows.stream().skip(1).anyMatch(row -> row[last].contains(" "));
      if (fits || !sentences) {
        return List.of();
      }
      List<String> notes = new ArrayList<>();
      for (String[] row : rows.subList(1, rows.size())) {
        if (!row[last].isEmpty()) {
          if (!notes.contains(row[last])) {
            notes.add(row[last]);
          }
          row[last] = Integer.toString(notes.indexOf(row[last]) + 1);
        }
      }
      return notes;
    }

    private static List<String> wrapped(String text, int width) {
      List<String> lines = new ArrayList<>();
      StringBuilder line = new StringBuilder();
      for (String word : text.split("\\s+")) {
        if (!line.isEmpty() && line.length() + 1 + word.length() > width) {
          lines.add(line.toString());
          line.setLength(0);
        }
        line.append(line.isEmpty() ? "" : " ").append(word);
      }
      lines.add(line.toString());
      return lines;
    }

    private void rows(PrintWriter out, int[] widths) {
      for (String[] row : rows) {
        StringBuilder line = new StringBuilder();
        for (int c = 0; c < widths.length; c++) {
          String cell =
              c == widths.length - 1 ? cut(row[c], widths[c]) : cutMiddle(row[c], widths[c]);
          String space = " ".repeat(widths[c] - cell.length());
          line.append(c == 0 ? "" : GAP).append(right[c] ? space + cell : cell + space);
        }
        out.println(line.toString().stripTrailing());
      }
    }

    private int[] widths(int columns) {
      int[] widths = new int[right.length];
      for (String[] row : rows) {
        for (int c = 0; c < widths.length; c++) {
          widths[c] = Math.max(widths[c], row[c].length());
        }
      }
      long excess = Arrays.stream(widths).sum() + GAP.length() * (widths.length - 1L) - columns;
      while (excess > 0) {
        int widest = -1;
        for (int c = 0; c < widths.length; c++) {
          if (!right[c] && widths[c] > MIN_WIDTH && (widest < 0 || widths[c] >= widths[widest])) {
            widest = c;
          }
        }
        if (widest < 0) {
          break;
        }
        widths[widest]--;
        excess--;
      }
      return widths;
    }
  }
}
