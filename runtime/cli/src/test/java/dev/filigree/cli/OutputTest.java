package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OutputTest {
  private static String print(Output.Table table, int columns) {
    StringWriter out = new StringWriter();
    PrintWriter writer = new PrintWriter(out);
    table.print(writer, columns);
    writer.flush();
    return out.toString().replace(System.lineSeparator(), "\n");
  }

  @ParameterizedTest
  @CsvSource({"0, 0 B", "999, 999 B", "1000, 1.0 kB", "90387606, 90.4 MB", "2500000000, 2.50 GB"})
  void bytesAreShownInDecimalUnits(long bytes, String shown) {
    assertEquals(shown, Output.bytes(bytes));
  }

  @Test
  void numbersLookTheSameInEveryLocale() {
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.GERMANY);
      assertEquals("0.7553", Output.format("%.4f", 0.7553));
      assertEquals("1.5 kB", Output.bytes(1500));
    } finally {
      Locale.setDefault(before);
    }
  }

  @Test
  void columnsAlign() {
    Output.Table table = new Output.Table("name", ">bytes");
    table.row("a", "1");
    table.row("longer", "12345");
    assertEquals("name    bytes\na           1\nlonger  12345\n", print(table, Integer.MAX_VALUE));
  }

  @Test
  void aNarrowTerminalCutsNamesAndPutsSentencesBelow() {
    Output.Table table = new Output.Table("layer", ">time", "why");
    table.row("encoder.layer.0.attention.output", "12 µs", "because it is the fastest by far");
    table.row("encoder.layer.1.attention.output", "13 µs", "because it is the fastest by far");
    table.row("head", "1 µs", "small");
    assertEquals(
        """
        layer                          time  why
        encoder.l…0.attention.output  12 µs  1
        encoder.l…1.attention.output  13 µs  1
        head                           1 µs  2

        1  because it is the fastest by far

        2  small
        """,
        print(table, 40));
  }

  @Test
  void sentencesThatFitStayInTheirRow() {
    Output.Table table = new Output.Table("layer", "why");
    table.row("head", "because it is small");
    assertEquals("layer  why\nhead   because it is small\n", print(table, 40));
  }

  @Test
  void numbersAreNeverCut() {
    Output.Table table = new Output.Table("name", ">value");
    table.row("a-rather-long-name", "1234567890.123 ms");
    assertTrue(print(table, 5).contains("1234567890.123 ms"));
  }

  @Test
  void aTextOfSeveralLinesIsShownInOne() {
    assertEquals("one two", Output.cut(" one\n\ttwo ", 10));
    assertEquals("one…", Output.cut("one two", 4));
  }
}
