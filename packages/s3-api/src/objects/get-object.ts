import { type ByteRange, type ObjectInfo, presentedCustomerKey, sseReplyHeaders } from '@kms/sse'
import type { Operation } from '../operation.ts'
import type { Reply } from '../reply/answer.ts'
import { nameOf, type S3Call } from '../s3-call.ts'
import { invalidArgument, s3Error } from '../s3-error.ts'
import type { OpenedObject } from '../store/object-store.ts'
import { isNotModified, validatorHeaders } from './conditions.ts'
import { contentHeaders } from './content-headers.ts'
import { openBody } from './open-body.ts'
import { readRange } from './range.ts'
import { checksumHeaders, describe, missingObject, recordOf, requireNullVersion } from './records.ts'
import { existingTagFacts } from './tagging.ts'
import { decodeTags } from './tags.ts'

type Headers = readonly (readonly [string, string | undefined])[]

const OVERRIDES = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
]

export const getObject: Operation = {
  name: 'GetObject',
  action: 's3:GetObject',
  facts: existingTagFacts,
  handle: (call) => readObject(call, 'GetObject'),
}

export const headObject: Operation = {
  name: 'HeadObject',
  action: 's3:GetObject',
  facts: existingTagFacts,
  handle: (call) => readObject(call, 'HeadObject'),
}

async function readObject(call: S3Call, operation: 'GetObject' | 'HeadObject'): Promise<Reply> {
  const { services, header, query, transport } = call
  const name = nameOf(call)
  requireNullVersion(query.get('versionId'), name.key)
  const overrides = readOverrides(call)
  const customerKey = presentedCustomerKey(header, transport)
  try {
    const opened = await services.store.openObject(name)
    if (opened === undefined) throw missingObject(call)
    let kept = false
    try {
      const { info, validators } = describe(call, name, opened)
      if (isNotModified(header, validators)) return { status: 304, headers: validatorHeaders(validators) }
      const part = readPartNumber(call, opened, info)
      const range = part === undefined ? readRange(header('range'), info.size) : part.range
      const tags = decodeTags(await services.store.objectTags(name))
      const headers: Headers = [
        ...validatorHeaders(validators),
        ['accept-ranges', 'bytes'],
        ...contentHeaders(info.headers).filter(([key]) => !overrides.has(key)),
        ...overrides,
        ...(range === undefined ? [] : [['content-range', `bytes ${range.start}-${range.end}/${info.size}`] as const]),
        ['x-amz-mp-parts-count', part === undefined || info.partCount === 0 ? undefined : String(info.partCount)],
        ['x-amz-tagging-count', tags.size === 0 ? undefined : String(tags.size)],
        ['x-amz-version-id', query.get('versionId')],
        ...(wantsChecksum(call, range, info) ? checksumHeaders(info) : []),
        ...sseReplyHeaders({ operation, applied: info, customerKeyMd5: customerKey?.md5 }),
      ]
      const status = range === undefined && part === undefined ? 200 : 206
      const length = part?.size ?? (range === undefined ? info.size : range.end - range.start + 1)
      if (operation === 'HeadObject' && info.mode !== 'SSE-C' && customerKey === undefined) {
        return { status, headers: [...headers, ['content-length', String(length)]] }
      }
      const readable = await services.cipher.openForRead({
        name,
        record: recordOf(opened),
        info,
        customerKey,
        ...call.access.kms('kms:Decrypt', call.place),
        ...(part?.number === undefined ? { range } : { part: part.number }),
      })
      if (operation === 'HeadObject') {
        readable.discard()
        return { status, headers: [...headers, ['content-length', String(length)]] }
      }
      kept = true
      const { bytes, stream } = await openBody(opened, readable)
      return bytes === undefined ? { status, headers, stream } : { status, headers, bytes }
    } finally {
      if (!kept) await opened.close()
    }
  } finally {
    customerKey?.destroy()
  }
}

/** `response-…` parameters, which only a signed request may have (GetObject, "Overriding response header values"). */
function readOverrides({ query, authenticated }: S3Call): ReadonlyMap<string, string> {
  const overrides = new Map<string, string>()
  for (const name of OVERRIDES) {
    const value = query.get(`response-${name}`)
    if (value === undefined || value === '') continue
    if (authenticated.principal.kind === 'anonymous') {
      throw s3Error('InvalidRequest', 'Request specific response headers cannot be used for anonymous GET requests.')
    }
    if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(value)) {
      throw invalidArgument(`response-${name}`, 'The value cannot be sent as a header.')
    }
    overrides.set(name, value)
  }
  return overrides
}

interface PartOfObject {
  /** Absent for all of an object that has no parts. */
  readonly number?: number
  readonly size: number
  readonly range: ByteRange | undefined
}

/** What `partNumber` asks for: a part, or all of an object that has none. */
function readPartNumber(
  { services, query, header, place }: S3Call,
  opened: OpenedObject,
  info: ObjectInfo,
): PartOfObject | undefined {
  const value = query.get('partNumber')
  if (value === undefined) return undefined
  if (header('range') !== undefined) {
    throw s3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter')
  }
  const number = parsePartNumber(value)
  if (info.partCount === 0) {
    if (number === 1) return { size: info.size, range: info.size === 0 ? undefined : { start: 0, end: info.size - 1 } }
    throw unsatisfiable(number, 1)
  }
  const parts = services.cipher.inspectObjectParts({ bucket: place.name, key: opened.key }, recordOf(opened))
  const part = parts.find((candidate) => candidate.number === number)
  if (part === undefined) throw unsatisfiable(number, parts.length)
  const { offset, size } = part
  return { number, size, range: size === 0 ? undefined : { start: offset, end: offset + size - 1 } }
}

/** Throws `InvalidArgument` for anything but 1 to 10 000. */
export function parsePartNumber(value: string): number {
  const number = Number(value)
  if (/^\d{1,5}$/.test(value) && number >= 1 && number <= 10_000) return number
  throw invalidArgument('partNumber', 'Part number must be an integer between 1 and 10000, inclusive', value)
}

function unsatisfiable(number: number, count: number): Error {
  return s3Error('InvalidPartNumber', {
    message: 'The requested partnumber is not satisfiable',
    details: { PartNumberRequested: String(number), ActualPartCount: String(count) },
  })
}

/** Checksums are of all of the object. */
function wantsChecksum({ header }: S3Call, range: ByteRange | undefined, { size }: ObjectInfo): boolean {
  if (header('x-amz-checksum-mode')?.toUpperCase() !== 'ENABLED') return false
  return range === undefined || range.end - range.start + 1 === size
}
