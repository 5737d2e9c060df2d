package dev.filigree.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Input shapes were planned. */
@Name("dev.filigree.Plan")
@Label("Plan")
@Category("Filigree")
@Description("Input shapes were planned")
@StackTrace(false)
public final class PlanEvent extends Event {
  @Label("Shapes")
  public String shapes;

  @Label("Operations")
  public int operations;

  @Label("Activations")
  @DataAmount
  public long bytes;
}
