package dev.filigree.cli;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/** Files with one text a line. */
final class TextLines {
  private TextLines() {}

  /**
   * The lines of a file that are not blank.
   *
   * @param option that named the file
   * @throws UsageException if it cannot be read or holds no text
   */
  static List<String> read(String option, Path file) {
    List<String> texts = lines(option, file).stream().filter(line -> !line.isBlank()).toList();
    if (texts.isEmpty()) {
      throw new UsageException(option + " " + file + " holds no text; write one a line");
    }
    return texts;
  }

  private static List<String> lines(String option, Path file) {
    try {
      return Files.readAllLines(file);
    } catch (NoSuchFileException missing) {
      throw new UsageException(option + " " + file + " does not exist; check the path");
    } catch (CharacterCodingException foreign) {
      throw new UsageException(option + " " + file + " is not UTF-8; convert it");
    } catch (IOException unreadable) {
      throw new UsageException(
          option
              + " "
              + file
              + " cannot be read ("
              + unreadable.getMessage()
              + "); pass a text file");
    }
  }
}
