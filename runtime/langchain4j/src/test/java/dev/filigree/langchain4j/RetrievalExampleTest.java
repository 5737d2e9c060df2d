package dev.filigree.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.testing.MiniLm;
import org.junit.jupiter.api.Test;

class RetrievalExampleTest {
  @Test
  void questionsFindTheirAnswers() {
    assertEquals(
        "A violin has four strings that are tuned in fifths.",
        RetrievalExample.answer(MiniLm.encoder(), "int8", "How is an instrument tuned?")
            .embedded()
            .text());
    assertEquals(
        "Sparse tensor cores skip half of the weights of a 2:4 pattern.",
        RetrievalExample.answer(MiniLm.encoder(), "int8", "Which hardware profits from zeros?")
            .embedded()
            .text());
  }
}
