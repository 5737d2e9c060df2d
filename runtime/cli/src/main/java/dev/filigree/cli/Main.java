package dev.filigree.cli;

import dev.filigree.FiligreeException;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;

/** The {@code filigree} command. */
@Command(
    name = "filigree",
    description = "Runs compressed neural networks.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      RunCommand.class,
      CompressCommand.class,
      BenchCommand.class,
      InspectCommand.class,
      ExplainCommand.class,
      DoctorCommand.class
    })
public final class Main implements Runnable {
  /** The work was done. */
  static final int DONE = 0;

  /** The work failed. */
  static final int FAILED = 1;

  /** The command was used wrongly. */
  static final int MISUSED = 2;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Option(
      names = "--verbose",
      scope = ScopeType.INHERIT,
      description = "Print the stack trace of a failure.")
  private boolean verbose;

  private Main() {}

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "name a command");
  }

  /** Runs the command and exits with its code. */
  public static void main(String[] arguments) {
    // the library's one line at opening a session goes to those who ask for it
    Logging.quiet();
    System.exit(run(arguments));
  }

  /** Runs the command and returns its exit code. */
  static int run(String... arguments) {
    Main main = new Main();
    CommandLine command = new CommandLine(main);
    command.setCaseInsensitiveEnumValuesAllowed(true);
    command.setParameterExceptionHandler(Main::misused);
    command.setExecutionExceptionHandler(
        (failure, failed, parsed) -> failed(failure, failed, main.verbose));
    return command.execute(arguments);
  }

  private static int misused(ParameterException wrong, String[] arguments) {
    CommandLine command = wrong.getCommandLine();
    PrintWriter error = command.getErr();
    error.println(command.getCommandSpec().qualifiedName() + ": " + wrong.getMessage());
    CommandLine.UnmatchedArgumentException.printSuggestions(wrong, error);
    error.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return MISUSED;
  }

  private static int failed(Exception failure, CommandLine command, boolean verbose) {
    PrintWriter error = command.getErr();
    switch (failure) {
      case UsageException wrong -> error.println("filigree: " + wrong.getMessage());
      case FiligreeException known -> error.println("filigree: " + known.getMessage());
      default ->
          error.println(
              "filigree: internal error: "
                  + failure
                  + (verbose ? "" : "; run again with --verbose and report it"));
    }
    if (verbose) {
      failure.printStackTrace(error);
    }
    error.flush();
    return failure instanceof UsageException ? MISUSED : FAILED;
  }
}
