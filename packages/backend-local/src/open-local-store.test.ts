import {
  chmod,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fields } from '../test/document-of.ts'
import { expectRefusal, RAW_KEY, type Scratch, scratchStore } from '../test/scratch-store.ts'

let scratch: Scratch
const environment = new Map<string, string>()
beforeEach(async () => {
  scratch = await scratchStore({ environment: (name) => environment.get(name) })
})
afterEach(async () => {
  environment.clear()
  await scratch.cleanup()
})

const GENERATED = { master_key: undefined }
const PASSPHRASE = { master_key: 'correct horse battery staple' }
const realm = 'ab'.repeat(16)

/** Everything below a directory, with its contents. */
async function contents(path: string): Promise<unknown> {
  const files = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => [])
  return Promise.all(
    files.map(async (file) => {
      const at = join(file.parentPath, file.name)
      return [at, file.isFile() ? await readFile(at, 'latin1') : 'other']
    }),
  )
}

describe('which directory becomes a store', () => {
  it.each<[string, (dir: string) => Promise<unknown>]>([
    ['an absent directory', async () => {}],
    ['an absent directory under absent parents', (dir) => rm(join(dir, '..'), { recursive: true, force: true })],
    ['an empty directory', (dir) => mkdir(dir, { recursive: true })],
    ['an abandoned temporary file, empty', (dir) => leave(dir, '.tmp-store.json-0123456789ab', '')],
    ['an abandoned temporary file, cut short', (dir) => leave(dir, '.tmp-store.json-0123456789ab', '{"for')],
    [
      'an abandoned temporary file, whole',
      (dir) => leave(dir, '.tmp-store.json-0123456789ab', '{"format":1,"kind":"store"}\n'),
    ],
  ])('%s', async (_, prepare) => {
    const dir = join(scratch.root, 'parent', 'dir')
    await prepare(dir)
    const first = await scratch.open({ key_dir: dir })
    expect(first.initialised).toBe(true)
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
    const second = await scratch.open({ key_dir: dir }, { mayInitialise: false, expectedRealm: first.backend.realm })
    expect(second).toMatchObject({ initialised: false, backend: { realm: first.backend.realm } })
  })

  it.each<[string, (dir: string) => Promise<unknown>]>([
    ['a directory with a file of somebody else', (dir) => leave(dir, 'notes.txt', 'mine')],
    ['a directory with lost+found', (dir) => mkdir(join(dir, 'lost+found'), { recursive: true })],
    ['a directory with keys and no store.json', (dir) => mkdir(join(dir, 'keys'), { recursive: true })],
    ['a temporary file of another name', (dir) => leave(dir, '.tmp-other.json-0123456789ab', '')],
    ['a temporary file with other contents', (dir) => leave(dir, '.tmp-store.json-0123456789ab', 'mine')],
    [
      'a directory named as a temporary file',
      (dir) => mkdir(join(dir, '.tmp-store.json-0123456789ab'), { recursive: true }),
    ],
  ])('not %s, which stays untouched', async (_, prepare) => {
    await prepare(scratch.keyDir)
    const before = await contents(scratch.root)
    await expectRefusal(scratch.open(), 'StoreNotOurs', scratch.keyDir)
    await expectRefusal(scratch.open({}, { mayInitialise: false }), 'StoreNotOurs')
    await expectRefusal(scratch.open({}, { expectedRealm: realm }), 'RealmMissing', realm)
    expect(await contents(scratch.root)).toEqual(before)
  })

  it.each<[string, (dir: string) => Promise<unknown>]>([
    ['absent', async () => {}],
    ['empty', (dir) => mkdir(dir)],
  ])('not one that is %s where a store is expected, or where the call makes none', async (_, prepare) => {
    await prepare(scratch.keyDir)
    const before = await contents(scratch.root)
    await expectRefusal(scratch.open({}, { expectedRealm: realm }), 'RealmMissing', scratch.keyDir)
    await expectRefusal(scratch.open({}, { mayInitialise: false }), 'StoreNotInitialised', 'no key store')
    await expect(scratch.open({}, { signal: AbortSignal.abort() })).rejects.toThrow('abort')
    expect(await contents(scratch.root)).toEqual(before)
  })

  it('never another store than the expected one', async () => {
    await scratch.open()
    await expectRefusal(scratch.open({}, { expectedRealm: realm }), 'RealmConflict', realm)
    // Also when the root key does not fit: the wrong directory is what is wrong.
    await expectRefusal(scratch.open(PASSPHRASE, { expectedRealm: realm }), 'RealmConflict')
  })

  it.each<[string, Fields]>([
    ['raw', {}],
    ['generated', GENERATED],
  ])('once, when several servers try at the same time (%s root key)', async (_, fields) => {
    const opened = await Promise.all(Array.from({ length: 6 }, () => scratch.open(fields)))
    expect(opened.filter(({ initialised }) => initialised)).toHaveLength(1)
    expect(new Set(opened.map(({ backend }) => backend.realm)).size).toBe(1)
    const rootKeys = await readdir(scratch.rootKeyDir).catch(() => [])
    expect(rootKeys).toEqual('master_key' in fields ? [`${opened[0]?.backend.realm}.key`] : [])
  })

  it('with files of the mode that was asked for, whatever the umask', async () => {
    const before = process.umask(0o777)
    try {
      const backend = await scratch.backend({ ...GENERATED, file_permissions: '0700' })
      await backend.create({ keyId: 'a', aliases: ['b'], description: '', tags: new Map() })
      const modes = new Map<string, number>()
      for (const file of await readdir(scratch.root, { recursive: true, withFileTypes: true })) {
        const { mode } = await stat(join(file.parentPath, file.name))
        if (file.isFile()) modes.set(file.name.endsWith('.key') ? 'root key' : file.name, mode & 0o777)
      }
      expect(Object.fromEntries(modes)).toEqual({
        'root key': 0o600,
        'store.json': 0o700,
        'a.json': 0o700,
        'b.json': 0o700,
        '1.json': 0o700,
      })
    } finally {
      process.umask(before)
    }
  })
})

async function leave(dir: string, name: string, text: string): Promise<void> {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, name), text)
}

describe('places that cannot be a key directory', () => {
  it('a file', async () => {
    await writeFile(scratch.keyDir, '')
    await expectRefusal(scratch.open(), 'ValidationError', `key_dir: ${scratch.keyDir} is a file`)
  })

  it('a path below a file', async () => {
    await writeFile(scratch.keyDir, '')
    await expectRefusal(scratch.open({ key_dir: join(scratch.keyDir, 'a', 'b') }), 'ValidationError', 'key_dir')
  })

  it('a symbolic link, even to a directory that could be', async () => {
    await mkdir(join(scratch.root, 'real'))
    await symlink(join(scratch.root, 'real'), scratch.keyDir)
    await expectRefusal(scratch.open(), 'ValidationError', 'symbolic link')
    expect(await readdir(join(scratch.root, 'real'))).toEqual([])
  })

  it('a name that is too long', async () => {
    await expectRefusal(scratch.open({ key_dir: join(scratch.root, 'x'.repeat(300)) }), 'StoreUnwritable', 'too long')
  })

  it('a place where nothing can be made, root or not', async () => {
    const allowing = await scratchStore({ policy: { allowKeyDirs: ['/proc'] } })
    await expectRefusal(allowing.open({ key_dir: '/proc/kms-keys' }), 'StoreUnwritable', '/proc/kms-keys')
    await allowing.cleanup()
  })
})

describe('the policy on key directories', () => {
  it.each(['/proc/x', '/sys/x', '/dev/shm/x', '/etc', '/etc/kms', '/boot/x', '/usr/local/keys'])(
    'without a list refuses %s',
    async (keyDir) => {
      await expectRefusal(scratch.open({ key_dir: keyDir }), 'PolicyViolation', 'key_dir')
    },
  )

  it('refuses the directories of the server, those inside them and those around them', async () => {
    for (const keyDir of ['data', 'data/keys', 'data/root-keys/keys', '.']) {
      await expectRefusal(scratch.open({ key_dir: join(scratch.root, keyDir) }), 'PolicyViolation', 'server itself')
    }
  })

  it('looks at where links lead', async () => {
    await symlink('/etc', join(scratch.root, 'link'))
    await expectRefusal(scratch.open({ key_dir: join(scratch.root, 'link', 'keys') }), 'PolicyViolation', '/etc')
  })

  it('with a list allows what is in it and nothing else', async () => {
    const allowed = join(scratch.root, 'allowed')
    const listed = await scratchStore({ policy: { allowKeyDirs: [allowed] } })
    for (const keyDir of [allowed, join(allowed, 'a')]) {
      const { backend } = await listed.open({ key_dir: keyDir === allowed ? join(allowed, 'b') : keyDir })
      await backend.health()
    }
    await expectRefusal(listed.open({ key_dir: `${allowed}-not` }), 'PolicyViolation', 'KMS_ALLOW_KEY_DIRS')
    await expectRefusal(listed.open({ key_dir: scratch.keyDir }), 'PolicyViolation', 'KMS_ALLOW_KEY_DIRS')
    await symlink(scratch.root, join(allowed, 'out'))
    await expectRefusal(listed.open({ key_dir: join(allowed, 'out', 'x') }), 'PolicyViolation', 'KMS_ALLOW_KEY_DIRS')
    await listed.cleanup()
  })
})

describe('the root key', () => {
  it.each<[string, Fields, string]>([
    ['a passphrase', PASSPHRASE, 'master_key was read as a passphrase'],
    ['a raw key', {}, 'master_key was read as a raw 32-byte key'],
    ['44 characters that are not base64', { master_key: '!'.repeat(44) }, 'passphrase'],
    ['44 characters of base64 that are not canonical', { master_key: RAW_KEY.replace('c=', 'd=') }, 'passphrase'],
    ['44 characters of base64 for 33 bytes', { master_key: 'A'.repeat(44) }, 'passphrase'],
    ['43 characters of base64', { master_key: RAW_KEY.slice(0, -1) }, 'passphrase'],
    ['a raw key with a line break', { master_key: `${RAW_KEY}\n` }, 'passphrase'],
  ])('tells how it was read: %s', async (_, fields, note) => {
    expect((await scratch.open(fields)).notes.join()).toContain(note)
  })

  it.each<[string, Fields, string]>([
    ['passphrase', PASSPHRASE, 'master_key was read as a passphrase'],
    ['raw key', {}, 'master_key was read as a raw 32-byte key'],
  ])('is decided once and for all: %s', async (_, fields, note) => {
    const { backend } = await scratch.open(fields)
    const again = await scratch.open(fields)
    expect(again.notes.join()).toContain(note)
    expect(again.backend.realm).toBe(backend.realm)
    await expectRefusal(scratch.open(GENERATED), 'RootKeyMissing', scratch.keyDir)
    const other = { master_key: Buffer.alloc(32, 8).toString('base64') }
    await expectRefusal(scratch.open(other), 'RootKeyMismatch', scratch.keyDir)
    await expectRefusal(scratch.open({ master_key: 'wrong' }), 'RootKeyMismatch')
  })

  it('is generated when none is given, and then never taken from anywhere else', async () => {
    const first = await scratch.open(GENERATED)
    const path = join(scratch.rootKeyDir, `${first.backend.realm}.key`)
    expect(first.notes.join()).toContain(path)
    expect(await readFile(path, 'latin1')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
    expect((await scratch.open(GENERATED)).notes).toEqual([])
    await expectRefusal(scratch.open(), 'ValidationError', 'master_key: ')
    environment.set('MY_KEY', RAW_KEY)
    await expectRefusal(scratch.open({ ...GENERATED, master_key_env: 'MY_KEY' }), 'ValidationError', 'master_key_env: ')
  })

  it('is never made again for a store that lost it', async () => {
    const { backend } = await scratch.open(GENERATED)
    const path = join(scratch.rootKeyDir, `${backend.realm}.key`)
    await rename(path, `${path}.away`)
    const before = await contents(scratch.root)
    await expectRefusal(scratch.open(GENERATED), 'RootKeyMissing', path)
    expect(await contents(scratch.root)).toEqual(before)
    await rename(`${path}.away`, path)
    expect((await scratch.open(GENERATED)).backend.realm).toBe(backend.realm)
  })

  it('in a damaged file is damage, another one is a mismatch', async () => {
    const { backend } = await scratch.open(GENERATED)
    const path = join(scratch.rootKeyDir, `${backend.realm}.key`)
    for (const text of ['', RAW_KEY.slice(1), RAW_KEY, `${RAW_KEY}\n\n`]) {
      await writeFile(path, text)
      await expectRefusal(scratch.open(GENERATED), 'StoreDamaged', path)
    }
    await writeFile(path, `${RAW_KEY}\n`)
    await expectRefusal(scratch.open(GENERATED), 'RootKeyMismatch', scratch.keyDir)
  })

  it('comes from the environment by name', async () => {
    environment.set('MY_KEY', PASSPHRASE.master_key)
    const byName = { ...GENERATED, master_key_env: 'MY_KEY' }
    const { backend, notes } = await scratch.open(byName)
    expect(notes.join()).toContain('master_key_env was read as a passphrase')
    expect((await scratch.open(PASSPHRASE)).backend.realm).toBe(backend.realm)
    for (const unset of [undefined, '']) {
      if (unset === undefined) environment.delete('MY_KEY')
      else environment.set('MY_KEY', unset)
      await expectRefusal(scratch.open(byName), 'ValidationError', 'master_key_env: MY_KEY is not set')
    }
  })
})

describe('master_key_file', () => {
  const byFile = (path: string): Fields => ({ ...GENERATED, master_key_file: path })

  it('without a list is read under /run/secrets alone', async () => {
    for (const path of ['/etc/hostname', '/run/secrets', '/run/secretsx/a', join(scratch.root, 'key')]) {
      await expectRefusal(scratch.open(byFile(path)), 'PolicyViolation', 'master_key_file')
    }
    for (const dir of ['/run/secrets', '/var/run/secrets']) {
      const missing = join(dir, 'no-such-secret-of-kms')
      await expectRefusal(scratch.open(byFile(missing)), 'ValidationError', `${missing} cannot be read`)
    }
  })

  it.each([
    ['as it is', RAW_KEY],
    ['without the line break at its end', `${RAW_KEY}\n`],
    ['without the CR LF at its end', `${RAW_KEY}\r\n`],
  ])('is read %s', async (_, text) => {
    const listed = await scratchStore({ policy: { allowSecretFiles: [scratch.root] } })
    const path = join(scratch.root, 'key')
    await writeFile(path, text)
    const { backend, notes } = await listed.open(byFile(path))
    expect(notes.join()).toContain('master_key_file was read as a raw')
    expect((await listed.open()).backend.realm).toBe(backend.realm)
    await listed.cleanup()
  })

  it('is refused when it holds no secret, or leads out of the allowed places', async () => {
    const allowed = join(scratch.root, 'allowed')
    await mkdir(join(allowed, 'dir'), { recursive: true })
    const listed = await scratchStore({ policy: { allowSecretFiles: [allowed] } })
    await writeFile(join(allowed, 'empty'), '\n')
    await writeFile(join(allowed, 'binary'), Buffer.of(0xff, 0xfe))
    await writeFile(join(allowed, 'large'), '')
    await truncate(join(allowed, 'large'), 65_537)
    await writeFile(join(scratch.root, 'outside'), RAW_KEY)
    await symlink(join(scratch.root, 'outside'), join(allowed, 'link'))
    await symlink(join(allowed, 'loop'), join(allowed, 'loop'))
    const table = [
      ['empty', 'ValidationError', 'it is empty'],
      ['binary', 'ValidationError', 'not UTF-8'],
      ['large', 'ValidationError', 'larger'],
      ['dir', 'ValidationError', 'not a regular file'],
      ['absent', 'ValidationError', 'does not exist'],
      ['loop', 'ValidationError', 'symbolic link'],
      ['link', 'PolicyViolation', 'KMS_ALLOW_SECRET_FILES'],
    ] as const
    for (const [name, code, text] of table) {
      await expectRefusal(listed.open(byFile(join(allowed, name))), code, text)
    }
    expect(await readdir(listed.root)).toEqual([])
    await listed.cleanup()
  })
})

describe('store.json', () => {
  it('of a newer release is refused by name', async () => {
    await scratch.open()
    const path = join(scratch.keyDir, 'store.json')
    await writeFile(path, (await readFile(path, 'utf8')).replace('"format":1', '"format":2'))
    await expectRefusal(scratch.open(), 'NewerFormat', path)
  })

  it.each<[string, (path: string) => Promise<unknown>]>([
    ['that is empty', (path) => writeFile(path, '')],
    ['that is something else', (path) => writeFile(path, '{"a":1}\n')],
    ['that is a directory', (path) => unlink(path).then(() => mkdir(path))],
    ['that is a link', (path) => rename(path, `${path}.real`).then(() => symlink(`${path}.real`, path))],
    ['that is huge', (path) => truncate(path, 5 * 1024 * 1024)],
    ['with the MAC of another store', swapMac],
  ])('%s is StoreDamaged, and stays as it is', async (_, damage) => {
    await scratch.open()
    await damage(join(scratch.keyDir, 'store.json'))
    const before = await contents(scratch.keyDir)
    await expectRefusal(scratch.open(), 'StoreDamaged', scratch.keyDir)
    expect(await contents(scratch.keyDir)).toEqual(before)
  })

  async function swapMac(path: string): Promise<void> {
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace(/\n[0-9a-f]{64}\n$/, `\n${'0'.repeat(64)}\n`))
  }

  it('that costs too much to try is refused before it is tried', async () => {
    await scratch.open(PASSPHRASE)
    const path = join(scratch.keyDir, 'store.json')
    const text = await readFile(path, 'utf8')
    for (const [field, value] of [
      ['memory_kib":19456', 'memory_kib":4194304'],
      ['iterations":2', 'iterations":1000'],
    ]) {
      await writeFile(path, text.replace(field as string, value as string))
      await expectRefusal(scratch.open(PASSPHRASE), 'StoreDamaged')
    }
  })

  it('makes its directory a store wherever it is moved or copied', async () => {
    const { backend } = await scratch.open()
    const moved = join(scratch.root, 'moved')
    await cp(scratch.keyDir, moved, { recursive: true })
    expect((await scratch.open({ key_dir: moved })).backend.realm).toBe(backend.realm)
  })
})

describe('health', () => {
  it('notices that the store is gone, is another one, or was damaged, and that it came back', async () => {
    const backend = await scratch.backend()
    await backend.create({ keyId: 'a', aliases: [], description: '', tags: new Map() })
    const path = join(scratch.keyDir, 'store.json')
    const text = await readFile(path, 'utf8')
    await unlink(path)
    await expectRefusal(backend.health(), 'RealmMissing', scratch.keyDir)
    // The same goes for a volume that is gone: not "there is no such key".
    await rename(join(scratch.keyDir, 'keys'), join(scratch.keyDir, 'away'))
    await expectRefusal(backend.describe('a'), 'BackendUnavailable', 'store.json is gone')
    await expectRefusal(backend.list({ limit: 1 }), 'BackendUnavailable')
    await rename(join(scratch.keyDir, 'away'), join(scratch.keyDir, 'keys'))
    const other = await scratch.open({ key_dir: join(scratch.root, 'other') })
    await cp(join(scratch.root, 'other', 'store.json'), path)
    await expectRefusal(backend.health(), 'RealmConflict', backend.realm)
    expect(other.backend.realm).not.toBe(backend.realm)
    await writeFile(path, text.replace('"created_at":1', '"created_at":2'))
    await expectRefusal(backend.health(), 'StoreDamaged')
    await rm(path)
    await symlink('/dev/null', path)
    await expectRefusal(backend.health(), 'StoreDamaged')
    await rm(path)
    await writeFile(path, text)
    await chmod(path, 0o600)
    await backend.health()
    expect((await backend.describe('a')).keyId).toBe('a')
  })
})
