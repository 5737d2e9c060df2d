package dev.filigree.cuda.kernel;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.JCudaVersion;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;

/** NVIDIA's PTX compiler, which JCuda brings along: it needs no GPU, driver or toolkit. */
final class PtxCompiler {
  private static final Pattern FUNCTION =
      Pattern.compile("Compiling entry function '(\\w+)' for '(\\w+)'");
  private static final Pattern SPILLS =
      Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill");
  private static final Pattern USED =
      Pattern.compile("Used (\\d+) registers(?:.*?(\\d+) bytes smem)?");

  /** Beside the classes, so that a clean build compiles everything. */
  private static final Path KEPT = Path.of("target", "ptx-compiled");

  private PtxCompiler() {}

  /**
   * What a kernel takes.
   *
   * @param registers of a thread
   * @param spillBytes of a thread, stores and loads
   * @param sharedBytes static ones of a block
   */
  record Resources(int registers, int spillBytes, int sharedBytes) {}

  /** Loads the compiler, unpacked into a folder of its own. */
  static void load(Path folder) {
    String before = System.setProperty("java.io.tmpdir", folder.toString());
    try {
      JNvPTXCompiler.setExceptionsEnabled(false); // whichever call is first loads the library
    } finally {
      System.setProperty("java.io.tmpdir", before);
    }
  }

  /**
   * Compiles a module, unless this compiler has compiled the very same text in an earlier build:
   * what it said then is kept in the build folder. Thread-safe, as the compiler is (PTX Compiler
   * API guide, section 3).
   *
   * @param ptx its text
   * @param architecture such as {@code sm_80}
   * @return what each of its kernels takes
   */
  static Map<String, Resources> compile(byte[] ptx, String architecture) {
    Path kept = KEPT.resolve(digest(ptx) + "-" + architecture + ".log");
    try {
      if (Files.exists(kept)) {
        return resources(Files.readString(kept));
      }
      String log = run(ptx, architecture);
      Files.createDirectories(KEPT);
      Path partial = Files.createTempFile(KEPT, "compiling", ".log");
      Files.writeString(partial, log);
      Files.move(partial, kept, StandardCopyOption.ATOMIC_MOVE);
      return resources(log);
    } catch (IOException e) {
      throw new UncheckedIOException("what the PTX compiler says cannot be kept", e);
    }
  }

  private static String digest(byte[] ptx) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(JCudaVersion.get().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest.digest(ptx), 0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  private static String run(byte[] ptx, String architecture) {
    byte[] text = new byte[ptx.length + 1]; // ends with a NUL
    System.arraycopy(ptx, 0, text, 0, ptx.length);
    nvPTXCompilerHandle handle = new nvPTXCompilerHandle();
    check(JNvPTXCompiler.nvPTXCompilerCreate(handle, text.length, text), "");
    try {
      String[] options = {"--gpu-name=" + architecture, "--verbose"};
      int result = JNvPTXCompiler.nvPTXCompilerCompile(handle, options.length, options);
      check(result, result == nvPTXCompileResult.NVPTXCOMPILE_SUCCESS ? "" : errors(handle));
      return log(handle);
    } finally {
      JNvPTXCompiler.nvPTXCompilerDestroy(handle);
    }
  }

  private static Map<String, Resources> resources(String log) {
    Map<String, Resources> kernels = new LinkedHashMap<>();
    String kernel = null;
    int spilled = 0;
    for (String line : log.split("\n")) {
      Matcher function = FUNCTION.matcher(line);
      Matcher spills = SPILLS.matcher(line);
      Matcher used = USED.matcher(line);
      if (function.find()) {
        kernel = function.group(1);
      } else if (spills.find()) {
        spilled = Integer.parseInt(spills.group(2)) + Integer.parseInt(spills.group(3));
      } else if (used.find()) {
        int shared = used.group(2) == null ? 0 : Integer.parseInt(used.group(2));
        kernels.put(kernel, new Resources(Integer.parseInt(used.group(1)), spilled, shared));
      }
    }
    return kernels;
  }

  private static String errors(nvPTXCompilerHandle handle) {
    long[] size = new long[1];
    JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(handle, size);
    byte[] log = new byte[Math.toIntExact(size[0]) + 1];
    JNvPTXCompiler.nvPTXCompilerGetErrorLog(handle, log);
    return text(log);
  }

  private static String log(nvPTXCompilerHandle handle) {
    long[] size = new long[1];
    JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(handle, size);
    byte[] log = new byte[Math.toIntExact(size[0]) + 1];
    JNvPTXCompiler.nvPTXCompilerGetInfoLog(handle, log);
    return text(log);
  }

  private static String text(byte[] log) {
    return new String(log, StandardCharsets.US_ASCII).replace("\0", "");
  }

  private static void check(int result, String log) {
    if (result != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
      throw new AssertionError(nvPTXCompileResult.stringFor(result) + "\n" + log);
    }
  }
}
