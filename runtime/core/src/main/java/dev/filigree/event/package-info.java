/**
 * Events for the JDK's flight recorder. They cost nothing while nobody records; a recording of
 * {@code dev.filigree.*} shows what was loaded, planned, chosen and run, and how long it took.
 */
package dev.filigree.event;
