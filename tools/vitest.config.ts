import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

const reporters: string[] = process.env['KMS_TEST_REPORT']
  ? ['default', fileURLToPath(new URL('./test-report.mjs', import.meta.url))]
  : ['default']

/** Shared by every package: tests resolve siblings to their sources, so nothing needs a build. */
const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ['@kms/source'] },
  ssr: { resolve: { conditions: ['@kms/source'], externalConditions: ['@kms/source'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 20_000,
    // vitest leaves one core out, which on a machine of two is half of it.
    maxWorkers: '100%',
    reporters,
  },
})

export default config
