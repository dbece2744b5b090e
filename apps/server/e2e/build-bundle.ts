/** Builds the bundle the suites run, once. */
export async function setup(): Promise<void> {
  await import('../build.mjs' as string)
}
