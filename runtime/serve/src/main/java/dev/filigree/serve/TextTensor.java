package dev.filigree.serve;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Tensors of strings, datatype BYTES of the Open Inference Protocol: what text encoders with a
 * tokenizer take instead of token numbers. In binary each string is its length, 4 bytes, least
 * significant first, and its UTF-8.
 */
final class TextTensor {
  static final String DATATYPE = "BYTES";

  /** The input of texts, one to a row. */
  static final String INPUT = "text";

  /** The output for it, f32 [texts, features]. */
  static final String OUTPUT = "embedding";

  private TextTensor() {}

  /**
   * Reads the binary form.
   *
   * @param input its name, for messages
   * @throws HttpFailure if lengths or characters do not fit
   */
  static List<String> read(String input, byte[] bytes) {
    ByteBuffer left = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    List<String> texts = new ArrayList<>();
    while (left.hasRemaining()) {
      int length = left.remaining() < Integer.BYTES ? -1 : left.getInt();
      if (length < 0 || length > left.remaining()) {
        throw HttpFailure.bad(
            "input '"
                + input
                + "' has a string that does not end where it says; send each as a length of 4"
                + " bytes, least significant first, and that many bytes");
      }
      texts.add(decoded(input, left.slice(left.position(), length)));
      left.position(left.position() + length);
    }
    return texts;
  }

  private static String decoded(String input, ByteBuffer bytes) {
    try {
      // a decoder of its own reports what is malformed instead of replacing it
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException malformed) {
      throw HttpFailure.bad("input '" + input + "' has a string that is no UTF-8; send UTF-8");
    }
  }

  /**
   * Checks the texts of a request.
   *
   * @param shape [texts] or [texts, 1]
   * @throws HttpFailure if name, shape or texts do not fit
   */
  static List<String> checked(String input, long[] shape, List<String> texts) {
    if (!input.equals(INPUT)) {
      throw HttpFailure.bad(
          "input '" + input + "' is of strings, which only the input '" + INPUT + "' may be");
    }
    boolean fits = shape.length == 1 || shape.length == 2 && shape[1] == 1;
    if (!fits || shape[0] != texts.size() || texts.isEmpty()) {
      throw HttpFailure.bad(
          "input '"
              + input
              + "' has "
              + texts.size()
              + " strings, which is not what its shape says; send at least one, and the shape [n]"
              + " or [n, 1]");
    }
    if (texts.stream().anyMatch(String::isBlank)) {
      throw HttpFailure.bad(
          "input '" + input + "' has an empty text; send texts with words in them");
    }
    return texts;
  }
}
