export { type LocalDriverOptions, localDriver } from './local-driver.ts'
export type { LocalPolicy } from './policy.ts'
