package dev.filigree.serve;

/** Names that strangers send, made fit to be shown. */
final class Text {
  private static final int SHOWN = 80;

  private Text() {}

  /** A text without control characters, and not too long. */
  static String shown(String text) {
    String clean = text.replaceAll("\\p{Cntrl}", "?");
    return clean.length() <= SHOWN ? clean : clean.substring(0, SHOWN) + "…";
  }
}
