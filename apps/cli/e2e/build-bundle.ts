/** Builds the program and the server it is tried on, once. */
export async function setup(): Promise<void> {
  for (const build of ['../build.mjs', '../../server/build.mjs']) await import(new URL(build, import.meta.url).href)
}
