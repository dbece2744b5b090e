import { defineConfig, mergeConfig, type ViteUserConfig } from 'vitest/config'
import shared from '../../tools/vitest.config.ts'

/** Suites against a real server start processes: one file at a time. */
const config: ViteUserConfig = mergeConfig(
  shared,
  defineConfig({ test: { fileParallelism: false, hookTimeout: 60_000 } }),
)

export default config
