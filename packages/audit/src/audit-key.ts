import { Buffer } from 'node:buffer'
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { label } from '@kms/core/internal'

/** Signs checkpoints. */
export interface AuditKey {
  /** First 8 bytes of SHA-256(label `kms/audit-key-id/v1` ‖ public key), as 16 hex digits. */
  readonly id: string
  /** 32 bytes, as 64 hex digits. */
  readonly publicKey: string
  /** The Ed25519 signature of a checkpoint, as 128 hex digits. */
  sign(checkpoint: SignedPlace): string
}

/** What a checkpoint is about. */
export interface SignedPlace {
  readonly chain: string
  readonly seq: number
  readonly head: string
}

/** RFC 8410: an Ed25519 private key, and a public one, are these bytes and then the key. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** The key whose seed is the subkey `audit` of the server key (formats §4), 32 bytes. */
export function createAuditKey(seed: Uint8Array): AuditKey {
  if (seed.length !== 32) throw new RangeError(`audit key: expected 32 bytes, got ${seed.length}`)
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const exported = createPublicKey(key).export({ format: 'der', type: 'spki' })
  const publicKey = exported.subarray(PUBLIC_PREFIX.length).toString('hex')
  return {
    id: auditKeyId(publicKey),
    publicKey,
    sign: (checkpoint) => sign(null, signedBytes(checkpoint), key).toString('hex'),
  }
}

/** The id of a public key of 64 hex digits. */
export function auditKeyId(publicKey: string): string {
  const hashed = createHash('sha256').update(label('kms/audit-key-id/v1')).update(Buffer.from(publicKey, 'hex'))
  return hashed.digest('hex').slice(0, 16)
}

/** Whether a checkpoint was signed by the owner of a public key. */
export function checkSignature(publicKey: string, checkpoint: SignedPlace, signature: string): boolean {
  const key: KeyObject = createPublicKey({
    key: Buffer.concat([PUBLIC_PREFIX, Buffer.from(publicKey, 'hex')]),
    format: 'der',
    type: 'spki',
  })
  return verify(null, signedBytes(checkpoint), key, Buffer.from(signature, 'hex'))
}

/** Formats §9: label `kms/audit-checkpoint/v1` ‖ chain ‖ u64 seq ‖ head. */
function signedBytes({ chain, seq, head }: SignedPlace): Buffer {
  const place = Buffer.alloc(8)
  place.writeBigUInt64BE(BigInt(seq))
  return Buffer.concat([label('kms/audit-checkpoint/v1'), Buffer.from(chain, 'hex'), place, Buffer.from(head, 'hex')])
}
