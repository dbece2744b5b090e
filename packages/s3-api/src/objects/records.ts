import { Buffer } from 'node:buffer'
import type { ObjectInfo, ObjectRecord, KeyUse as SseKeyUse } from '@kms/sse'
import { element, type Xml } from '../reply/xml-writer.ts'
import { nameOf, type S3Call } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'
import type { KeyUse, ObjectBlobs, ObjectName, OpenedObject, StoredObject } from '../store/object-store.ts'
import type { Validators } from './conditions.ts'

const NOTHING = Buffer.alloc(0)

/** A record as the store keeps it. */
export function blobsOf({ metadata, parts, keys }: ObjectRecord): ObjectBlobs {
  return { metadata, parts, ...(keys.length === 0 ? {} : { keys }) }
}

/** What the store kept of a record. */
export function recordOf({ metadata, parts = NOTHING, keys = NOTHING }: OpenedObject): ObjectRecord {
  return { metadata, parts, keys }
}

export function usesOf(use: SseKeyUse | undefined): readonly KeyUse[] {
  return use === undefined ? [] : [{ realm: use.realm, keyId: use.keyId, version: use.keyVersion }]
}

/** What metadata says, with the time the object appeared. */
export function describe(
  call: S3Call,
  name: ObjectName,
  stored: StoredObject,
): { readonly info: ObjectInfo; readonly validators: Validators } {
  const info = call.services.cipher.inspect(name, stored.metadata)
  call.notes.mode = info.mode
  return { info, validators: { etag: info.etag, modified: stored.modified } }
}

/** `NoSuchKey`, for those who may know what is in the bucket; else `AccessDenied`, as S3 has it. */
export function missingObject({ access, place }: S3Call): Error {
  const { name, bucket, key = '' } = place
  if (!access.allows('s3:ListBucket', { name, bucket })) {
    return s3Error('AccessDenied', 'Whether the object exists is for those who may list the bucket.')
  }
  return s3Error('NoSuchKey', { details: { Key: key } })
}

/** Objects have one version here, `null`. Throws `NoSuchVersion` for any other. */
export function requireNullVersion(version: string | undefined, key: string): void {
  if (version === undefined || version === 'null') return
  throw s3Error('NoSuchVersion', { details: { Key: key, VersionId: version.slice(0, 1024) } })
}

/** Throws what {@link missingObject} is, and `NoSuchVersion`. */
export async function requireObject(call: S3Call): Promise<void> {
  const name = nameOf(call)
  requireNullVersion(call.query.get('versionId'), name.key)
  if ((await call.services.store.object(name)) === undefined) throw missingObject(call)
}

/** Checksums of an object as reply headers. */
export function checksumHeaders({ checksums }: Pick<ObjectInfo, 'checksums'>): readonly (readonly [string, string])[] {
  return [...checksums].map(([name, value]) => [`x-amz-checksum-${name.toLowerCase()}`, value])
}

/** Checksums as elements: of objects with their type, of parts without. */
export function checksumElements(checksums: ReadonlyMap<string, string>): readonly Xml[] {
  return Array.from(checksums, ([name, value]) => element(`Checksum${name === 'type' ? 'Type' : name}`, value))
}
