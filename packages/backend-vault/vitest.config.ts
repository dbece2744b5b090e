import { defineConfig, mergeConfig, type ViteUserConfig } from 'vitest/config'
import shared from '../../tools/vitest.config.ts'

/** Suites against a real server mostly wait: more files at a time than there are cores. The server is installed before. */
const config: ViteUserConfig = mergeConfig(
  shared,
  defineConfig({ test: { globalSetup: 'test/install-openbao.ts', maxWorkers: 4, hookTimeout: 60_000 } }),
)

export default config
