package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What sentence-transformers keeps beside a network: folders {@code 1_Pooling}, {@code 2_Dense},
 * {@code 3_Normalize} that say how the tokens' vectors become one. Read as far as it decides the
 * result.
 */
public final class SentenceModules {
  /** Key of the way to pool in a model's metadata: see {@link #pooling}. */
  public static final String POOLING = "pooling";

  private static final String MODE = "pooling_mode";
  private static final String CONFIG = "config.json";
  private static final String DENSE = "_Dense";

  /** Flags of the older form of the file and what they are called in the newer one. */
  private static final Map<String, String> FLAGS =
      new TreeMap<>(
          Map.of(
              "pooling_mode_cls_token", "cls",
              "pooling_mode_lasttoken", "lasttoken",
              "pooling_mode_max_tokens", "max",
              "pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens",
              "pooling_mode_mean_tokens", "mean",
              "pooling_mode_weightedmean_tokens", "weightedmean"));

  private SentenceModules() {}

  /**
   * How a model's token vectors become one: for example {@code cls}, several joined by {@code +} if
   * there is more than one, with {@code +dense} if a layer follows.
   *
   * @param folder of the model
   * @return nothing if the folder does not say
   * @throws FormatException if a file in it is damaged
   */
  public static Optional<String> pooling(Path folder) {
    Path file = folder.resolve("1_Pooling").resolve(CONFIG);
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    JsonFile config = JsonFile.read(file);
    List<String> modes =
        FLAGS.keySet().stream().filter(flag -> config.flag(flag, false)).map(FLAGS::get).toList();
    String mode = config.text(MODE).orElseGet(() -> String.join("+", modes));
    if (mode.isEmpty()) {
      throw new FormatException(file + " names no way to pool", "download it again");
    }
    return Optional.of(hasDense(folder) ? mode + "+dense" : mode);
  }

  private static boolean hasDense(Path folder) {
    try (DirectoryStream<Path> modules = Files.newDirectoryStream(folder, "?" + DENSE)) {
      return modules.iterator().hasNext();
    } catch (IOException unreadable) {
      throw new FormatException(
          folder + " cannot be read (" + unreadable.getMessage() + ")",
          "check its permissions",
          unreadable);
    }
  }
}
