import type { Buffer } from 'node:buffer'
import type { AdmittedKey, Authorize, DataPlane, EncryptionContext, Realm } from '@kms/core'
import { decodeEnvelope } from '@kms/core'

/** What wraps object keys: a KMS. Every call checks permission (`authorize`, on the resolved key id) and the key's state. */
export interface KeyWrapping {
  /**
   * Whether the caller may wrap under this key now (any spelling; absent: the default key), and the version it would get.
   * Nothing kept for a key is used before this was asked.
   */
  admitWrap(request: AdmitWrapRequest): Promise<AdmittedKey>
  /** Whether the caller may unwrap this envelope now. */
  admitUnwrap(request: AdmitUnwrapRequest): Promise<AdmittedKey>
  /** Wraps 32 bytes. */
  wrap(
    request: AdmitWrapRequest & { readonly context: EncryptionContext; readonly plaintext: Buffer },
  ): Promise<WrappedKey>
  /** The 32 bytes of an envelope; the caller zeroes them. Throws `InvalidCiphertext` for another context or any damage. */
  unwrap(request: AdmitUnwrapRequest & { readonly context: EncryptionContext }): Promise<Buffer>
}

export interface AdmitWrapRequest {
  readonly key?: string
  readonly authorize: Authorize
}

export interface AdmitUnwrapRequest {
  readonly envelope: Buffer
  readonly authorize: Authorize
}

export interface WrappedKey {
  readonly realm: Realm
  readonly keyId: string
  readonly keyVersion: number
  readonly envelope: Buffer
}

/** The data path of a manager as a {@link KeyWrapping}. */
export function dataPlaneKeyWrapping(data: DataPlane): KeyWrapping {
  return {
    admitWrap: (request) => data.admitWrap(request),
    admitUnwrap: ({ envelope, authorize }) => data.admitUnwrap({ ciphertext: envelope, authorize }),
    async wrap(request) {
      const { keyId, keyVersion, ciphertext } = await data.encrypt(request)
      return { realm: decodeEnvelope(ciphertext).realm, keyId, keyVersion, envelope: ciphertext }
    },
    async unwrap({ envelope, context, authorize }) {
      return (await data.decrypt({ ciphertext: envelope, context, authorize })).plaintext
    },
  }
}
