/** A key that one process alone acts on, as it must be: what is shown of its record, or the last version of a destroyed one. */
export type OwnKey =
  | {
      readonly state: 'Enabled' | 'Disabled' | 'PendingDeletion'
      readonly before?: 'Enabled' | 'Disabled'
      readonly oldest: number
      readonly current: number
      readonly aliases: readonly string[]
      readonly tag: string
      readonly description: string
      readonly origin: 'KMS' | 'EXTERNAL'
    }
  | { readonly destroyed: number }

/** What is done to a key; `value` is a tag's, a description, or an alias. */
export interface Act {
  readonly type:
    | 'create'
    | 'import'
    | 'rotate'
    | 'enable'
    | 'disable'
    | 'tag'
    | 'describe'
    | 'add alias'
    | 'remove alias'
    | 'schedule'
    | 'cancel'
    | 'destroy'
  readonly key: string
  readonly value: string
}

export const ACTS: readonly Act['type'][] = [
  'create',
  'create',
  'import',
  'rotate',
  'rotate',
  'rotate',
  'enable',
  'enable',
  'disable',
  'tag',
  'describe',
  'add alias',
  'remove alias',
  'schedule',
  'cancel',
  'cancel',
  'destroy',
]

const NEVER: OwnKey = { destroyed: 0 }

/** What an act makes of a key; `undefined`: it is refused. */
export function afterAct(key: OwnKey | undefined = NEVER, { type, value }: Act): OwnKey | undefined {
  if ('destroyed' in key) {
    if (type !== 'create' && type !== 'import') return undefined
    const version = key.destroyed + 1
    const origin = type === 'import' ? 'EXTERNAL' : 'KMS'
    return { state: 'Enabled', oldest: version, current: version, aliases: [], tag: '', description: '', origin }
  }
  const isPending = key.state === 'PendingDeletion'
  const { before = 'Disabled', ...rest } = key
  switch (type) {
    case 'create':
    case 'import':
      return undefined
    case 'rotate':
      return key.state === 'Enabled' ? { ...key, current: key.current + 1 } : undefined
    case 'enable':
    case 'disable':
      return isPending ? undefined : { ...key, state: type === 'enable' ? 'Enabled' : 'Disabled' }
    case 'tag':
      return isPending ? undefined : { ...key, tag: value }
    case 'describe':
      return isPending ? undefined : { ...key, description: value }
    case 'add alias':
      return isPending ? undefined : { ...key, aliases: [...new Set([...key.aliases, value])] }
    case 'remove alias':
      return key.aliases.includes(value) ? { ...key, aliases: key.aliases.filter((each) => each !== value) } : undefined
    case 'schedule':
      return key.state === 'PendingDeletion' ? undefined : { ...key, state: 'PendingDeletion', before: key.state }
    case 'cancel':
      return isPending ? { ...rest, state: before } : key
    case 'destroy':
      return { destroyed: key.current }
  }
}
