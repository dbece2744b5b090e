import { mergeConfig, type ViteUserConfig } from 'vitest/config'
import own from './vitest.config.ts'

/** Runs that take minutes: `npm run soak`, never part of `npm test`. */
const config: ViteUserConfig = mergeConfig(own, {})
config.test = { ...config.test, include: ['test/**/*.soak.ts'], testTimeout: 900_000 }

export default config
