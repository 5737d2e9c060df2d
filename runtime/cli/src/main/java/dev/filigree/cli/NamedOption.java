package dev.filigree.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Stack;
import picocli.CommandLine.IParameterConsumer;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/**
 * Reads an option NAME=VALUE into a map: both parts are there, the word is no option itself, and a
 * name is given once. Picocli alone would take the last of two values of a name and say nothing.
 *
 * @param <T> what the values are
 */
abstract class NamedOption<T> implements IParameterConsumer {
  /** Files by name. */
  static final class Files extends NamedOption<Path> {
    @Override
    Path value(String text) {
      return Path.of(text);
    }
  }

  /** Texts by name. */
  static final class Texts extends NamedOption<String> {
    @Override
    String value(String text) {
      return text;
    }
  }

  /**
   * Makes a value of its text.
   *
   * @throws InvalidPathException if it is none
   */
  abstract T value(String text);

  @Override
  public final void consumeParameters(Stack<String> words, ArgSpec option, CommandSpec command) {
    String name = option instanceof OptionSpec named ? named.longestName() : option.paramLabel();
    String word = words.isEmpty() ? "" : words.pop();
    int equals = word.indexOf('=');
    // the next option, where the value was forgotten
    boolean isOption = word.startsWith("--");
    if (isOption || equals < 1 || equals == word.length() - 1) {
      throw new ParameterException(
          command.commandLine(),
          "Value for option '"
              + name
              + "' should be "
              + option.paramLabel()
              + " but was '"
              + word
              + "'");
    }
    Map<String, T> values = new LinkedHashMap<>();
    if (option.getValue() instanceof Map<?, ?> before) {
      @SuppressWarnings("unchecked")
      Map<String, T> known = (Map<String, T>) before;
      values.putAll(known);
    }
    try {
      if (values.put(word.substring(0, equals), value(word.substring(equals + 1))) != null) {
        throw new ParameterException(
            command.commandLine(),
            "Option '" + name + "' names '" + word.substring(0, equals) + "' twice; name it once");
      }
    } catch (InvalidPathException wrong) {
      throw new ParameterException(
          command.commandLine(), "Option '" + name + "': '" + word + "' names no file", wrong);
    }
    option.setValue(values);
  }
}
