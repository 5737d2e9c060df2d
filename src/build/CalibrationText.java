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
 * Makes calibration text out of the documentation comments in source jars: one sentence a line,
 * each once, in an order that depends on the seed alone. The first part is for calibration, the
 * second, which has no sentence of the first, for evaluation.
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
      System.err.println("usage: CalibrationText.java TRAIN COUNT TEST COUNT JAR...");
      System.exit(2);
    }
    Set<String> found = new TreeSet<>();
    for (int i = 4; i < arguments.length; i++) {
      read(Path.of(arguments[i]), found);
    }
    List<String> sentences = new ArrayList<>(found);
    Collections.shuffle(sentences, new Random(SEED));
    int train = Integer.parseInt(arguments[1]);
    int test = Integer.parseInt(arguments[3]);
    if (sentences.size() < train + test) {
      System.err.println("only " + sentences.size() + " sentences were found; add jars");
      System.exit(1);
    }
    Files.write(Path.of(arguments[0]), sentences.subList(0, train));
    Files.write(Path.of(arguments[2]), sentences.subList(train, train + test));
    System.err.println(sentences.size() + " sentences found");
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
      boolean isProse = sentence.matches("[A-Za-z0-9 ,;:'\"()\\-.!?]+");
      if (isProse && sentence.split(" ").length >= LEAST_WORDS && !sentence.contains("License")) {
        found.add(sentence);
      }
    }
    return found;
  }
}
