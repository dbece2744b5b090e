import { Buffer } from 'node:buffer'
import { element, type Xml } from '../reply/xml-writer.ts'
import { childOf, childrenOf, malformed, textOf, type XmlElement } from '../request/xml-reader.ts'
import { invalidArgument, s3Error } from '../s3-error.ts'

/** Tags by key. */
export type Tags = ReadonlyMap<string, string>

const MOST = 10
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** As they are stored; `undefined` for none. */
export function encodeTags(tags: Tags): Buffer | undefined {
  return tags.size === 0 ? undefined : Buffer.from(JSON.stringify([...tags]))
}

export function decodeTags(bytes: Buffer | undefined): Tags {
  return bytes === undefined ? new Map() : new Map(JSON.parse(bytes.toString('utf8')) as [string, string][])
}

/** The tags of `x-amz-tagging`: query parameters. Throws `InvalidArgument`, `InvalidTag`. */
export function readTaggingHeader(header: string | undefined): Tags | undefined {
  if (header === undefined) return undefined
  const tags = new Map<string, string>()
  for (const part of header.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const [key, value] = [equals < 0 ? part : part.slice(0, equals), equals < 0 ? '' : part.slice(equals + 1)].map(
      decode,
    )
    if (key === undefined || value === undefined || tags.has(key)) {
      throw invalidArgument(
        'x-amz-tagging',
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      )
    }
    tags.set(key, value)
  }
  return checked(tags)
}

/** The tags of a `Tagging` element. Throws `MalformedXML`, `InvalidTag`. */
export function readTagging(root: XmlElement): Tags {
  const set = childOf(root, 'TagSet')
  if (set === undefined) throw malformed()
  const tags = new Map<string, string>()
  for (const tag of childrenOf(set, 'Tag')) {
    const key = textOf(tag, 'Key')
    const value = textOf(tag, 'Value')
    if (key === undefined || value === undefined) throw malformed()
    if (tags.has(key)) throw invalidTag('Cannot provide multiple Tags with the same key', key)
    tags.set(key, value)
  }
  return checked(tags)
}

export function taggingElements(tags: Tags): Xml {
  return element(
    'TagSet',
    Array.from(tags, ([key, value]) => element('Tag', [element('Key', key), element('Value', value)])),
  )
}

function checked(tags: Tags): Tags {
  if (tags.size > MOST) throw s3Error('BadRequest', 'Object tags cannot be greater than 10')
  for (const [key, value] of tags) {
    if (key === '' || key.length > 128 || !ALLOWED.test(key))
      throw invalidTag('The TagKey you have provided is invalid', key)
    if (key.toLowerCase().startsWith('aws:')) throw invalidTag('Your TagKey cannot be prefixed with aws:', key)
    if (value.length > 256 || !ALLOWED.test(value)) throw invalidTag('The TagValue you have provided is invalid', key)
  }
  return tags
}

function invalidTag(message: string, key: string): Error {
  return s3Error('InvalidTag', { message, details: { TagKey: key.slice(0, 128) } })
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
