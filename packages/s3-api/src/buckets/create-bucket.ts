import { refuseAccessControlLists } from '../access/owner.ts'
import { notImplemented, type Operation } from '../operation.ts'
import { readSmallBody } from '../request/request-body.ts'
import { readXml, textOf } from '../request/xml-reader.ts'
import type { S3Call } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'
import { requireBucketName } from './bucket-name.ts'

const LARGEST_BYTES = 65_536

export const createBucket: Operation = {
  name: 'CreateBucket',
  action: 's3:CreateBucket',
  changesBucket: true,
  makesBucket: true,
  async handle(call) {
    const { header, place, services } = call
    requireBucketName(place.name)
    refuseAccessControlLists(header)
    if (header('x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true') {
      throw notImplemented('x-amz-bucket-object-lock-enabled')
    }
    const ownership = header('x-amz-object-ownership')
    if (ownership !== undefined && ownership !== 'BucketOwnerEnforced') throw notImplemented('x-amz-object-ownership')
    await requireOurRegion(call)
    await services.store.createBucket(place.name)
    return { headers: [['location', `/${place.name}`]] }
  },
}

/** A server without a region is in all of them. */
async function requireOurRegion({ body, digests, services: { region } }: S3Call): Promise<void> {
  const bytes = await readSmallBody(body, LARGEST_BYTES, digests)
  if (bytes.length === 0) return
  const wanted = textOf(readXml(bytes, 'CreateBucketConfiguration'), 'LocationConstraint')
  if (wanted === undefined || wanted === '' || region === undefined || wanted === region) return
  throw s3Error('IllegalLocationConstraintException')
}
