package dev.filigree.cuda.operation;

import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.driver.Stream;

/**
 * A kernel with its grid and all its arguments, to be put into a stream any number of times. The
 * memory the arguments name must live as long.
 *
 * @param kernel what is launched
 * @param x blocks along x
 * @param y blocks along y
 * @param arguments all of them
 */
public record Launch(Kernel kernel, int x, int y, Arguments arguments) {
  /** Puts it into a stream; nothing if there is nothing to compute. */
  public void into(Stream stream) {
    if (x > 0 && y > 0) {
      kernel.launch(stream, x, y, 1, arguments);
    }
  }
}
