import { type Checksum, checksumHeader } from '@kms/sigv4'
import type { ObjectInfo } from '@kms/sse'
import { type PartInfo, presentedCustomerKey, sseReplyHeaders } from '@kms/sse'
import { expectedNow, readWriteCondition } from '../objects/conditions.ts'
import { blobsOf, checksumElements, describe } from '../objects/records.ts'
import type { Operation } from '../operation.ts'
import type { Reply } from '../reply/answer.ts'
import { document, element } from '../reply/xml-writer.ts'
import { checksumAlgorithms } from '../request/digests.ts'
import { readSmallBody } from '../request/request-body.ts'
import { childrenOf, malformed, readXml, textOf } from '../request/xml-reader.ts'
import type { S3Call } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'
import type { StoredPart, StoredUpload, UploadName } from '../store/object-store.ts'
import { isObjectStoreError } from '../store/object-store-error.ts'
import { combineChecksums, keptUploadChecksum } from './upload-checksum.ts'
import { uploadNameOf } from './upload-part.ts'

/** 10 000 parts with an ETag and a checksum each fit in. */
const LARGEST_BYTES = 4 * 1024 * 1024
const MOST_PARTS = 10_000
const SMALLEST_PART = 5 * 1024 * 1024

interface NamedPart {
  readonly number: number
  readonly etag: string
  /** By algorithm. */
  readonly checksums: ReadonlyMap<string, string>
}

interface FoundPart {
  readonly stored: StoredPart
  readonly info: PartInfo
}

export const completeMultipartUpload: Operation = {
  name: 'CompleteMultipartUpload',
  action: 's3:PutObject',
  checksumsOfObject: true,
  async handle(call) {
    const { services, header, transport } = call
    const name = uploadNameOf(call)
    const condition = readWriteCondition(header)
    const named = readParts(await readSmallBody(call.body, LARGEST_BYTES, call.digests))
    let upload: StoredUpload
    try {
      upload = await services.store.upload(name)
    } catch (error) {
      if (!isObjectStoreError(error, 'NoSuchUpload')) throw error
      return await repeated(call, name, error)
    }
    const found = await matchParts(call, name, upload, named)
    requireSizes(found)
    requireTotal(header('x-amz-mp-object-size'), found)
    const begun = services.cipher.inspectUpload(name, upload.metadata)
    call.notes.mode = begun.mode
    const wanted = keptUploadChecksum(begun)
    const checksum =
      wanted === undefined
        ? undefined
        : combineChecksums(
            wanted,
            found.map(({ info }) => info),
          )
    requireChecksum(call, checksum)
    const customerKey = presentedCustomerKey(header, transport)
    try {
      const { record, info } = await services.cipher.completeUpload({
        name,
        upload: upload.metadata,
        parts: found.map(({ stored }) => stored.metadata),
        customerKey,
        checksums:
          checksum === undefined
            ? new Map()
            : new Map([
                [checksum.algorithm, checksum.value],
                ['type', wanted?.type ?? ''],
              ]),
      })
      const expected = await expectedNow(condition, name, services)
      await services.store.completeUpload({
        ...name,
        parts: found.map(({ stored: { number, generation } }) => ({ number, generation })),
        object: {
          ...blobsOf(record),
          ...(upload.tags === undefined ? {} : { tags: upload.tags }),
          ...(expected === undefined ? {} : { expected }),
        },
      })
      return result(call, name, info)
    } finally {
      customerKey?.destroy()
    }
  },
}

/** A client that did not get the reply asks again: the object the upload became is the answer. */
async function repeated(call: S3Call, name: UploadName, error: unknown): Promise<Reply> {
  const object = await call.services.store.object(name)
  if (object === undefined || object.uploadId !== name.uploadId) throw error
  return result(call, name, describe(call, name, object).info)
}

function result({ received, header, authenticated }: S3Call, { bucket, key }: UploadName, info: ObjectInfo): Reply {
  const scheme = authenticated.peer.secure ? 'https' : 'http'
  return {
    headers: sseReplyHeaders({ operation: 'CompleteMultipartUpload', applied: info }),
    text: document('CompleteMultipartUploadResult', [
      element('Location', `${scheme}://${header('host') ?? 'localhost'}${received.rawPath}`),
      element('Bucket', bucket),
      element('Key', key),
      element('ETag', `"${info.etag}"`),
      ...checksumElements(info.checksums),
    ]),
  }
}

/** Throws `MalformedXML`, `InvalidPartOrder`. */
function readParts(bytes: Buffer): readonly NamedPart[] {
  const parts = childrenOf(readXml(bytes, 'CompleteMultipartUpload'), 'Part').map((part) => {
    const number = textOf(part, 'PartNumber')?.trim() ?? ''
    const etag = textOf(part, 'ETag')
    if (!/^\d{1,5}$/.test(number) || etag === undefined) throw malformed()
    const checksums = new Map<string, string>()
    for (const algorithm of checksumAlgorithms) {
      const value = textOf(part, `Checksum${algorithm}`)
      if (value !== undefined) checksums.set(algorithm, value)
    }
    return { number: Number(number), etag: etag.trim().replace(/^"(.*)"$/, '$1'), checksums }
  })
  if (parts.length === 0 || parts.length > MOST_PARTS) throw malformed()
  for (const [index, { number }] of parts.entries()) {
    if (number <= (parts[index - 1]?.number ?? 0)) throw s3Error('InvalidPartOrder')
  }
  return parts
}

/** The parts that were named, as they are. Throws `InvalidPart`. */
async function matchParts(
  { services }: S3Call,
  name: UploadName,
  upload: StoredUpload,
  named: readonly NamedPart[],
): Promise<readonly FoundPart[]> {
  const stored = new Map<number, StoredPart>()
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: Awaited<ReturnType<typeof services.store.listParts>> = await services.store.listParts({
      ...name,
      after,
      limit: 1000,
    })
    for (const part of page.parts) stored.set(part.number, part)
    after = page.next
  }
  const found = named.map(({ number, etag }) => {
    const part = stored.get(number)
    if (part === undefined) throw invalidPart(name, number, etag)
    return part
  })
  const infos = services.cipher.inspectParts(
    name,
    upload.metadata,
    found.map(({ metadata }) => metadata),
  )
  return named.map(({ number, etag, checksums }, index) => {
    const info = infos[index] as PartInfo
    const differs = [...checksums].some(([algorithm, value]) => (info.checksums.get(algorithm) ?? value) !== value)
    if (info.etag !== etag || info.number !== number || differs) throw invalidPart(name, number, etag)
    return { stored: found[index] as StoredPart, info }
  })
}

function invalidPart({ uploadId }: UploadName, number: number, etag: string): Error {
  return s3Error('InvalidPart', {
    details: { UploadId: uploadId, PartNumber: String(number), ETag: etag.slice(0, 128) },
  })
}

/** Throws `EntityTooSmall`. */
function requireSizes(found: readonly FoundPart[]): void {
  for (const { info } of found.slice(0, -1)) {
    if (info.size >= SMALLEST_PART) continue
    throw s3Error('EntityTooSmall', {
      message: 'Your proposed upload is smaller than the minimum allowed size',
      details: {
        ETag: info.etag,
        MinSizeAllowed: String(SMALLEST_PART),
        PartNumber: String(info.number),
        ProposedSize: String(info.size),
      },
    })
  }
}

function requireTotal(announced: string | undefined, found: readonly FoundPart[]): void {
  const total = found.reduce((sum, { info }) => sum + info.size, 0)
  if (announced === undefined || announced === String(total)) return
  throw s3Error(
    'InvalidRequest',
    `The provided 'x-amz-mp-object-size' header value ${announced.slice(0, 20)} does not match what was computed: ${total}`,
  )
}

/** A checksum of the whole, if the request names one. Throws `BadDigest`. */
function requireChecksum({ header }: S3Call, checksum: Checksum | undefined): void {
  for (const algorithm of checksumAlgorithms) {
    const sent = header(checksumHeader(algorithm))
    if (sent === undefined || checksum === undefined) continue
    const values = [checksum.value, checksum.value.replace(/-\d+$/, '')]
    if (checksum.algorithm === algorithm && values.includes(sent)) continue
    throw s3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
  }
}
