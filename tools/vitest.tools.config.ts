import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import shared from './vitest.config.ts'

/** The tests of the tools themselves, and the test of the walls between packages. */
const config: ViteUserConfig = defineConfig({
  ...shared,
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: { ...shared.test, include: ['tools/**/*.test.ts'] },
})

export default config
