import { type CustomerKey, copySourceCustomerKey, type ObjectInfo } from '@kms/sse'
import { requireKeyLength } from '../request/address.ts'
import { decodeText } from '../request/query.ts'
import type { S3Call } from '../s3-call.ts'
import { invalidArgument, s3Error } from '../s3-error.ts'
import type { ObjectName, OpenedObject } from '../store/object-store.ts'
import { requireSourceConditions } from './conditions.ts'
import { describe, missingObject, requireNullVersion } from './records.ts'
import { existingTagFacts } from './tagging.ts'
import { decodeTags, type Tags } from './tags.ts'

/** The source of a copy, opened: to be closed. */
export interface CopySource {
  readonly name: ObjectName
  readonly opened: OpenedObject
  readonly info: ObjectInfo
  /** To be destroyed. */
  readonly customerKey: CustomerKey | undefined
  /** The call as if it were about the source: for what policies say of it. */
  readonly call: S3Call
}

/**
 * Opens what `x-amz-copy-source` names, if the caller may read it and its conditions hold. Throws `AccessDenied`, `NoSuchBucket`, `NoSuchKey`,
 * `PreconditionFailed`.
 */
export async function openCopySource(call: S3Call): Promise<CopySource> {
  const { services, header, transport } = call
  const { name, versionId } = parseCopySource(header('x-amz-copy-source') ?? '')
  const bucket = await services.store.bucket(name.bucket)
  const place = { name: name.bucket, bucket, key: name.key }
  const source = { ...call, place }
  call.access.require('s3:GetObject', place, await existingTagFacts(source))
  if (bucket === undefined) throw s3Error('NoSuchBucket', { details: { BucketName: name.bucket.slice(0, 255) } })
  requireNullVersion(versionId, name.key)
  const customerKey = copySourceCustomerKey(header, transport)
  let opened: OpenedObject | undefined
  try {
    opened = await services.store.openObject(name)
    if (opened === undefined) throw missingObject(source)
    const { info, validators } = describe(source, name, opened)
    requireSourceConditions(header, validators)
    return { name, opened, info, customerKey, call: source }
  } catch (error) {
    customerKey?.destroy()
    await opened?.close()
    throw error
  }
}

/** The tags of the source. Throws `AccessDenied` when there are some the caller may not read. */
export async function sourceTags({ name, call }: CopySource): Promise<Tags> {
  const tags = decodeTags(await call.services.store.objectTags(name))
  if (tags.size > 0) call.access.require('s3:GetObjectTagging', call.place, await existingTagFacts(call))
  return tags
}

/** `[/]bucket/key[?versionId=…]`, percent-encoded, `+` for a space. */
function parseCopySource(header: string): { readonly name: ObjectName; readonly versionId: string | undefined } {
  const [, path = '', versionId] = /^([^?]*)(?:\?versionId=(.*))?$/s.exec(header) ?? []
  const decoded = decodeText(path.replaceAll('+', ' ')).replace(/^\//, '')
  const slash = decoded.indexOf('/')
  const [bucket, key] = [decoded.slice(0, Math.max(slash, 0)), decoded.slice(slash + 1)]
  if (bucket === '' || key === '') {
    throw invalidArgument(
      'x-amz-copy-source',
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      header,
    )
  }
  requireKeyLength(key)
  return { name: { bucket, key }, versionId }
}
