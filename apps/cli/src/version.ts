/** Put in by the build. */
declare const KMSCTL_VERSION: string | undefined

export const version: string = typeof KMSCTL_VERSION === 'string' ? KMSCTL_VERSION : 'development'
