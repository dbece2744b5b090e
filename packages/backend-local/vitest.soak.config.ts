import { mergeConfig, type ViteUserConfig } from 'vitest/config'
import own from './vitest.config.ts'

const HOUR_MS = 3_600_000

/** Runs that take minutes: `npm run soak`, never part of `npm test`. One at a time: they measure. */
const config: ViteUserConfig = mergeConfig(own, {})
config.test = {
  ...config.test,
  include: ['test/**/*.soak.ts'],
  testTimeout: HOUR_MS,
  hookTimeout: HOUR_MS,
  fileParallelism: false,
}

export default config
