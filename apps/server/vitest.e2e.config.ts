import { defineConfig, mergeConfig, type ViteUserConfig } from 'vitest/config'
import shared from '../../tools/vitest.config.ts'

/** Suites against the built server: real processes. */
const config: ViteUserConfig = mergeConfig(
  shared,
  defineConfig({
    test: {
      globalSetup: ['e2e/build-bundle.ts'],
      setupFiles: ['e2e/check-logs.ts'],
      testTimeout: 60_000,
      hookTimeout: 120_000,
    },
  }),
)
// Merging would add to the patterns of the unit suites.
config.test = { ...config.test, include: ['e2e/**/*.e2e.ts'] }

export default config
