import { Buffer } from 'node:buffer'
import { checkContentLength, createChecksum } from '@kms/sigv4'
import { decideWriteEncryption } from '@kms/sse'
import { bucketEncryption } from '../buckets/encryption.ts'
import type { Operation } from '../operation.ts'
import type { Reply } from '../reply/answer.ts'
import { bareDocument, element, encodeName } from '../reply/xml-writer.ts'
import { requireKeyLength } from '../request/address.ts'
import { readDigests } from '../request/digests.ts'
import { readUploadForm, type UploadForm } from '../request/form-reader.ts'
import { readXml } from '../request/xml-reader.ts'
import type { S3Call } from '../s3-call.ts'
import { invalidArgument, s3Error } from '../s3-error.ts'
import { readContentHeaders } from './content-headers.ts'
import { requireTagging, writeObject, writtenHeaders } from './put-object.ts'
import { readTagging, type Tags } from './tags.ts'
import { LARGEST_BODY, requireWritable } from './write-rules.ts'

/** An upload from a browser: the headers of PutObject are fields of a form, and so is the signature. */
export const postObject: Operation = {
  name: 'PostObject',
  async handle(call) {
    const contentType = call.header('content-type') ?? ''
    if (!/^multipart\/form-data\s*;/i.test(contentType)) {
      // Whoever may do nothing here is not told more.
      call.access.require('s3:PutObject', { ...call.place, key: '*' })
      throw s3Error('MethodNotAllowed', { details: { Method: 'POST', AllowedMethods: 'GET, HEAD, PUT, DELETE' } })
    }
    const form = await readUploadForm(contentType, call.body.chunks())
    try {
      return await postForm(call, form)
    } finally {
      await form.close()
    }
  },
}

async function postForm(call: S3Call, form: UploadForm): Promise<Reply> {
  const { services, received, place, transport } = call
  const headers = headersOf(form.fields)
  const header = (name: string): string | undefined => headers.get(name)
  const key = keyOf(form)
  const { access, authenticated, contentLengthRange } = await services.authenticateForm({
    received,
    fields: form.fields,
    headers,
    bucket: place.name,
    key,
    notes: call.notes,
  })
  const target = { ...place, key }
  access.require('s3:PutObject', target)
  if (place.bucket === undefined) throw s3Error('NoSuchBucket', { details: { BucketName: place.name.slice(0, 255) } })
  requireKeyLength(key)
  requireWritable((name) => (name === 'x-amz-acl' ? (header('acl') ?? header(name)) : header(name)))
  const tags = tagsOf(header('tagging'))
  if (tags !== undefined && tags.size > 0) requireTagging(access, target, tags)
  const digests = readDigests(header)
  const encryption = decideWriteEncryption({ header, transport, bucket: bucketEncryption(place.bucket) })
  const running = digests.checksum === undefined ? undefined : createChecksum(digests.checksum.algorithm)
  const { info } = await writeObject(
    { ...call, access, authenticated, place: target },
    {
      name: { bucket: place.name, key },
      encryption,
      content: readContentHeaders(headers),
      tags,
      condition: undefined,
      contentMd5: digests.contentMd5,
      async *chunks() {
        let size = 0
        for await (const chunk of form.file) {
          size += chunk.length
          if (size > LARGEST_BODY) throw s3Error('EntityTooLarge')
          if (contentLengthRange !== undefined && size > contentLengthRange.maxBytes)
            checkContentLength(contentLengthRange, size)
          running?.update(chunk)
          yield chunk
        }
        checkContentLength(contentLengthRange, size)
        const computed = running?.digest()
        if (computed !== undefined && computed.value !== digests.checksum?.value) throw s3Error('BadDigest')
      },
      checksum: () => digests.checksum,
    },
  )
  const written = writtenHeaders('PostObject', info, encryption)
  return success(call, header, { bucket: place.name, key, etag: `"${info.etag}"`, written })
}

/** Field names count in any case. Values are the bytes a header would have. */
function headersOf(fields: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map(
    Array.from(fields, ([name, value]) => [name.toLowerCase(), Buffer.from(value, 'utf8').toString('latin1')] as const),
  )
}

function keyOf({ fields, fileName }: UploadForm): string {
  for (const [name, value] of fields) {
    if (name.toLowerCase() !== 'key') continue
    // What a browser sends as a name may be a path of its machine.
    const key = value.replaceAll('${filename}', fileName.replace(/^.*[/\\]/, ''))
    if (key !== '') return key
    throw invalidArgument('key', 'User key must have a length greater than 0.')
  }
  throw invalidArgument(
    'key',
    "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
  )
}

function tagsOf(field: string | undefined): Tags | undefined {
  return field === undefined ? undefined : readTagging(readXml(Buffer.from(field, 'latin1'), 'Tagging'))
}

interface Posted {
  readonly bucket: string
  readonly key: string
  readonly etag: string
  readonly written: ReturnType<typeof writtenHeaders>
}

/** As the form asks (POST Object, `success_action_redirect`, `success_action_status`). */
function success(call: S3Call, header: (name: string) => string | undefined, posted: Posted): Reply {
  const { bucket, key, etag, written } = posted
  const { received, authenticated } = call
  const scheme = authenticated.peer.secure ? 'https' : 'http'
  const base = received.rawPath.endsWith('/') ? received.rawPath : `${received.rawPath}/`
  const location = `${scheme}://${call.header('host') ?? 'localhost'}${base}${encodeName(key)}`
  const redirect = redirectOf(header('success_action_redirect') ?? header('redirect'))
  if (redirect !== undefined) {
    for (const [name, value] of Object.entries({ bucket, key, etag })) redirect.searchParams.set(name, value)
    return { status: 303, headers: [['location', redirect.href], ...written] }
  }
  const status = header('success_action_status')
  const headers = [...written, ['location', location]] as const
  if (status === '200') return { headers }
  if (status !== '201') return { status: 204, headers }
  const text = bareDocument('PostResponse', [
    element('Location', location),
    element('Bucket', bucket),
    element('Key', key),
    element('ETag', etag),
  ])
  return { status: 201, headers, text }
}

/** What is no URL of the web is not gone to (POST Object: then the field is taken for absent). */
function redirectOf(text: string | undefined): URL | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined
}
