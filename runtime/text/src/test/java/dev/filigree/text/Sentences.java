package dev.filigree.text;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Texts of many kinds: languages, scripts, emoji, code, almost nothing, and very long ones. */
final class Sentences {
  static final String EATING_FOOD = "A man is eating food.";
  static final String EATING_BREAD = "A man is eating a piece of bread.";

  /** Texts written by hand. */
  static final List<String> VARIED =
      List.of(
          EATING_FOOD,
          EATING_BREAD,
          "",
          " ",
          "\t\n",
          "a",
          "?",
          "...!!!???",
          "0",
          "3.14159265358979",
          "-1e-38, 6.02214076e23 and 0x7fff",
          "The harbour was quiet except for the gulls.",
          "Nobody told the orchestra that the conductor had changed trains in Ghent.",
          "IS THIS SHOUTING OR A CONSTANT?",
          "snake_case, camelCase, kebab-case and SCREAMING_SNAKE",
          "for (int i = 0; i < n; i++) { sum += x[i] * w[i]; }",
          "SELECT name, count(*) FROM orders GROUP BY name HAVING count(*) > 3;",
          "https://example.org/path/to?query=1&other=%20#fragment",
          "someone@example.com wrote: \"see you at 17:45\"",
          "Der Zug nach München fährt heute vom Gleis fünf ab, nicht vom Gleis sieben.",
          "Le garçon a mangé la crêpe où l'été s'achève.",
          "El niño soñó con un pingüino en la montaña.",
          "Žluťoučký kůň úpěl ďábelské ódy",
          "Съешь же ещё этих мягких французских булок",
          "Η αλεπού πηδά πάνω από το σκυλί",
          "今日は天気がいいので散歩に行きましょう",
          "机器学习模型可以被压缩",
          "한국어 문장도 토큰으로 나뉩니다",
          "القطة تنام على السجادة",
          "החתול ישן על השטיח",
          "बिल्ली चटाई पर सोती है",
          "แมวนอนบนเสื่อ",
          "😀",
          "🚀🚀🚀 to the moon 🌕",
          "family: 👩‍👩‍👧‍👦, flag: 🇧🇪, skin: 👍🏽",
          "x² + y² ≤ r², ∀ε>0 ∃δ>0, ∑∏∫",
          "e\u0301 is not \u00e9 until it is normalised",
          "zero\u200bwidth\u200djoiner and \ufeffbyte order mark",
          "tab\tseparated\tvalues\r\nand a second line",
          "[CLS] markers [SEP] in the [MASK] text [PAD] itself [UNK]",
          "pneumonoultramicroscopicsilicovolcanoconiosis",
          "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              + "aaaaaaaaaaaaaaaaaaaa",
          "she sells sea shells she sells sea shells she sells sea shells",
          "control \u0001\u0002\u0007 characters",
          "½ cup of flour, ¾ tsp of salt, 180 °C for 25′");

  /** Words of one token each. */
  private static final List<String> WORDS =
      List.of(
          "the",
          "river",
          "of",
          "glass",
          "turned",
          "slowly",
          "under",
          "an",
          "orange",
          "moon",
          "and",
          "engineers",
          "measured",
          "seven",
          "bridges",
          "before",
          "breakfast",
          "without",
          "asking",
          "why",
          "copper",
          "sings",
          "when",
          "winter",
          "arrives",
          "quickly",
          "42",
          ",",
          ".");

  private Sentences() {}

  /** A text of a number of tokens, the two special ones included; the same for the same seed. */
  static String ofTokens(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<String> words = new ArrayList<>();
    for (int i = 2; i < count; i++) {
      words.add(WORDS.get(random.nextInt(WORDS.size())));
    }
    return String.join(" ", words);
  }

  /** The handwritten texts and made ones of up to 256 tokens. */
  static List<String> all() {
    List<String> texts = new ArrayList<>(VARIED);
    int[] lengths = {3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 97, 127, 129, 200, 255, 256};
    for (int tokens : lengths) {
      texts.add(ofTokens(tokens, tokens));
    }
    return texts;
  }
}
