import type { Operation } from '../operation.ts'
import { publicS3Error } from '../reply/error-answer.ts'
import { document, element, optional, type Xml } from '../reply/xml-writer.ts'
import { requireKeyLength } from '../request/address.ts'
import { readSmallBody } from '../request/request-body.ts'
import { childrenOf, malformed, readXml, refuseOtherChildren, textOf, type XmlElement } from '../request/xml-reader.ts'
import { nameOf, type S3Call } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'
import { expectedNow, readWriteCondition } from './conditions.ts'
import { requireNullVersion } from './records.ts'
import { existingTagFacts } from './tagging.ts'

export const deleteObject: Operation = {
  name: 'DeleteObject',
  parameters: ['versionId'],
  action: 's3:DeleteObject',
  facts: existingTagFacts,
  async handle(call) {
    const { header, query, services } = call
    const name = nameOf(call)
    requireNullVersion(query.get('versionId'), name.key)
    const condition = readWriteCondition((wanted) => (wanted === 'if-match' ? header(wanted) : undefined))
    const expected = await expectedNow(condition, name, services)
    await services.store.deleteObject({ ...name, ...(expected === undefined ? {} : { expected }) })
    return { status: 204, headers: [['x-amz-version-id', query.get('versionId')]] }
  },
}

/** 1000 keys of 1024 bytes, each of which may be a reference, fit in. */
const LARGEST_BYTES = 8 * 1024 * 1024
const MOST_KEYS = 1000

/** Every key is judged by itself; what fails is reported beside what went well. */
export const deleteObjects: Operation = {
  name: 'DeleteObjects',
  async handle(call) {
    const { access, place } = call
    if (place.bucket === undefined) {
      access.requireSomeObject('s3:DeleteObject', place)
      throw s3Error('NoSuchBucket', { details: { BucketName: place.name.slice(0, 255) } })
    }
    let root: XmlElement
    let wanted: readonly Wanted[]
    try {
      root = readXml(await readSmallBody(call.body, LARGEST_BYTES, call.digests), 'Delete')
      wanted = readWanted(root)
    } catch (error) {
      // Rights show with the keys of the list; whoever can have none is not told what is wrong with it.
      access.requireSomeObject('s3:DeleteObject', place)
      throw error
    }
    const quiet = textOf(root, 'Quiet')?.trim().toLowerCase() === 'true'
    // At the same time, so that the store writes them down together.
    const results = await Promise.all(
      wanted.map(async ({ key, version, etag }): Promise<Xml> => {
        const named = [element('Key', key), optional('VersionId', version)]
        try {
          await deleteOne(call, { key, version, etag })
          return quiet ? undefined : element('Deleted', named)
        } catch (error) {
          const { code, message } = publicS3Error(error)
          if (code === 'InternalError') throw error
          return element('Error', [...named, element('Code', code), element('Message', message)])
        }
      }),
    )
    return { text: document('DeleteResult', results) }
  },
}

interface Wanted {
  readonly key: string
  readonly version: string | undefined
  readonly etag: string | undefined
}

/** Throws `MalformedXML`. */
function readWanted(root: XmlElement): readonly Wanted[] {
  refuseOtherChildren(root, ['Object', 'Quiet'])
  const wanted = childrenOf(root, 'Object').map((object) => ({
    key: textOf(object, 'Key') ?? '',
    version: textOf(object, 'VersionId'),
    etag: textOf(object, 'ETag'),
  }))
  if (wanted.length === 0 || wanted.length > MOST_KEYS || wanted.some(({ key }) => key === '')) throw malformed()
  return wanted
}

async function deleteOne(call: S3Call, { key, version, etag }: Wanted): Promise<void> {
  const name = { bucket: call.place.name, key }
  requireKeyLength(key)
  const place = { ...call.place, key }
  call.access.require('s3:DeleteObject', place, await existingTagFacts({ ...call, place }))
  requireNullVersion(version, key)
  const condition = etag === undefined ? undefined : { etag: etag.replace(/^"(.*)"$/, '$1') }
  const expected = await expectedNow(condition, name, call.services)
  await call.services.store.deleteObject({ ...name, ...(expected === undefined ? {} : { expected }) })
}
