import type { ObjectHead, ObjectName, ObjectProtection, ObjectsClient } from '@kms/client'
import { type Command, Option } from 'commander'
import { readPairs } from '../command-value.ts'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import { formatReply, formatTable } from '../output.ts'
import { getFile, putFile } from './object-files.ts'
import { readObjectName, readPrefix } from './object-name.ts'
import { verifyObjects } from './verify-objects.ts'

interface PutOptions {
  readonly sse?: 'aws:kms' | 'AES256'
  readonly sseKmsKeyId?: string
  readonly bucketKey?: true
  readonly context?: readonly string[]
  readonly contentType?: string
}

/** What the commands need of the program they belong to. */
export interface ObjectsContext {
  readonly io: Io
  json(): boolean
  inherit(command: Command): Command
  concurrencyOf(text: string): number
  withObjects<T>(work: (client: ObjectsClient) => Promise<T>): Promise<T>
}

/** `kmsctl objects`: what an operator does with encrypted objects. */
export function addObjects(objects: Command, { io, json, inherit, concurrencyOf, withObjects }: ObjectsContext): void {
  const print = (reply: unknown): void => io.out(formatReply(reply, json()))
  const table = (reply: object, head: readonly string[], rows: readonly (readonly string[])[]): void =>
    io.out(json() ? formatReply(reply, true) : formatTable(head, rows))
  const command = (name: string, description: string): Command =>
    inherit(objects.command(name)).description(description)

  command('put', 'upload a file')
    .argument('<file>')
    .argument('<name>', 'bucket/key; bucket/ takes the name of the file')
    .addOption(
      new Option('--sse <mode>', 'how to encrypt it; as the bucket says unless given').choices(['aws:kms', 'AES256']),
    )
    .option('--sse-kms-key-id <key>', 'KMS key to encrypt it under; means aws:kms')
    .option('--bucket-key', 'let one data key serve several objects of the bucket')
    .option('--context <name=value...>', 'encryption context, repeatable; authenticated, never secret')
    .option('--content-type <type>', 'what it is')
    .action(async (file: string, text: string, options: PutOptions) => {
      const name = readObjectName(text, file)
      const { contentType } = options
      const given = { ...protectionOf(options), ...(contentType === undefined ? {} : { contentType }) }
      print(shown(name, await withObjects((client) => putFile(client, name, file, given, io))))
    })

  command('get', 'download into a file, which is there when all of it is')
    .argument('<name>', 'bucket/key')
    .argument('<file>')
    .action(async (text: string, file: string) => {
      const name = readObjectName(text)
      print(shown(name, await withObjects((client) => getFile(client, name, file, io))))
    })

  command('head', 'size of an object, and how it is encrypted')
    .argument('<name>', 'bucket/key')
    .action(async (text: string) => {
      const name = readObjectName(text)
      print(shown(name, await withObjects((client) => client.head(name))))
    })

  command('list', 'the buckets, or the objects of one')
    .argument('[prefix]', 'bucket, or bucket/prefix')
    .action(async (text: string | undefined) => {
      await withObjects(async (client) => {
        if (text === undefined) {
          const buckets = await client.buckets()
          return table(
            { buckets },
            ['BUCKET'],
            buckets.map((name) => [name]),
          )
        }
        const { bucket, prefix } = readPrefix(text)
        const found = []
        for await (const { key, size, lastModified } of client.list(bucket, prefix)) {
          found.push({ key, size, last_modified: lastModified })
        }
        const rows = found.map((each) => [each.key, String(each.size), each.last_modified])
        return table({ objects: found }, ['KEY', 'SIZE', 'LAST MODIFIED'], rows)
      })
    })

  command('remove', 'remove an object; one that is not there is removed')
    .argument('<name>', 'bucket/key')
    .action(async (text: string) => {
      const name = readObjectName(text)
      await withObjects((client) => client.remove(name))
      print({ message: 'Removed.', ...name })
    })

  command('make-bucket', 'make a bucket')
    .argument('<bucket>')
    .action(async (text: string) => {
      const { bucket } = readPrefix(text)
      await withObjects((client) => client.makeBucket(bucket))
      print({ message: 'Bucket made.', bucket })
    })

  command('verify', 'read objects to their end, which opens their keys and checks every frame')
    .argument('<prefix>', 'bucket, or bucket/prefix')
    .option('--concurrency <number>', 'objects at a time', concurrencyOf, 4)
    .action(async (text: string, { concurrency }: { concurrency: number }) => {
      const where = { ...readPrefix(text), concurrency }
      const results = await withObjects((client) => verifyObjects(client, where, io))
      const rows = results.map(({ key, size, outcome, message }) => [key, String(size), outcome, message ?? ''])
      table({ results }, ['KEY', 'SIZE', 'OUTCOME', ''], rows)
      const failed = results.filter(({ outcome }) => outcome !== 'ok').length
      if (failed > 0) throw new CliError(exitCodes.found, `${failed} of ${results.length} objects failed.`)
    })
}

function protectionOf({ sse, sseKmsKeyId, bucketKey, context }: PutOptions): ObjectProtection {
  const mode = sse ?? (sseKmsKeyId === undefined ? undefined : 'aws:kms')
  return {
    ...(mode === undefined ? {} : { sse: mode }),
    ...(sseKmsKeyId === undefined ? {} : { kmsKeyId: sseKmsKeyId }),
    ...(bucketKey === undefined ? {} : { bucketKey }),
    ...(context === undefined ? {} : { context: readPairs(context) }),
  }
}

function shown(
  name: ObjectName,
  { size, etag, lastModified, contentType, sse, kmsKeyId, bucketKey }: ObjectHead,
): object {
  return {
    ...name,
    size: size ?? null,
    etag: etag ?? null,
    last_modified: lastModified ?? null,
    content_type: contentType ?? null,
    sse: sse ?? null,
    kms_key_id: kmsKeyId ?? null,
    bucket_key: bucketKey,
  }
}
