package dev.filigree.simgpu;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.commons.support.AnnotationSupport;

/** What {@link SimulatedGpu} does: opens a device before each test and closes it after. */
final class SimulatedGpuExtension
    implements ExecutionCondition, BeforeEachCallback, AfterEachCallback, ParameterResolver {
  static final String USUAL_MODEL = "a100";

  private static final ExtensionContext.Namespace NAMESPACE =
      ExtensionContext.Namespace.create(SimulatedGpuExtension.class);

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    if (NativeLibraries.isOff()) {
      return onRealGpu(context);
    }
    Optional<String> reason = SimulatedDevice.unavailable();
    if (reason.isEmpty() || Boolean.getBoolean("filigree.simgpu.required")) {
      return ConditionEvaluationResult.enabled("the simulated GPU is there");
    }
    return ConditionEvaluationResult.disabled(reason.get());
  }

  /** What needs a certain device, a fault or the findings can run on the simulation only. */
  private static ConditionEvaluationResult onRealGpu(ExtensionContext context) {
    boolean needsSimulation =
        context
            .getTestMethod()
            .map(
                method ->
                    List.of(method.getParameterTypes()).contains(SimulatedDevice.class)
                        || isParticular(annotation(context)))
            .orElse(false);
    return needsSimulation
        ? ConditionEvaluationResult.disabled("only the simulated GPU can do this")
        : ConditionEvaluationResult.enabled("runs on the GPU of this machine");
  }

  private static boolean isParticular(SimulatedGpu wanted) {
    return !wanted.model().equals(USUAL_MODEL)
        || wanted.memoryBytes() > 0
        || wanted.traffic()
        || wanted.projectedTimes()
        || wanted.exactRounding()
        || wanted.watchdog() != DeviceSettings.DEFAULT_WATCHDOG
        || !wanted.faults().isEmpty();
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    if (NativeLibraries.isOff()) {
      return;
    }
    SimulatedGpu wanted = annotation(context);
    DeviceSettings settings =
        new DeviceSettings(
            wanted.model(),
            wanted.memoryBytes(),
            wanted.checks(),
            wanted.exactRounding(),
            wanted.traffic(),
            wanted.projectedTimes(),
            false,
            0,
            wanted.watchdog(),
            wanted.faults());
    context.getStore(NAMESPACE).put(SimulatedDevice.class, SimulatedDevice.open(settings));
  }

  @Override
  public void afterEach(ExtensionContext context) {
    SimulatedDevice device =
        context.getStore(NAMESPACE).remove(SimulatedDevice.class, SimulatedDevice.class);
    if (device == null) {
      return;
    }
    device.close();
    List<Finding> hidden =
        device.findings().stream().filter(finding -> !finding.isRefusedCall()).toList();
    if (annotation(context).failOnFindings() && !hidden.isEmpty()) {
      StringBuilder message = new StringBuilder("the simulated GPU found:");
      hidden.forEach(finding -> message.append("\n  ").append(finding));
      AssertionError found = new AssertionError(message.toString());
      if (context.getExecutionException().isEmpty()) {
        throw found;
      }
      // the cause of a failed launch, as a rule
      context.getExecutionException().get().addSuppressed(found);
    }
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getParameter().getType() == SimulatedDevice.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    return context.getStore(NAMESPACE).get(SimulatedDevice.class, SimulatedDevice.class);
  }

  private static SimulatedGpu annotation(ExtensionContext context) {
    return AnnotationSupport.findAnnotation(context.getElement(), SimulatedGpu.class)
        .or(() -> AnnotationSupport.findAnnotation(context.getTestClass(), SimulatedGpu.class))
        .orElseThrow();
  }
}
