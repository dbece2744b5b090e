/** Builds the bundle the suites run, once. */
export async function setup(): Promise<void> {
  await import(new URL('../build.mjs', import.meta.url).href)
}
