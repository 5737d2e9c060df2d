package dev.filigree.testing;

import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.ArgumentsProvider;
import org.junit.jupiter.params.support.ParameterDeclarations;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;

/** Feeds {@link Seeded} methods and puts the seed into the message of a failure. */
final class Seeds implements ArgumentsProvider, TestExecutionExceptionHandler {
  @Override
  public Stream<? extends Arguments> provideArguments(
      ParameterDeclarations parameters, ExtensionContext context) {
    Integer only = Integer.getInteger("filigree.seed");
    int count = context.getRequiredTestMethod().getAnnotation(Seeded.class).value();
    IntStream seeds = only == null ? IntStream.rangeClosed(1, count) : IntStream.of(only);
    return seeds.mapToObj(seed -> Arguments.of(new Samples(seed)));
  }

  @Override
  public void handleTestExecutionException(ExtensionContext context, Throwable failure)
      throws Throwable {
    if (failure instanceof TestAbortedException) {
      throw failure;
    }
    throw new AssertionFailedError(
        "with " + context.getDisplayName() + ": " + failure.getMessage(), failure);
  }
}
