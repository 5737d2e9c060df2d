import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Makes calibration text out of the documentation comments in source jars and of WordNet's data
 * files (definitions and examples of everyday words): one sentence a line, each once, in an order
 * that depends on the seed alone. With both kinds of source every other line is of the other kind.
 * The first part is for calibration, the second, which has no sentence of the first, for
 * evaluation.
 *
 * <pre>
 *   mvn dependency:copy -Dartifact=org.apache.commons:commons-lang3:3.17.0:jar:sources -DoutputDirectory=target/text
 *   java src/build/CalibrationText.java target/text/calibration.txt 8000 target/text/evaluation.txt 256 target/text/*.jar
 * </pre>
 */
final class CalibrationText {
  private static final Pattern COMMENT = Pattern.compile("/\\*\\*(.*?)\\*/", Pattern.DOTALL);
  private static final Pattern SENTENCE = Pattern.compile("[A-Z][^.!?]{20,240}[.!?](?=\\s|$)");
  private static final int LEAST_WORDS = 5;
  private static final long SEED = 1;

  private CalibrationText() {}

  public static void main(String[] arguments) throws IOException {
    if (arguments.length < 5) {
      System.err.println(
          "usage: CalibrationText.java TRAIN COUNT TEST COUNT JAR-OR-WORDNET-FILE...");
      System.exit(2);
    }
    Set<String> ofJars = new TreeSet<>();
    Set<String> ofWords = new TreeSet<>();
    for (int i = 4; i < arguments.length; i++) {
      if (arguments[i].endsWith(".jar")) {
        read(Path.of(arguments[i]), ofJars);
      } else {
        readWords(Path.of(arguments[i]), ofWords);
      }
    }
    List<String> sentences = mixed(shuffled(ofJars), shuffled(ofWords));
    int train = Integer.parseInt(arguments[1]);
    int test = Integer.parseInt(arguments[3]);
    if (sentences.size() < train + test) {
      System.err.println("only " + sentences.size() + " sentences were found; add sources");
      System.exit(1);
    }
    Files.write(Path.of(arguments[0]), sentences.subList(0, train));
    Files.write(Path.of(arguments[2]), sentences.subList(train, train + test));
    System.err.println(sentences.size() + " sentences found");
  }

  private static List<String> shuffled(Set<String> found) {
    List<String> sentences = new ArrayList<>(found);
    Collections.shuffle(sentences, new Random(SEED));
    return sentences;
  }

  /** One of each in turn, as long as there are both; all of one if there are none of the other. */
  private static List<String> mixed(List<String> a, List<String> b) {
    if (a.isEmpty() || b.isEmpty()) {
      return a.isEmpty() ? b : a;
    }
    List<String> mixed = new ArrayList<>();
    for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
      mixed.add(a.get(i));
      mixed.add(b.get(i));
    }
    return mixed;
  }

  /** Reads the definitions and the quoted examples behind the bars of a data file of WordNet. */
  private static void readWords(Path file, Set<String> sentences) throws IOException {
    for (String line : Files.readAllLines(file, StandardCharsets.ISO_8859_1)) {
      int bar = line.indexOf('|');
      if (bar < 0 || line.startsWith("  ")) {
        continue;
      }
      String[] parts = line.substring(bar + 1).split("\"");
      for (int i = 0; i < parts.length; i++) {
        boolean isExample = i % 2 == 1;
        String text = parts[i].replaceAll("^[;\\s]+|[;\\s]+$", "");
        int least = isExample ? LEAST_WORDS : LEAST_WORDS + 2;
        if (isProse(text) && text.split(" ").length >= least && (isExample || i == 0)) {
          sentences.add(text);
        }
      }
    }
  }

  private static boolean isProse(String text) {
    return text.matches("[A-Za-z0-9 ,;:'\"()\\-.!?]+");
  }

  private static void read(Path jar, Set<String> sentences) throws IOException {
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      for (ZipEntry entry : Collections.list(zip.entries())) {
        if (entry.getName().endsWith(".java")) {
          byte[] bytes = zip.getInputStream(entry).readAllBytes();
          Matcher comments = COMMENT.matcher(new String(bytes, StandardCharsets.UTF_8));
          while (comments.find()) {
            sentences.addAll(sentences(comments.group(1)));
          }
        }
      }
    }
  }

  private static Set<String> sentences(String comment) {
    String text =
        comment
            .replaceAll("(?s)<pre>.*?</pre>|<[^>]*>", " ")
            .replaceAll("(?m)^\\s*\\*", " ")
            .replaceAll("(?s)(^|\\s)@\\w+.*", " ")
            .replaceAll("\\{@link\\w*\\s+\\S+\\s+([^}]+)\\}", "$1")
            .replaceAll("\\{@\\w+\\s+([^}]*)\\}", "$1")
            .replaceAll("\\s+", " ")
            .strip();
    Set<String> found = new LinkedHashSet<>();
    Matcher sentences = SENTENCE.matcher(text);
    while (sentences.find()) {
      String sentence = sentences.group();
      if (isProse(sentence)
          && sentence.split(" ").length >= LEAST_WORDS
          && !sentence.contains("License")) {
        found.add(sentence);
      }
    }
    return found;
  }
}
