package dev.filigree.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Something slower is used than could be. */
@Name("dev.filigree.Fallback")
@Label("Fall Back")
@Category("Filigree")
@Description("Something slower is used than could be")
@StackTrace(false)
public final class FallbackEvent extends Event {
  @Label("What")
  public String what;

  @Label("Reason")
  public String reason;

  @Label("Remedy")
  public String remedy;
}
