package dev.filigree.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/** The version Maven built. */
final class Version implements IVersionProvider {
  private static final String RESOURCE = "/dev/filigree/cli/version.properties";

  @Override
  public String[] getVersion() throws IOException {
    return new String[] {"filigree " + number()};
  }

  static String number() throws IOException {
    Properties properties = new Properties();
    try (InputStream in = Version.class.getResourceAsStream(RESOURCE)) {
      properties.load(in);
    }
    return properties.getProperty("version");
  }
}
