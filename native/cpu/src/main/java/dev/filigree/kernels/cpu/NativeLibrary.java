package dev.filigree.kernels.cpu;

import dev.filigree.spi.NativeFolder;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The library of native kernels, unpacked and loaded once per process.
 *
 * @param symbols of the library
 * @param processor what processor and system permit, bits as in {@code processor.c}
 */
record NativeLibrary(SymbolLookup symbols, long processor) {
  private static final String FILE = "libfiligree_cpu.so";
  private static final String RESOURCE = "dev/filigree/kernels/cpu/linux-x86_64/" + FILE;

  /** Whose library it is, in the names of folder and property. */
  private static final String PART = "cpu";

  /** Whether the library is there. */
  sealed interface State {
    /** It can be called. */
    record Loaded(NativeLibrary library) implements State {}

    /**
     * It cannot be called.
     *
     * @param fix what would change that
     */
    record Missing(String why, String fix) implements State {}
  }

  /** Loads the library when it is first asked for. */
  private static final class Holder {
    static final State STATE = load();
  }

  /** Whether the library is there; the same answer each time. */
  static State state() {
    return Holder.STATE;
  }

  private static State load() {
    if (!isLinuxOnX86()) {
      return new State.Missing(
          "there are native kernels for Linux on x86-64 only", "run on such a system");
    }
    byte[] content;
    try (InputStream in = NativeLibrary.class.getClassLoader().getResourceAsStream(RESOURCE)) {
      if (in == null) {
        return new State.Missing(
            "the library " + FILE + " is not on the class path",
            "build Filigree where CMake and gcc 11 or later are, or add the jar"
                + " filigree-kernels-cpu with the classifier linux-x86_64");
      }
      content = in.readAllBytes();
    } catch (IOException unreadable) {
      return new State.Missing(
          "the library " + FILE + " cannot be read: " + unreadable.getMessage(),
          "build or install the jar again");
    }
    return load(content);
  }

  @SuppressWarnings("restricted") // calling C is what this is for
  private static State load(byte[] content) {
    try {
      Path file = NativeFolder.ofUser(PART).unpack(FILE, content, 0).resolve(FILE);
      SymbolLookup symbols = SymbolLookup.libraryLookup(file, Arena.global());
      MethodHandle processor =
          handle(symbols, "fg_processor", FunctionDescriptor.of(ValueLayout.JAVA_LONG));
      NativeLibrary library = new NativeLibrary(symbols, (long) processor.invokeExact());
      return Instructions.describe(library.processor).isEmpty()
          ? new State.Missing(
              "the processor has none of the instructions of the native kernels",
              "use a processor with AVX2")
          : new State.Loaded(library);
    } catch (IllegalCallerException denied) {
      return new State.Missing(
          "this JVM denies native access",
          "start Java with --enable-native-access=ALL-UNNAMED, or =dev.filigree.kernels.cpu on the"
              + " module path");
    } catch (IOException | IllegalArgumentException refused) {
      return new State.Missing(
          "the library " + FILE + " cannot be unpacked or loaded: " + refused.getMessage(),
          "name a folder from which libraries may be loaded with -D" + NativeFolder.property(PART));
    } catch (Throwable thrown) {
      throw new IllegalStateException(thrown);
    }
  }

  private static boolean isLinuxOnX86() {
    String architecture = System.getProperty("os.arch");
    return System.getProperty("os.name").equals("Linux")
        && (architecture.equals("amd64") || architecture.equals("x86_64"));
  }

  /**
   * A function that is short, calls nothing back and takes no objects, so that no switch of the
   * thread's state is needed.
   */
  MethodHandle handle(String function, FunctionDescriptor descriptor) {
    return handle(symbols, function, descriptor);
  }

  @SuppressWarnings("restricted")
  private static MethodHandle handle(
      SymbolLookup symbols, String function, FunctionDescriptor descriptor) {
    return Linker.nativeLinker()
        .downcallHandle(symbols.findOrThrow(function), descriptor, Linker.Option.critical(false));
  }

  /** C throws nothing; what a call throws is an error of the virtual machine. */
  static RuntimeException failed(Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    return new IllegalStateException(thrown);
  }
}
