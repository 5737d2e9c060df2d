package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which layers a part of a quantisation config is about: class names such as {@code Linear}, names
 * of modules, or patterns that begin with {@code re:} and match from the start of a name, as
 * Python's {@code re.match} does. Immutable.
 *
 * @param names class names and names of modules
 * @param patterns compiled patterns
 */
record Targets(List<String> names, List<Pattern> patterns) {
  private static final String PATTERN = "re:";
  private static final int MAX_PATTERN = 1000;

  /** Characters a pattern may look at for one name: a hostile one would never end. */
  private static final int MAX_STEPS = 100_000;

  /** Nothing. */
  static final Targets NONE = new Targets(List.of(), List.of());

  /** Reads the list under a key. */
  static Targets read(JsonFile owner, String key) {
    List<String> all = owner.texts(key);
    return new Targets(
        all.stream().filter(text -> !text.startsWith(PATTERN)).toList(),
        all.stream()
            .filter(text -> text.startsWith(PATTERN))
            .map(text -> compile(owner, text.substring(PATTERN.length())))
            .toList());
  }

  /** The modules whose names a pattern matches. */
  static Targets matching(JsonFile owner, String pattern) {
    return new Targets(List.of(), List.of(compile(owner, pattern)));
  }

  private static Pattern compile(JsonFile owner, String pattern) {
    if (pattern.length() > MAX_PATTERN) {
      throw new FormatException(
          owner.file() + " has a pattern of " + pattern.length() + " characters",
          "use at most " + MAX_PATTERN);
    }
    try {
      return Pattern.compile(pattern);
    } catch (PatternSyntaxException | StackOverflowError malformed) {
      throw new FormatException(
          owner.file() + " has the pattern '" + pattern + "', which is none",
          "correct it",
          malformed);
    }
  }

  /** Whether a module is named, by its own name or a pattern. */
  boolean name(String module) {
    return names.contains(module)
        || patterns.stream().anyMatch(pattern -> matches(pattern, module));
  }

  /** Whether a module is meant, by a name, a pattern or the class of all linear layers. */
  boolean cover(String module) {
    return names.contains("Linear") || name(module);
  }

  private static boolean matches(Pattern pattern, String module) {
    try {
      return pattern.matcher(new Bounded(module, new int[1])).lookingAt();
    } catch (EndlessPatternException | StackOverflowError endless) {
      throw new FormatException(
          "the pattern '"
              + pattern
              + "' of the quantisation config does not end on '"
              + module
              + "'",
          "write it without nested repetitions",
          endless);
    }
  }

  /** Thrown out of a matcher that looked at too many characters. */
  private static final class EndlessPatternException extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  /** A name that counts how often it is looked at. */
  private record Bounded(String text, int[] steps) implements CharSequence {
    @Override
    public int length() {
      return text.length();
    }

    @Override
    public char charAt(int index) {
      if (++steps[0] > MAX_STEPS) {
        throw new EndlessPatternException();
      }
      return text.charAt(index);
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return new Bounded(text.substring(start, end), steps);
    }

    @Override
    public String toString() {
      return text;
    }
  }
}
