package dev.filigree.langchain4j;

import dev.filigree.testing.MiniLm;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.store.embedding.EmbeddingMatch;
import dev.langchain4j.store.embedding.EmbeddingSearchRequest;
import dev.langchain4j.store.embedding.inmemory.InMemoryEmbeddingStore;
import java.nio.file.Path;
import java.util.List;

/** Finds the text that answers a question: embeds texts, keeps them in a store, searches it. */
final class RetrievalExample {
  private static final List<TextSegment> LIBRARY =
      List.of(
          TextSegment.from("Bread is baked from flour, water, salt and yeast."),
          TextSegment.from("Sparse tensor cores skip half of the weights of a 2:4 pattern."),
          TextSegment.from("The river rises in the mountains and ends in a delta."),
          TextSegment.from("A violin has four strings that are tuned in fifths."),
          TextSegment.from("Cats sleep for most of the day and hunt at dawn."));

  private RetrievalExample() {}

  /** The best answer among the texts. */
  static EmbeddingMatch<TextSegment> answer(Path file, String recipe, String question) {
    try (FiligreeEmbeddingModel model =
        FiligreeEmbeddingModel.builder(file).recipe(recipe).build()) {
      InMemoryEmbeddingStore<TextSegment> store = new InMemoryEmbeddingStore<>();
      store.addAll(model.embedAll(LIBRARY).content(), LIBRARY);
      Embedding wanted = model.embed(question).content();
      return store
          .search(EmbeddingSearchRequest.builder().queryEmbedding(wanted).maxResults(1).build())
          .matches()
          .getFirst();
    }
  }

  /** Asks the questions given, or one of its own. */
  public static void main(String[] args) {
    List<String> questions =
        args.length > 0 ? List.of(args) : List.of("How is an instrument with strings tuned?");
    for (String question : questions) {
      EmbeddingMatch<TextSegment> best = answer(MiniLm.encoder(), "int8", question);
      System.out.printf("%s%n  %.3f  %s%n", question, best.score(), best.embedded().text());
    }
  }
}
