import { accessControlPolicy } from '../access/owner.ts'
import { acceptUnchanged } from '../buckets/acl.ts'
import type { Operation } from '../operation.ts'
import { document } from '../reply/xml-writer.ts'
import { requireObject } from './records.ts'

export const getObjectAcl: Operation = {
  name: 'GetObjectAcl',
  action: 's3:GetObjectAcl',
  async handle(call) {
    await requireObject(call)
    return { text: document('AccessControlPolicy', accessControlPolicy()) }
  },
}

export const putObjectAcl: Operation = {
  name: 'PutObjectAcl',
  parameters: ['versionId'],
  action: 's3:PutObjectAcl',
  async handle(call) {
    await requireObject(call)
    return await acceptUnchanged(call)
  },
}
