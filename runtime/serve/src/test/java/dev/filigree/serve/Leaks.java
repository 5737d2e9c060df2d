package dev.filigree.serve;

import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * What a process holds that nobody may need any more.
 *
 * @param threads of the server or of sessions, by name
 * @param handles of files and connections, 0 where the system does not tell
 * @param mapped model files
 * @param nativeKilobytes that were allocated off the heap through Java, 0 unless the JVM tracks it
 */
record Leaks(List<String> threads, int handles, int mapped, long nativeKilobytes) {
  /** What the JVM's native memory tracking counts such memory as. */
  private static final Pattern OTHER = Pattern.compile("Other \\(reserved=(\\d+)KB");

  /** After what is garbage has been collected. */
  static Leaks now() throws IOException, JMException, InterruptedException {
    for (int i = 0; i < 5; i++) {
      System.gc();
      // cleaners free what belonged to garbage a little later
      Thread.sleep(200);
    }
    List<String> threads =
        Thread.getAllStackTraces().keySet().stream()
            .map(Thread::getName)
            .filter(name -> name.startsWith("filigree-"))
            .sorted()
            .toList();
    String[] handles = new File("/proc/self/fd").list();
    Path maps = Path.of("/proc/self/maps");
    long mapped =
        Files.exists(maps)
            ? Files.readAllLines(maps).stream().filter(line -> line.endsWith(".onnx")).count()
            : 0;
    return new Leaks(threads, handles == null ? 0 : handles.length, (int) mapped, tracked());
  }

  private static long tracked() throws JMException {
    Object summary =
        ManagementFactory.getPlatformMBeanServer()
            .invoke(
                new ObjectName("com.sun.management:type=DiagnosticCommand"),
                "vmNativeMemory",
                new Object[] {new String[] {"summary"}},
                new String[] {String[].class.getName()});
    Matcher other = OTHER.matcher(summary.toString());
    return other.find() ? Long.parseLong(other.group(1)) : 0;
  }
}
