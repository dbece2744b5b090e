import { tagFacts } from '../access/request-facts.ts'
import type { Operation } from '../operation.ts'
import { document } from '../reply/xml-writer.ts'
import { readSmallBody } from '../request/request-body.ts'
import { readXml } from '../request/xml-reader.ts'
import { nameOf, type S3Call } from '../s3-call.ts'
import { requireObject } from './records.ts'
import { decodeTags, encodeTags, readTagging, taggingElements } from './tags.ts'

const LARGEST_BYTES = 65_536

/** What policies may ask of the tags an object has. */
export async function existingTagFacts({
  services: { store },
  place,
}: S3Call): Promise<readonly (readonly [string, readonly string[]])[]> {
  if (place.bucket === undefined || place.key === undefined) return []
  return tagFacts('ExistingObjectTag', decodeTags(await store.objectTags({ bucket: place.name, key: place.key })))
}

export const getObjectTagging: Operation = {
  name: 'GetObjectTagging',
  action: 's3:GetObjectTagging',
  facts: existingTagFacts,
  async handle(call) {
    await requireObject(call)
    const tags = decodeTags(await call.services.store.objectTags(nameOf(call)))
    return { text: document('Tagging', taggingElements(tags)) }
  },
}

export const putObjectTagging: Operation = {
  name: 'PutObjectTagging',
  parameters: ['versionId'],
  action: 's3:PutObjectTagging',
  facts: existingTagFacts,
  async handle(call) {
    await requireObject(call)
    const tags = readTagging(readXml(await readSmallBody(call.body, LARGEST_BYTES, call.digests), 'Tagging'))
    call.access.require('s3:PutObjectTagging', call.place, [
      ...(await existingTagFacts(call)),
      ...tagFacts('RequestObjectTag', tags),
    ])
    await call.services.store.putObjectTags(nameOf(call), encodeTags(tags))
    return {}
  },
}

export const deleteObjectTagging: Operation = {
  name: 'DeleteObjectTagging',
  parameters: ['versionId'],
  action: 's3:DeleteObjectTagging',
  facts: existingTagFacts,
  async handle(call) {
    await requireObject(call)
    await call.services.store.putObjectTags(nameOf(call), undefined)
    return { status: 204 }
  },
}
