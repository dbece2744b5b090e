import type { SoakRandom } from './soak-random.ts'

/** Where bad configurations may point. */
export interface BadPlaces {
  /** A directory that holds other things. */
  readonly foreignDirectory: string
  /** Nobody listens there. */
  readonly deadAddress: string
}

const FIELDS: readonly (readonly [string, readonly unknown[]])[] = [
  ['timeout_seconds', [0, -1, 301, 1.5, '30', true, [], {}, 1e9]],
  ['retry_attempts', [-1, 11, 0.5, '3', false, [1]]],
  ['enable_cache', ['true', 1, 0, 'yes', [], {}]],
  ['max_cached_keys', [0, -5, 1_000_001, 2.5, '1000', false]],
  ['cache_ttl_seconds', [0, 86_401, -1, 0.1, '300', [300]]],
  ['allow_offline_decryption', ['on', 1, 'false', {}]],
  ['default_key_id', ['', '../x', 'a b', 'x'.repeat(129), 7, true, 'arn:aws:s3:::bucket', 'alias/', 'absent-key']],
  ['backend_type', ['', 'floppy', 'LOCAL', 7, {}, 'vault-kv2', '__proto__']],
  [
    'key_dir',
    ['', 'relative', '/proc/kms', '/etc/kms', '/a/../b', 'x\u0000y', 7, ['/x'], '/usr/share/keys', '/sys/kms'],
  ],
  ['master_key', ['', '***', ' ', 7, {}, ['x']]],
]

const NONSENSE = ['nmae', 'cache_ttl_second', 'Timeout_Seconds', 'constructor', 'key dir', '$where', 'a'.repeat(300)]

/** A patch that must be refused, whatever is running; every kind of mistake comes up. */
export function badConfiguration(random: SoakRandom, { foreignDirectory, deadAddress }: BadPlaces): unknown {
  const kind = random.below(100)
  if (kind < 55) {
    const [field, values] = random.pick(FIELDS)
    return { ...anything(random), [field]: random.pick(values) }
  }
  if (kind < 70) return { ...anything(random), [random.pick(NONSENSE)]: random.pick([1, 'x', null, true]) }
  if (kind < 76) return random.pick([[], 'x', 7, null, true, [{}], [[]]])
  if (kind < 82) return { backend_type: 'local', key_dir: foreignDirectory }
  if (kind < 88) return { backend_type: 'local', key_dir: '/x', address: 'https://vault.example.com' }
  if (kind < 94) {
    const auth = random.pick<unknown>([{}, { token: '' }, { token: 7 }, { approle: {} }, { nobody: {} }, 'token', []])
    return { backend_type: 'vault', address: deadAddress, auth_method: auth }
  }
  if (kind < 97)
    return { backend_type: 'vault', address: random.pick(['', 'ftp://x', 'vault', 7, 'http://169.254.169.254']) }
  // Valid in form, and nobody is there: it has to be tried, so it is rare.
  return {
    backend_type: 'vault',
    address: deadAddress,
    auth_method: { token: 'x' },
    retry_attempts: 0,
    timeout_seconds: 2,
  }
}

/** Something that would be fine by itself: a bad field spoils what is good beside it. */
function anything(random: SoakRandom): object {
  const ttl = 1 + random.below(1000)
  return random.pick<object>([{}, {}, { cache_ttl_seconds: ttl }, { enable_cache: true }, { max_cached_keys: ttl }])
}
