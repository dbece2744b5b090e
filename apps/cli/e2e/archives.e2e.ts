import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createFixture, type Fixture, temporaryFolder } from './fixture.ts'

const BACKUP_KEY = { KMS_BACKUP_KEY: Buffer.alloc(32, 3).toString('base64') }
const PASSPHRASE = 'correct horse battery staple'

async function begin(at: Fixture, ...more: string[]): Promise<string> {
  const keys = join(at.folder, 'keys')
  const settings = ['backend_type=local', `key_dir=${keys}`, 'default_key_id=main', ...more]
  await at.json('config', 'set', ...settings.flatMap((each) => ['--set', each]))
  return keys
}

describe('kmsctl backup and restore', () => {
  it('take the keys of one server to another', async () => {
    const at = await createFixture()
    await begin(at)
    await at.json('start')
    await at.json('keys', 'create', '--name', 'orders')
    const made = await at.json('data', 'generate-key', '--key', 'orders')
    await at.json('keys', 'rotate', 'orders')
    const archive = join(at.folder, 'keys.kmsa')
    const secret = join(at.folder, 'passphrase')
    writeFileSync(secret, `${PASSPHRASE}\n`)
    const written = await at.json('backup', '--out', archive, '--passphrase-file', secret)
    expect(written).toMatchObject({ file: archive, bytes: statSync(archive).size })
    expect(statSync(archive).mode & 0o777).toBe(0o600)

    const other = await createFixture(BACKUP_KEY)
    await begin(other)
    const from = ['restore', archive, '--passphrase-file', secret]
    expect(await other.json(...from, '--dry-run')).toMatchObject({ dry_run: true, restored: 2, versions: 3 })
    expect(readdirSync(other.folder)).not.toContain('keys')
    const env = { KMSCTL_ARCHIVE_PASSPHRASE: PASSPHRASE }
    const restored = await other.kmsctl(['--json', 'restore', archive], { env })
    expect(JSON.parse(restored.out)).toMatchObject({ dry_run: false, restored: 2, versions: 3 })
    await other.json('start')
    const opened = await other.json('data', 'decrypt', String(made['ciphertext_blob']))
    expect(opened).toMatchObject({ plaintext: made['plaintext_key'] })

    // What they disagree about, and what a dry run says of it.
    const own = join(other.folder, 'own.kmsa')
    await other.json('backup', '--out', own, '--server-key')
    await other.json('keys', 'set-description', 'orders', 'other words')
    const again = ['restore', own, '--server-key']
    const rehearsed = await other.kmsctl([...again, '--dry-run'])
    expect([rehearsed.code, rehearsed.out]).toEqual([7, expect.stringContaining('key_id: orders')])
    const refused = await other.kmsctl(again)
    expect([refused.code, refused.err]).toEqual([5, expect.stringContaining('RestoreConflict')])
    expect(await other.json(...again, '--conflict', 'skip')).toMatchObject({ kept: 1 })
  })

  it('leave nothing of what breaks off or is refused, and replace nothing unasked', async () => {
    const at = await createFixture(BACKUP_KEY)
    const keys = await begin(at)
    const archive = join(at.folder, 'keys.kmsa')
    const stopped = await at.kmsctl(['backup', '--out', archive, '--server-key'])
    expect([stopped.code, stopped.err]).toEqual([6, expect.stringContaining('NotRunning')])
    const short = await at.kmsctl(['backup', '--out', archive, '--passphrase-file', '-'], { stdin: 'too short\n' })
    expect([short.code, short.err]).toEqual([1, expect.stringContaining('ValidationError')])
    expect(readdirSync(at.folder).filter((name) => name.startsWith('keys.kmsa'))).toEqual([])
    await at.json('start')
    await at.json('backup', '-o', archive, '--server-key')
    const bytes = readFileSync(archive)
    const again = await at.kmsctl(['backup', '--out', archive, '--server-key'])
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('--force')])
    expect(readFileSync(archive).equals(bytes)).toBe(true)
    await at.json('backup', '--out', archive, '--server-key', '--force')
    expect(readFileSync(archive).equals(bytes)).toBe(false)

    writeFileSync(archive, bytes.subarray(0, -20))
    const damaged = await at.kmsctl(['restore', archive, '--server-key'])
    expect([damaged.code, damaged.err]).toEqual([1, expect.stringContaining('ArchiveDamaged')])
    rmSync(join(keys, 'keys', 'main.json'))
    writeFileSync(archive, bytes)
    expect(await at.json('restore', archive, '--server-key')).toMatchObject({ success: true })
  })

  it('take no passphrase from the command line, and say where one may come from', async () => {
    const at = await createFixture()
    const archive = join(temporaryFolder(), 'archive')
    writeFileSync(archive, 'KMSA')
    for (const words of [
      ['backup', '--out', join(at.folder, 'x')],
      ['restore', archive],
    ]) {
      const asked = await at.kmsctl(words)
      expect([asked.code, asked.err]).toEqual([2, expect.stringContaining('KMSCTL_ARCHIVE_PASSPHRASE')])
      const given = await at.kmsctl([...words, '--passphrase', PASSPHRASE])
      expect([given.code, given.err]).toEqual([2, expect.stringContaining('unknown option')])
      const both = await at.kmsctl([...words, '--server-key', '--passphrase-file', archive])
      expect(both.code).toBe(2)
    }
    const absent = await at.kmsctl(['restore', join(at.folder, 'absent'), '--server-key'])
    expect([absent.code, absent.err]).toEqual([2, expect.stringContaining('ENOENT')])
  })
})
