package dev.filigree.djl;

import ai.djl.Model;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.modality.nlp.translator.TextEmbeddingServingTranslator;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorFactory;
import ai.djl.util.Pair;
import java.io.Serializable;
import java.lang.reflect.Type;
import java.util.Map;
import java.util.Set;

/**
 * Makes translators of texts to vectors: {@code String} to {@code float[]} in programs, and DJL
 * Serving's requests with {@code option.translatorFactory} set to this class's name.
 */
public final class SentenceTranslatorFactory implements TranslatorFactory, Serializable {
  private static final long serialVersionUID = 1L;

  @Override
  public Set<Pair<Type, Type>> getSupportedTypes() {
    return Set.of(new Pair<>(String.class, float[].class), new Pair<>(Input.class, Output.class));
  }

  /**
   * @throws IllegalArgumentException if the types are others than the supported ones
   */
  @Override
  @SuppressWarnings("unchecked") // the types were compared
  public <I, O> Translator<I, O> newInstance(
      Class<I> input, Class<O> output, Model model, Map<String, ?> arguments) {
    if (!isSupported(input, output)) {
      throw new IllegalArgumentException(
          "texts become vectors: String to float[] or Input to Output, not "
              + input.getName()
              + " to "
              + output.getName());
    }
    SentenceTranslator translator = new SentenceTranslator();
    return (Translator<I, O>)
        (input == String.class ? translator : new TextEmbeddingServingTranslator(translator));
  }
}
