import { defineConfig, mergeConfig, type ViteUserConfig } from 'vitest/config'
import shared from '../../tools/vitest.config.ts'

/** Suites against a real server mostly wait: more files at a time than there are cores. */
const config: ViteUserConfig = mergeConfig(shared, defineConfig({ test: { maxWorkers: 4, hookTimeout: 60_000 } }))

export default config
