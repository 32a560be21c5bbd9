/** Imports every public path, which the test names. Throws for one that cannot be. */
export async function importAll(): Promise<void> {
  for (const specifier of (process.env['SPECIFIERS'] ?? '').split(' ')) await import(specifier)
}
