import type { KeyPatch, KeyRecord } from './key-backend.ts'

type Patched = Pick<KeyRecord, 'aliases' | 'description' | 'tags' | 'deletionAt' | 'stateBeforeDeletion'> &
  Pick<KeyRecord, 'rotationPeriodDays'> & { readonly state: string }

/** What a backend keeps of a key, with a patch applied: absent members stay, `null` clears. */
export function patchKey<T extends Patched>(key: T, patch: KeyPatch): T {
  const { deletionAt, stateBeforeDeletion, rotationPeriodDays, ...rest } = key
  return {
    ...rest,
    aliases: [...(patch.aliases ?? key.aliases)],
    description: patch.description ?? key.description,
    tags: patch.tags === undefined ? key.tags : new Map(patch.tags),
    state: patch.state ?? key.state,
    ...optional('deletionAt', patch.deletionAt, deletionAt),
    ...optional('stateBeforeDeletion', patch.stateBeforeDeletion, stateBeforeDeletion),
    ...optional('rotationPeriodDays', patch.rotationPeriodDays, rotationPeriodDays),
  } as unknown as T
}

function optional<V>(name: string, change: V | null | undefined, stored: V | undefined): Readonly<Record<string, V>> {
  const value = change === undefined ? stored : change
  return value === undefined || value === null ? {} : { [name]: value }
}
