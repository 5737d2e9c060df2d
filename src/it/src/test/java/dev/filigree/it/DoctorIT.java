package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** {@code doctor} says which kernels serve, and what would make better ones serve. */
class DoctorIT {
  private final Product product = Product.get();

  private String classPath() {
    return product.jars().stream()
        .map(Object::toString)
        .collect(Collectors.joining(File.pathSeparator));
  }

  @Test
  void startedByTheLauncherItUsesVectors() {
    JsonNode document = product.run("doctor", "--json").json();
    assertTrue(document.get("vector").get("ready").asBoolean(), document.toString());
    assertTrue(document.get("vector").get("bits").asInt() >= 128, document.toString());
    assertEquals("vector", document.get("kernels").asString());
    assertFalse(document.get("devices").get(1).get("fix").asString().isEmpty());
  }

  @Test
  void onAClassPathWithoutTheModuleItSaysSoAndHowToMendIt() {
    Program.Result result =
        product.java(List.of("-cp", classPath(), "dev.filigree.cli.Main", "doctor")).succeeds();
    assertTrue(
        result
            .out()
            .contains(
                "vector: not used: module jdk.incubator.vector is not loaded;"
                    + " start Java with --add-modules=jdk.incubator.vector"),
        result.out());
    assertTrue(result.out().contains("scalar: ready, plain Java  <- in use"), result.out());
  }
}
