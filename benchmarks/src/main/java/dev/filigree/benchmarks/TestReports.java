package dev.filigree.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/**
 * What became of tests that Maven or JUnit's own launcher ran.
 *
 * @param passed number of those that ran and passed
 * @param skipped number of those that did not run
 * @param failures class, test and first line of the message of each that failed
 */
record TestReports(int passed, int skipped, List<String> failures) {
  TestReports {
    failures = List.copyOf(failures);
  }

  /**
   * Reads the reports in a folder.
   *
   * @param folder with {@code TEST-*.xml}; one without any is a failure, for nothing was tested
   */
  static TestReports read(Path folder) throws IOException {
    List<Path> files = List.of();
    if (Files.isDirectory(folder)) {
      try (Stream<Path> all = Files.list(folder)) {
        files =
            all.filter(file -> file.getFileName().toString().matches("TEST-.*\\.xml"))
                .sorted()
                .toList();
      }
    }
    int passed = 0;
    int skipped = 0;
    List<String> failures = new ArrayList<>();
    if (files.isEmpty()) {
      failures.add("no test ran: no report in " + folder);
    }
    for (Path file : files) {
      NodeList cases = parse(file).getElementsByTagName("testcase");
      for (int i = 0; i < cases.getLength(); i++) {
        Element test = (Element) cases.item(i);
        Element failure = first(test, "failure", "error");
        if (failure != null) {
          failures.add(describe(test, failure));
        } else if (first(test, "skipped") != null) {
          skipped++;
        } else {
          passed++;
        }
      }
    }
    return new TestReports(passed, skipped, failures);
  }

  private static Document parse(Path file) throws IOException {
    try {
      return DocumentBuilderFactory.newDefaultInstance().newDocumentBuilder().parse(file.toFile());
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException("every Java platform reads XML", e);
    } catch (SAXException damaged) {
      throw new IOException(file + " is no report of tests: " + damaged.getMessage(), damaged);
    }
  }

  private static Element first(Element test, String... names) {
    for (Node child = test.getFirstChild(); child != null; child = child.getNextSibling()) {
      if (child instanceof Element element && List.of(names).contains(element.getTagName())) {
        return element;
      }
    }
    return null;
  }

  private static String describe(Element test, Element failure) {
    String message = failure.getAttribute("message");
    String kind = failure.getAttribute("type");
    return test.getAttribute("classname")
        + "."
        + test.getAttribute("name")
        + ": "
        + (message.isEmpty() ? kind : message).lines().findFirst().orElse(kind);
  }
}
