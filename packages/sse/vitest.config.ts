import { defineConfig, mergeConfig, type ViteUserConfig } from 'vitest/config'
import shared from '../../tools/vitest.config.ts'

/** These tests wait for the disk more than they compute: two files at a time, however few cores there are. */
const config: ViteUserConfig = mergeConfig(shared, defineConfig({ test: { maxWorkers: 2 } }))

export default config
