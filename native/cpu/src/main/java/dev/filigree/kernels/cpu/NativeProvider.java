package dev.filigree.kernels.cpu;

import dev.filigree.spi.KernelProvider;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;

/**
 * Brings linear layers of 8-bit integers, bf16 and 4-bit codes in C, beside everything else that
 * the best other set does. Nothing needs it: where the library was not built, or the processor has
 * none of its instructions, the other set serves alone.
 */
public final class NativeProvider implements KernelProvider {
  /** For {@link java.util.ServiceLoader}. */
  public NativeProvider() {}

  @Override
  public String name() {
    return "native";
  }

  @Override
  public int rank() {
    return 20;
  }

  @Override
  public boolean isPartial() {
    return true;
  }

  @Override
  public Probe probe() {
    return switch (NativeLibrary.state()) {
      case NativeLibrary.State.Loaded(NativeLibrary library) ->
          new Probe.Ready(Instructions.describe(library.processor()));
      case NativeLibrary.State.Missing(String why, String fix) ->
          new Probe.Missing(
              why,
              fix
                  + "; it would bring int8 models several times as fast, bf16 with"
                  + " --precision bf16, and faster codebooks for decoders");
    };
  }

  @Override
  public Kernels open() {
    NativeLibrary library =
        switch (NativeLibrary.state()) {
          case NativeLibrary.State.Loaded(NativeLibrary loaded) -> loaded;
          case NativeLibrary.State.Missing missing ->
              throw new IllegalStateException("opened although " + missing.why());
        };
    return new NativeKernels(
        KernelSets.below(this),
        Instructions.integers(library),
        Instructions.halves(library).orElse(null),
        new TokenCalls(library));
  }
}
