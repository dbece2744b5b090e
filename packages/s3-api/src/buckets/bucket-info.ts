import { ownerElement } from '../access/owner.ts'
import type { Operation } from '../operation.ts'
import { isoTime } from '../reply/times.ts'
import { document, element, optional } from '../reply/xml-writer.ts'
import { bucketOf } from '../s3-call.ts'
import { invalidArgument } from '../s3-error.ts'

const MOST_BUCKETS = 10_000

export const listBuckets: Operation = {
  name: 'ListBuckets',
  action: 's3:ListAllMyBuckets',
  async handle({ services: { store }, query }) {
    const prefix = query.get('prefix')
    const limit = maxBuckets(query.get('max-buckets'))
    const token = query.get('continuation-token')
    const { buckets, next } = await store.listBuckets({
      limit,
      ...(prefix === undefined ? {} : { prefix }),
      ...(token === undefined ? {} : { after: Buffer.from(token, 'base64url').toString('latin1') }),
    })
    const text = document('ListAllMyBucketsResult', [
      ownerElement('Owner'),
      element(
        'Buckets',
        buckets.map(({ name, created }) =>
          element('Bucket', [element('Name', name), element('CreationDate', isoTime(created))]),
        ),
      ),
      optional('ContinuationToken', next === undefined ? undefined : Buffer.from(next, 'latin1').toString('base64url')),
      optional('Prefix', prefix),
    ])
    return { text }
  },
}

function maxBuckets(value: string | undefined): number {
  if (value === undefined) return MOST_BUCKETS
  const number = Number(value)
  if (!/^\d{1,6}$/.test(value) || number < 1 || number > MOST_BUCKETS) {
    throw invalidArgument('max-buckets', `Argument max-buckets must be an integer between 1 and ${MOST_BUCKETS}`, value)
  }
  return number
}

export const headBucket: Operation = {
  name: 'HeadBucket',
  action: 's3:ListBucket',
  handle: ({ services: { region = 'us-east-1' } }) => ({ headers: [['x-amz-bucket-region', region]] }),
}

export const deleteBucket: Operation = {
  name: 'DeleteBucket',
  action: 's3:DeleteBucket',
  changesBucket: true,
  async handle(call) {
    await call.services.store.deleteBucket(bucketOf(call).name)
    return { status: 204 }
  },
}

/** S3's oldest region has an empty name here. */
export const getBucketLocation: Operation = {
  name: 'GetBucketLocation',
  action: 's3:GetBucketLocation',
  handle: ({ services: { region = 'us-east-1' } }) => ({
    text: document('LocationConstraint', region === 'us-east-1' ? '' : region),
  }),
}

export const getBucketVersioning: Operation = {
  name: 'GetBucketVersioning',
  action: 's3:GetBucketVersioning',
  handle: () => ({ text: document('VersioningConfiguration', '') }),
}
