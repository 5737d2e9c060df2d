package dev.filigree.simgpu;

import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * Runs a test, or every test of a class, on a fresh simulated GPU. A parameter of type {@link
 * SimulatedDevice} gives access to findings and counters.
 *
 * <p>Where the simulated GPU was not built the tests are skipped with the reason, unless the system
 * property {@code filigree.simgpu.required} is {@code true}. Where {@code filigree.simgpu} is
 * {@code off} tests run on the GPU of this machine; those that need a certain device, its counters,
 * a fault or a {@link SimulatedDevice} are skipped.
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@ExtendWith(SimulatedGpuExtension.class)
@ResourceLock("dev.filigree.simgpu")
public @interface SimulatedGpu {
  /** The device: {@code a100}, {@code a10}, {@code rtx3090} or {@code rtx5090}. */
  String model() default SimulatedGpuExtension.USUAL_MODEL;

  /** Size of the device's memory in bytes; 0 for the model's own. */
  long memoryBytes() default 0;

  /** Whether races, uninitialised reads and the like are looked for. */
  boolean checks() default true;

  /** Whether tensor cores round as measured hardware does. */
  boolean exactRounding() default false;

  /** Whether memory counters are filled in. */
  boolean traffic() default false;

  /** Whether event times are projected device times; memory counters are then on. */
  boolean projectedTimes() default false;

  /** Faults on demand, such as {@code alloc=3,launch=2,copy=4}. */
  String faults() default "";

  /**
   * Warp instructions during which no block of a launch comes to its end, after which it is stopped
   * as an endless one; 0 for never.
   */
  long watchdog() default DeviceSettings.DEFAULT_WATCHDOG;

  /**
   * Whether the test fails when it leaves findings behind, leaks and notes of stored values that
   * nobody wrote included. Calls the driver refused do not count: the program was told.
   */
  boolean failOnFindings() default true;
}
