import { Buffer } from 'node:buffer'
import { createHash, createHmac } from 'node:crypto'
import { type Random, type Realm, XCHACHA20_POLY1305 } from '@kms/core'
import { decodeBase64, label, lp, openXChaCha, sealXChaCha, u32 } from '@kms/core/internal'
import { z } from 'zod'
import { encodeFile, FILE_FORMAT, isAuthentic, newerFormat, splitFile, UNKNOWN_KEK } from './authenticated-file.ts'
import { hex16, time, versionNumber } from './file-schema.ts'
import type { KeyRing } from './key-ring.ts'

/** Material of one key version, in memory. */
export interface VersionMaterial {
  /** 32 bytes. */
  readonly material: Buffer
  /** 32 hex digits. */
  readonly materialId: string
}

/** A version as its file holds it. */
export interface StoredVersion extends VersionMaterial {
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

/** Which version a file holds, as its path says. */
export interface VersionName {
  readonly keyId: string
  readonly version: number
}

const SEAL_LABEL = label('kms/local-seal/v1')
const MATERIAL_ID_LABEL = label('kms/material-id/v1')

const schema = z.strictObject({
  format: z.literal(FILE_FORMAT),
  kind: z.literal('version'),
  kek: hex16,
  key_id: z.string(),
  version: versionNumber,
  algorithm: z.literal(XCHACHA20_POLY1305),
  material_id: hex16,
  created_at: time,
  sealed: z.base64(),
})

/** Material id (formats §2): HMAC-SHA-256(material, label ‖ realm ‖ lp(key id) ‖ u32 version)[0..16), in hex. */
export function materialIdOf(material: Uint8Array, realm: Realm, { keyId, version }: VersionName): string {
  return createHmac('sha256', material)
    .update(MATERIAL_ID_LABEL)
    .update(Buffer.from(realm, 'hex'))
    .update(lp(keyId))
    .update(u32(version))
    .digest('hex')
    .slice(0, 32)
}

/** Additional data of the seal of a version (formats §6). */
function sealAad(realm: Realm, kekId: string, { keyId, version }: VersionName, materialId: string): Buffer {
  return createHash('sha256')
    .update(SEAL_LABEL)
    .update(Buffer.from(realm + kekId, 'hex'))
    .update(lp(keyId))
    .update(u32(version))
    .update(Uint8Array.of(XCHACHA20_POLY1305))
    .update(Buffer.from(materialId, 'hex'))
    .digest()
}

/** Takes 32 bytes as the material of a version. */
export function createMaterial(realm: Realm, name: VersionName, material: Buffer): VersionMaterial {
  return { material, materialId: materialIdOf(material, realm, name) }
}

/** The file of a version, sealed and authenticated under the current KEK. */
export function encodeVersionFile(
  name: VersionName,
  { material, materialId }: VersionMaterial,
  { ring, createdAt, random }: { readonly ring: KeyRing; readonly createdAt: number; readonly random: Random },
): Buffer {
  const kek = ring.current
  const sealed = sealXChaCha(kek.key, material, sealAad(ring.realm, kek.id, name, materialId), random)
  const file: z.infer<typeof schema> = {
    format: FILE_FORMAT,
    kind: 'version',
    kek: kek.id,
    key_id: name.keyId,
    version: name.version,
    algorithm: XCHACHA20_POLY1305,
    material_id: materialId,
    created_at: createdAt,
    sealed: Buffer.concat([Buffer.from(kek.id, 'hex'), sealed]).toString('base64'),
  }
  return encodeFile(file, kek.macKey)
}

/** Which version a file says it holds: nothing of that is proven. */
export function versionNameOf(bytes: Buffer): VersionName | undefined {
  const { key_id: keyId, version } = splitFile(bytes)?.json ?? {}
  return typeof keyId === 'string' && typeof version === 'number' ? { keyId, version } : undefined
}

/** Opens the file of the version `name`; a string says, publicly, what is wrong with it. */
export function decodeVersionFile(bytes: Buffer, name: VersionName, ring: KeyRing): StoredVersion | string {
  const damaged = 'is damaged'
  const raw = splitFile(bytes)
  if (raw === undefined) return damaged
  if (newerFormat(raw) !== undefined) return 'was written by a newer release'
  const kek = ring.find(raw.json['kek'])
  if (kek === undefined) return typeof raw.json['kek'] === 'string' ? UNKNOWN_KEK : damaged
  if (!isAuthentic(raw, 'version', kek.macKey)) return damaged
  const file = schema.safeParse(raw.json).data
  if (file === undefined || file.key_id !== name.keyId || file.version !== name.version) return damaged
  const sealed = decodeBase64(file.sealed)
  if (sealed === undefined || sealed.toString('hex', 0, 16) !== kek.id) return damaged
  const aad = sealAad(ring.realm, kek.id, name, file.material_id)
  const material = openXChaCha(kek.key, sealed.subarray(16), aad)
  if (material?.length !== 32 || materialIdOf(material, ring.realm, name) !== file.material_id) return damaged
  return { material, materialId: file.material_id, createdAt: file.created_at }
}
