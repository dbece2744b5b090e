import { Buffer } from 'node:buffer'
import type { KeyUse, KeyUseCount } from '@kms/s3-api'
import type { Database } from './database.ts'
import { above } from './object-key.ts'

/** Counters of what is wrapped by each key version. All but `count` run inside a transaction. */
export interface KeyUses {
  add(uses: readonly KeyUse[], kind: keyof KeyUseCount): void
  remove(uses: readonly KeyUse[], kind: keyof KeyUseCount): void
  count(wanted: { readonly realm: string; readonly keyId?: string; readonly version?: number }): KeyUseCount
}

/** Keys: `u8 length ‖ realm ‖ u8 length ‖ key id ‖ u32 version`. Values: `u64 objects ‖ u64 uploads`; gone at zero. */
export function createKeyUses({ uses: table }: Pick<Database, 'uses'>): KeyUses {
  function change(uses: readonly KeyUse[], kind: keyof KeyUseCount, by: 1 | -1): void {
    for (const use of uses) {
      const key = Buffer.concat([text(use.realm), text(use.keyId), u32(use.version)])
      const { objects, uploads } = decode(table.get(key))
      const changed = { objects, uploads, [kind]: (kind === 'objects' ? objects : uploads) + by }
      if (changed.objects === 0 && changed.uploads === 0) table.remove(key)
      else table.put(key, encode(changed))
    }
  }

  return {
    add: (uses, kind) => change(uses, kind, 1),
    remove: (uses, kind) => change(uses, kind, -1),
    count({ realm, keyId, version }) {
      const prefix = Buffer.concat([
        text(realm),
        ...(keyId === undefined ? [] : [text(keyId), ...(version === undefined ? [] : [u32(version)])]),
      ])
      let objects = 0
      let uploads = 0
      for (const { value } of table.range({ start: prefix, end: above(prefix) })) {
        const found = decode(value)
        objects += found.objects
        uploads += found.uploads
      }
      return { objects, uploads }
    },
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  if (bytes.length === 0 || bytes.length > 255) throw new RangeError('a realm or key id has 1 to 255 bytes')
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function encode({ objects, uploads }: KeyUseCount): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64BE(BigInt(objects), 0)
  bytes.writeBigUInt64BE(BigInt(uploads), 8)
  return bytes
}

function decode(bytes: Buffer | undefined): KeyUseCount {
  if (bytes === undefined) return { objects: 0, uploads: 0 }
  return { objects: Number(bytes.readBigUInt64BE(0)), uploads: Number(bytes.readBigUInt64BE(8)) }
}
