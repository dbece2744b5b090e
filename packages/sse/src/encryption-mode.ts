/** How an object is encrypted at rest. `plain` is not. */
export type EncryptionMode = 'plain' | EncryptedMode
export type EncryptedMode = 'SSE-S3' | 'SSE-KMS' | 'SSE-C'
