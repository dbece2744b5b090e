import { type BucketEncryption, parseBucketEncryption } from '@kms/sse'
import type { Operation } from '../operation.ts'
import { document, element, optional, type Xml } from '../reply/xml-writer.ts'
import { readSmallBody } from '../request/request-body.ts'
import {
  childOf,
  childrenOf,
  malformed,
  readXml,
  refuseOtherChildren,
  textOf,
  type XmlElement,
} from '../request/xml-reader.ts'
import { bucketOf } from '../s3-call.ts'
import { s3Error } from '../s3-error.ts'
import type { Bucket } from '../store/object-store.ts'

const SETTING = 'encryption'
const LARGEST_BYTES = 65_536

/** What new objects of a bucket get whose request names no encryption. */
export function bucketEncryption({ settings }: Bucket): BucketEncryption | undefined {
  const bytes = settings.get(SETTING)
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as BucketEncryption)
}

export const getBucketEncryption: Operation = {
  name: 'GetBucketEncryption',
  action: 's3:GetEncryptionConfiguration',
  handle(call) {
    const encryption = bucketEncryption(bucketOf(call))
    if (encryption === undefined) {
      throw s3Error('ServerSideEncryptionConfigurationNotFoundError', { details: { BucketName: bucketOf(call).name } })
    }
    return { text: document('ServerSideEncryptionConfiguration', ruleElement(encryption)) }
  },
}

export const putBucketEncryption: Operation = {
  name: 'PutBucketEncryption',
  action: 's3:PutEncryptionConfiguration',
  changesBucket: true,
  async handle(call) {
    const bucket = bucketOf(call)
    const bytes = await readSmallBody(call.body, LARGEST_BYTES, call.digests)
    const encryption = readRule(readXml(bytes, 'ServerSideEncryptionConfiguration'), bucketEncryption(bucket))
    await call.services.store.putBucketSetting(bucket.name, SETTING, Buffer.from(JSON.stringify(encryption)))
    return {}
  },
}

export const deleteBucketEncryption: Operation = {
  name: 'DeleteBucketEncryption',
  action: 's3:PutEncryptionConfiguration',
  changesBucket: true,
  async handle(call) {
    await call.services.store.putBucketSetting(bucketOf(call).name, SETTING, undefined)
    return { status: 204 }
  },
}

function readRule(root: XmlElement, before: BucketEncryption | undefined): BucketEncryption {
  refuseOtherChildren(root, ['Rule'])
  const rules = childrenOf(root, 'Rule')
  const [rule] = rules
  if (rule === undefined || rules.length > 1) throw malformed()
  refuseOtherChildren(rule, ['ApplyServerSideEncryptionByDefault', 'BucketKeyEnabled', 'BlockedEncryptionTypes'])
  const applied = childOf(rule, 'ApplyServerSideEncryptionByDefault')
  const blocked = childOf(rule, 'BlockedEncryptionTypes')
  if (applied !== undefined) {
    refuseOtherChildren(applied, ['SSEAlgorithm', 'KMSMasterKeyID'])
    if (textOf(applied, 'SSEAlgorithm') === undefined) throw malformed()
  }
  return parseBucketEncryption(
    {
      SSEAlgorithm: applied === undefined ? undefined : textOf(applied, 'SSEAlgorithm'),
      KMSMasterKeyID: applied === undefined ? undefined : textOf(applied, 'KMSMasterKeyID'),
      BucketKeyEnabled: textOf(rule, 'BucketKeyEnabled'),
      BlockedEncryptionTypes: blocked && childrenOf(blocked, 'EncryptionType').map(({ text }) => text),
    },
    before,
  )
}

function ruleElement({ algorithm, kmsKeyId, bucketKeyEnabled, blocksSseC }: BucketEncryption): Xml {
  return element('Rule', [
    element('ApplyServerSideEncryptionByDefault', [
      element('SSEAlgorithm', algorithm),
      optional('KMSMasterKeyID', kmsKeyId),
    ]),
    element('BucketKeyEnabled', bucketKeyEnabled),
    blocksSseC ? element('BlockedEncryptionTypes', element('EncryptionType', 'SSE-C')) : undefined,
  ])
}
