package dev.filigree.testing;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ArgumentsSource;

/**
 * A property: the method runs once for each of the seeds 1, 2, 3 ... and takes its data from the
 * {@link Samples} passed to it. A failure names its seed; {@code -Dfiligree.seed=17} runs that one
 * alone.
 */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@ParameterizedTest(name = "{0}")
@ArgumentsSource(Seeds.class)
@ExtendWith(Seeds.class)
public @interface Seeded {
  /** Number of seeds. */
  int value() default 100;
}
