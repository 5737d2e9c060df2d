package dev.filigree.kernels.cuda;

/** A manifest that does not say what it must: the jar it came in is broken. */
public final class ManifestException extends RuntimeException {
  private static final long serialVersionUID = 1;

  ManifestException(String problem) {
    super("kernel manifest: " + problem + "; run kernels/cuda/build, or replace the jar");
  }
}
