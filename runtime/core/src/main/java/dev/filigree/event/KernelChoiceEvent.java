package dev.filigree.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A plan chose a kernel for an operation. */
@Name("dev.filigree.KernelChoice")
@Label("Kernel Choice")
@Category("Filigree")
@Description("A plan chose a kernel for an operation")
@StackTrace(false)
public final class KernelChoiceEvent extends Event {
  @Label("Operation")
  public String operation;

  @Label("Operator")
  public String operator;

  @Label("Format")
  public String format;

  @Label("Kernel")
  public String kernel;

  @Label("Reason")
  public String reason;
}
