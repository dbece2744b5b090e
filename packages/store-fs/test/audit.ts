import { Buffer } from 'node:buffer'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyUse } from '@kms/s3-api'
import { openDatabase } from '../src/database.ts'
import { decodeRecord } from '../src/record.ts'
import { readSegments } from '../src/segments.ts'

/** What the directory of a store holds, against what its database says it should. */
export interface Audit {
  /** Files nothing refers to. */
  readonly orphans: readonly string[]
  /** Files that are referred to and not there. */
  readonly missing: readonly string[]
  /** Rows of writes under way, of things to remove, of counters that differ from a recount, of tables without their object. */
  readonly leftovers: readonly string[]
}

interface Head {
  readonly generation: string
  readonly body?: string
  readonly parts: boolean
  readonly uses: readonly KeyUse[]
}

/** Looks at a store nobody is writing to. */
export async function auditStore(directory: string): Promise<Audit> {
  const db = openDatabase(directory)
  const all = { start: Buffer.alloc(0) }
  const bodies = new Set<string>()
  const sets = new Set<string>()
  const tables = new Set<string>()
  const counts = new Map<string, number>()
  const recount = (uses: readonly KeyUse[], kind: string): void => {
    for (const { realm, keyId, version } of uses) {
      const name = `${realm} ${keyId} ${version} ${kind}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  }
  const leftovers: string[] = []
  const tagged = new Set<string>()
  for (const { key, value } of db.objects.range(all)) {
    const { head } = decodeRecord<Head>(value)
    recount(head.uses, 'objects')
    tagged.add(key.toString('hex'))
    if (head.parts) tables.add(head.generation)
    if (head.body === undefined) {
      sets.add(head.generation)
      for (const { id } of readSegments(db.segments.get(Buffer.from(head.generation, 'hex')))) bodies.add(id)
    } else if (head.body !== '') bodies.add(head.body)
  }
  const uploads = new Set<string>()
  for (const { key, value } of db.uploads.range(all)) {
    uploads.add(key.toString('hex'))
    recount(decodeRecord<{ readonly uses: readonly KeyUse[] }>(value).head.uses, 'uploads')
  }
  const indexed = [...db.uploadIndex.range(all)].map(({ value }) => value.toString('hex'))
  if (indexed.length !== uploads.size || indexed.some((id) => !uploads.has(id))) leftovers.push('uploadIndex')
  for (const { key, value } of db.uploadParts.range(all)) {
    if (!uploads.has(key.toString('hex', 0, 24))) leftovers.push('uploadParts')
    const { body } = decodeRecord<{ readonly body: string }>(value).head
    if (body !== '') bodies.add(body)
  }
  for (const { key } of db.segments.range(all)) if (!sets.has(key.toString('hex'))) leftovers.push('segments')
  for (const { key } of db.parts.range(all)) if (!tables.has(key.toString('hex'))) leftovers.push('parts')
  for (const { key } of db.tags.range(all)) if (!tagged.has(key.toString('hex'))) leftovers.push('tags')
  for (const _ of db.pending.range(all)) leftovers.push('pending')
  for (const _ of db.garbage.range(all)) leftovers.push('garbage')
  leftovers.push(...countedOtherwise(counts, [...db.uses.range(all)]))
  await db.close()

  const found = (await readdir(join(directory, 'bodies'), { withFileTypes: true, recursive: true })).flatMap((entry) =>
    entry.isFile() ? [entry.name] : [],
  )
  return {
    orphans: found.filter((name) => !bodies.has(name)),
    missing: [...bodies].filter((id) => !found.includes(id)),
    leftovers,
  }
}

function countedOtherwise(
  counts: ReadonlyMap<string, number>,
  rows: readonly { readonly key: Buffer; readonly value: Buffer }[],
): readonly string[] {
  const stored = new Map<string, number>()
  for (const { key, value } of rows) {
    const realmEnd = 1 + (key[0] as number)
    const keyEnd = realmEnd + 1 + (key[realmEnd] as number)
    const name = `${key.toString('utf8', 1, realmEnd)} ${key.toString('utf8', realmEnd + 1, keyEnd)} ${key.readUInt32BE(keyEnd)}`
    const [objects, uploads] = [Number(value.readBigUInt64BE(0)), Number(value.readBigUInt64BE(8))]
    if (objects !== 0) stored.set(`${name} objects`, objects)
    if (uploads !== 0) stored.set(`${name} uploads`, uploads)
  }
  return [...new Set([...counts.keys(), ...stored.keys()])]
    .filter((name) => counts.get(name) !== stored.get(name))
    .map((name) => `count of ${name}: ${stored.get(name)}, not ${counts.get(name)}`)
}
