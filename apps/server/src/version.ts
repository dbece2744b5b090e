/** Put in by the build. */
declare const KMS_SERVER_VERSION: string | undefined

export const version: string = typeof KMS_SERVER_VERSION === 'string' ? KMS_SERVER_VERSION : 'development'
