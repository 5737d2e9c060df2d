package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Decoder;
import dev.filigree.DecoderOptions;
import dev.filigree.Decoding;
import dev.filigree.Device;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.RejectedException;
import dev.filigree.SessionOptions;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.spi.SequenceRunner;
import dev.filigree.testing.TinyDecoder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Decoders on the simulated device against the same decoders on the CPU. */
@SimulatedGpu
class DeviceDecoderTest {
  /** Relative to the greatest score: activations, keys and values are rounded to f16. */
  private static final double ROUNDING = 4e-3;

  private static final DecoderOptions CPU =
      DecoderOptions.defaults()
          .withSession(SessionOptions.defaults().withDevice(Device.cpu()).withThreads(1));

  @TempDir private Path folder;

  private static long[] tokens(int count, long seed) {
    return new Random(seed).longs(count, 0, TinyDecoder.WORDS).toArray();
  }

  private static SequenceRunner onDevice(Model model, DecoderOptions options) {
    return new DeviceDecoder(CachedDecoder.of(model), options, CudaDriver.open().context(0));
  }

  private static void assertNear(float[] expected, float[] found) {
    assertArrayEquals(expected, found, (float) tolerance(expected));
  }

  /** How far a score may be from the CPU's. */
  private static double tolerance(float[] expected) {
    double greatest = 0;
    for (float score : expected) {
      greatest = Math.max(greatest, Math.abs(score));
    }
    return ROUNDING * greatest;
  }

  private static int best(float[] scores) {
    int best = 0;
    for (int i = 1; i < scores.length; i++) {
      best = scores[i] > scores[best] ? i : best;
    }
    return best;
  }

  /** More than a page, pieces of every plan, and a sequence that goes on differently. */
  @Test
  void piecesOverPagesGiveWhatTheCpuGives() {
    long[] tokens = tokens(100, 2);
    try (Model model = Model.open(TinyDecoder.write(folder.resolve("tiny"), 1, false, ""));
        Decoder cpu = model.decoder(CPU);
        Decoding expected = cpu.start();
        SequenceRunner device = onDevice(model, CPU);
        SequenceRunner.Sequence sequence = device.sequence()) {
      float[] scores = new float[TinyDecoder.WORDS];
      int at = 0;
      for (int piece : new int[] {3, 70, 1, 17, 9}) {
        long[] part = Arrays.copyOfRange(tokens, at, at + piece);
        at += piece;
        device.run(sequence, part, scores);
        assertNear(expected.read(part), scores);
      }
      assertEquals(100, sequence.length());
      sequence.truncate(60);
      expected.truncate(60);
      device.run(sequence, new long[] {7, 8}, scores);
      assertNear(expected.read(7, 8), scores);
      List<String> inProcess =
          device.layers(1).stream()
              .map(LayerPlan::kernel)
              .filter(kernel -> kernel.startsWith("cpu"))
              .toList();
      assertEquals(List.of(), inProcess);
    }
  }

  /** Tokens leave the window within a page and with whole pages, which are given back. */
  @Test
  void aWindowGivesWhatTheCpuGives() {
    long[] tokens = tokens(160, 21);
    String window = ", \"sliding_window\": 20";
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), "mistral", 20, false, window);
    try (Model model = Model.open(checkpoint);
        Decoder cpu = model.decoder(CPU);
        Decoding expected = cpu.start();
        SequenceRunner device = onDevice(model, CPU);
        SequenceRunner.Sequence sequence = device.sequence()) {
      float[] scores = new float[TinyDecoder.WORDS];
      int at = 0;
      for (int piece : new int[] {30, 1, 64, 64, 1}) {
        long[] part = Arrays.copyOfRange(tokens, at, at + piece);
        at += piece;
        device.run(sequence, part, scores);
        assertNear(expected.read(part), scores);
      }
      assertThrows(InputException.class, () -> sequence.truncate(70));
    }
  }

  /** By times that fall from one candidate to the next; libraries have none when simulated. */
  @Test
  void kernelsOfEachPieceAreChosenByTimesAndGiveTheSame(SimulatedDevice simulated) {
    double[] micros = {1e30};
    Projections falling =
        work -> {
          work.run();
          micros[0] /= 2;
          return OptionalDouble.of(micros[0]);
        };
    try (Model model = Model.open(TinyDecoder.write(folder.resolve("tiny"), 4, false, ""));
        SequenceRunner predicted = onDevice(model, CPU);
        SequenceRunner timed =
            new DeviceDecoder(
                CachedDecoder.of(model), CPU, CudaDriver.open().context(0), Optional.of(falling));
        SequenceRunner.Sequence expected = predicted.sequence();
        SequenceRunner.Sequence sequence = timed.sequence()) {
      float[] scores = new float[TinyDecoder.WORDS];
      float[] found = new float[TinyDecoder.WORDS];
      for (int piece : new int[] {20, 1}) {
        predicted.run(expected, tokens(piece, piece), scores);
        timed.run(sequence, tokens(piece, piece), found);
        assertNear(scores, found);
        List<LayerPlan> chosen =
            timed.layers(piece).stream().filter(each -> each.candidates().size() > 1).toList();
        assertFalse(chosen.isEmpty());
        for (LayerPlan layer : chosen) {
          String last =
              layer.candidates().stream()
                  .filter(each -> !Double.isNaN(each.projectedMicros()))
                  .map(LayerPlan.Candidate::kernel)
                  .reduce((before, next) -> next)
                  .orElseThrow();
          assertEquals(last, layer.kernel());
        }
      }
    }
  }

  @Test
  void theMostProbableTokensAreThoseOfTheCpu() {
    for (boolean tied : new boolean[] {false, true}) {
      Path file = TinyDecoder.write(folder.resolve("tiny" + tied), 3, tied, "");
      try (Model model = Model.open(file);
          Decoder cpu = model.decoder(CPU);
          Decoding expected = cpu.start();
          SequenceRunner device = onDevice(model, CPU);
          SequenceRunner.Sequence sequence = device.sequence()) {
        float[] scores = new float[TinyDecoder.WORDS];
        long[] next = tokens(5, 4);
        for (int i = 0; i < 16; i++) {
          float[] wanted = expected.read(next);
          device.run(sequence, next, scores);
          next = new long[] {best(wanted)};
          // of two that are as probable as f16 can tell, the device may take the other
          float behind = wanted[(int) next[0]] - wanted[best(scores)];
          assertTrue(behind <= 2 * tolerance(wanted), "token " + i + ": " + behind);
        }
      }
    }
  }

  @Test
  void theCacheIsBoundedAndItsPagesComeBack() {
    try (Model model = Model.open(TinyDecoder.write(folder.resolve("tiny"), 7, false, ""))) {
      long pageBytes;
      try (SequenceRunner device = onDevice(model, CPU)) {
        pageBytes = Math.round(device.bytesPerToken() * 64);
        // two layers of two heads of eight features, keys and values in f16
        assertEquals(2 * 2 * 8 * 2 * 2, device.bytesPerToken());
        assertEquals(0, device.cacheBytes());
      }
      float[] scores = new float[TinyDecoder.WORDS];
      try (SequenceRunner device = onDevice(model, CPU.withCacheBytes(2 * pageBytes))) {
        SequenceRunner.Sequence first = device.sequence();
        SequenceRunner.Sequence second = device.sequence();
        device.run(first, tokens(64, 8), scores);
        device.run(second, tokens(60, 9), scores);
        assertEquals(2 * pageBytes, device.cacheBytes());
        RejectedException full =
            assertThrows(RejectedException.class, () -> device.run(second, tokens(5, 1), scores));
        assertTrue(full.getMessage().contains("128 tokens"), full.getMessage());
        assertEquals(60, second.length());
        first.close();
        device.run(second, tokens(5, 1), scores);
        assertEquals(65, second.length());
        assertEquals(2 * pageBytes, device.cacheBytes());
      }
      assertThrows(InputException.class, () -> onDevice(model, CPU.withCacheBytes(10)).close());
    }
  }
}
