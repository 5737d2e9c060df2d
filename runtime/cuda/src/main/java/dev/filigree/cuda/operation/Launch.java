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
 * @param sharedBytes dynamic shared memory of a block
 * @param arguments all of them
 */
public record Launch(Kernel kernel, int x, int y, int sharedBytes, Arguments arguments) {
  /** A launch with the shared memory that the manifest says. */
  public Launch(Kernel kernel, int x, int y, Arguments arguments) {
    this(kernel, x, y, kernel.entry().sharedBytes(), arguments);
  }

  /** Puts it into a stream; nothing if there is nothing to compute. */
  public void into(Stream stream) {
    if (x > 0 && y > 0) {
      kernel.launch(stream, x, y, 1, sharedBytes, arguments);
    }
  }
}
