package dev.filigree.spi;

/**
 * Whether a library was found.
 *
 * @param name of its file
 * @param found whether it can be used
 * @param detail its version or place, or what would bring it
 */
public record LibraryStatus(String name, boolean found, String detail) {}
