package dev.filigree.simgpu;

import java.util.Map;

/**
 * How long a launch might take on a real device, from its counters and the device's published
 * peaks. A model's answer, never compared with a measurement: good for comparing kernels and for
 * seeing what limits one.
 *
 * @param kernel name of the kernel
 * @param device {@code A100}, {@code A10} or {@code RTX 3090}
 * @param seconds the projected time
 * @param limit the resource that takes longest: {@code tensor}, {@code issue}, {@code arithmetic},
 *     {@code shared memory}, {@code L2}, {@code DRAM}, {@code latency} or {@code launch}
 * @param secondsByResource what each resource would need alone
 */
public record Projection(
    String kernel,
    String device,
    double seconds,
    String limit,
    Map<String, Double> secondsByResource) {}
