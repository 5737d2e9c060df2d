package dev.filigree.kernels.cpu;

import org.junit.jupiter.api.Assumptions;

/** The library under test; tests are skipped where it could not be built or run. */
final class Natives {
  private Natives() {}

  static NativeLibrary library() {
    return switch (NativeLibrary.state()) {
      case NativeLibrary.State.Loaded(NativeLibrary library) -> library;
      case NativeLibrary.State.Missing(String why, String fix) ->
          Assumptions.abort("native kernels: " + why + "; " + fix);
    };
  }
}
