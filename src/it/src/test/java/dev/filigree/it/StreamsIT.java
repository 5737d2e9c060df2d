package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.Map;
import org.junit.jupiter.api.Test;

/** Standard streams that end early, or are not there. */
class StreamsIT {
  private final Product product = Product.get();

  @Test
  void aReaderThatWantsOneLineOnlyIsNoFailure() {
    Program.Result result =
        product
            .shell(Map.of(), "set -o pipefail; \"$filigree\" inspect minilm --json | head -c 10")
            .succeeds();
    assertEquals("{\"tensors\"", result.out());
  }

  @Test
  void outputThatCannotBeWrittenIsAFailure() {
    product
        .shell(Map.of(), "\"$filigree\" doctor >/dev/full")
        .failsWith(1, "standard output cannot be written", "No space");
  }

  @Test
  void closedStreamsDoNoHarm() {
    Program.Result result =
        product.shell(Map.of(), "\"$filigree\" doctor <&- && \"$filigree\" doctor >&-").succeeds();
    assertFalse(result.out().isEmpty());
  }

  @Test
  void withoutATerminalNoBarAndNoControlCharacterShows() {
    Program.Result result =
        product.run("compress", "minilm", "--recipe", "2:4", "-o", "bars.filigree");
    assertFalse(result.succeeds().out().contains("\033"), result.out());
    assertFalse(result.err().contains("\r") || result.err().contains("compressing"), result.err());
  }
}
