import { defineConfig } from 'vitest/config'

/** Shared by every package: tests resolve siblings to their sources, so nothing needs a build. */
export default defineConfig({
  resolve: { conditions: ['@kms/source'] },
  ssr: { resolve: { conditions: ['@kms/source'], externalConditions: ['@kms/source'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 20_000,
    reporters: process.env['KMS_TEST_REPORT'] ? ['default', ['json', { outputFile: process.env['KMS_TEST_REPORT'] }]] : ['default'],
  },
})
