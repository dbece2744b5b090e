import { appendFile, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AuditRecord } from '@kms/core'
import { describe, expect, it } from 'vitest'
import { verifyAudit } from '../src/index.ts'
import { createFixture, decrypted } from './audit-fixture.ts'

const first = 'audit-00000001.jsonl'
const second = 'audit-00000002.jsonl'

async function linesOf(directory: string, file: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(directory, file), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('what is written', () => {
  it('a line for each record, between an opening line and a checkpoint, each naming the one before', async () => {
    const { directory, open: openFiles, checkpoints } = await createFixture()
    const files = await openFiles()
    await files.record([decrypted])
    const { address: _, keyId: __, ...service } = decrypted
    await files.record([{ ...service, decision: 'deny', outcome: 'AccessDenied' }, decrypted])
    await files.close()
    const lines = await linesOf(directory, first)
    expect(lines.map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'open'],
      [2, 'record'],
      [3, 'record'],
      [4, 'record'],
      [5, 'checkpoint'],
    ])
    expect(lines[1]).toEqual({
      seq: 2,
      chain: lines[0]?.['chain'],
      prev: expect.stringMatching(/^[0-9a-f]{64}$/),
      type: 'record',
      time: '2026-01-01T00:00:00.000Z',
      plane: 'admin',
      operation: 'decrypt',
      action: 'kms:Decrypt',
      decision: 'allow',
      outcome: 'ok',
      principal: 'ann',
      access_key_id: 'ann',
      address: '10.0.0.9',
      request_id: 'r-1',
      key_id: 'orders',
    })
    expect(lines[2]).toMatchObject({ decision: 'deny', outcome: 'AccessDenied' })
    expect(Object.keys(lines[2] ?? {})).not.toContain('key_id')
    expect(checkpoints).toEqual([{ chain: lines[0]?.['chain'], seq: 5, head: lines[4]?.['head'] }])
    expect(await verifyAudit(directory, { expectHead: checkpoints[0]?.head ?? '' })).toMatchObject({
      problems: [],
      files: 1,
      lines: 5,
      records: 3,
      checkpoints: 1,
      fromTheBeginning: true,
      sealed: true,
      head: checkpoints[0]?.head,
      missed: 0,
    })
    expect((await stat(join(directory, first))).mode & 0o777).toBe(0o600)
  })

  it('is there when record resolves, for any number of callers at once', async () => {
    const { directory, open: openFiles } = await createFixture()
    const files = await openFiles({ sync: 'always' })
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        await files.record([{ ...decrypted, requestId: `r-${i}` }])
        expect(await readFile(join(directory, first), 'utf8')).toContain(`"request_id":"r-${i}"`)
      }),
    )
    expect(files.statistics()).toMatchObject({ records: 200, missed: 0, writing: true })
    await files.close()
    expect(await verifyAudit(directory)).toMatchObject({ problems: [], records: 200 })
  })

  it('moves on to another file when one is full, in the same chain', async () => {
    const { directory, open: openFiles } = await createFixture()
    const files = await openFiles({ maxFileBytes: 2000 })
    for (let i = 0; i < 20; i++) await files.record([decrypted])
    await files.close()
    const names = (await readdir(directory)).sort()
    expect(names.slice(0, 2)).toEqual([first, second])
    expect(names.length).toBeGreaterThan(3)
    const [one, two] = [await linesOf(directory, first), await linesOf(directory, second)]
    expect(one.at(-1)?.['type']).toBe('checkpoint')
    expect(two[0]).toMatchObject({ type: 'open', file: second, chain: one[0]?.['chain'], seq: one.length + 1 })
    expect(await verifyAudit(directory)).toMatchObject({ problems: [], records: 20, files: names.length })
  })

  it('the next writer begins another chain behind it', async () => {
    const { directory, open: openFiles } = await createFixture()
    for (let i = 0; i < 3; i++) {
      const files = await openFiles()
      await files.record([decrypted])
      await files.close()
    }
    const chains = new Set<unknown>()
    for (const file of await readdir(directory)) {
      const lines = await linesOf(directory, file)
      expect(lines[0]?.['seq']).toBe(1)
      chains.add(lines[0]?.['chain'])
    }
    expect(chains.size).toBe(3)
    expect(await verifyAudit(directory)).toMatchObject({ problems: [], files: 3, records: 3, checkpoints: 3 })
  })

  it('a checkpoint stands after a minute with records, after a thousand of them, and not twice', async () => {
    const { clock, checkpoints, open: openFiles } = await createFixture()
    const files = await openFiles()
    clock.advance(60_000)
    await files.checkpoint()
    expect(checkpoints).toHaveLength(1)
    await files.record([decrypted])
    clock.advance(59_999)
    expect(checkpoints).toHaveLength(1)
    clock.advance(60_001)
    await files.record([decrypted])
    expect(checkpoints).toHaveLength(2)
    await files.record(Array.from({ length: 1000 }, () => decrypted))
    expect(checkpoints).toHaveLength(3)
    expect(files.statistics().checkpoint).toEqual({ seq: checkpoints[2]?.seq, at: clock.now() })
    await files.close()
    await files.close()
    expect(checkpoints).toHaveLength(3)
  })

  it('every second, where that was asked for', async () => {
    const { clock, open: openFiles } = await createFixture()
    let syncs = 0
    const files = await openFiles({
      sync: 'interval',
      openFile: async (...args) => {
        const file = await open(...args)
        const real = file.datasync.bind(file)
        file.datasync = () => {
          syncs++
          return real()
        }
        return file
      },
    })
    const begun = syncs
    clock.advance(1000)
    await files.record([decrypted])
    expect(syncs).toBe(begun)
    clock.advance(1000)
    await files.record([decrypted])
    expect(syncs).toBe(begun + 1)
    await files.close()
  })
})

describe('samples of the data plane', () => {
  it('leave out what went well, and say how many', async () => {
    const { directory, open: openFiles } = await createFixture()
    const files = await openFiles({ dataPercent: 10 })
    const read: AuditRecord = { ...decrypted, plane: 'data' }
    for (let i = 0; i < 500; i++) await files.record([read])
    for (let i = 0; i < 20; i++) await files.record([{ ...read, decision: 'deny', outcome: 'AccessDenied' }])
    for (let i = 0; i < 20; i++) await files.record([{ ...read, outcome: 'KeyDisabled' }])
    for (let i = 0; i < 20; i++) await files.record([decrypted])
    const { records, skipped } = files.statistics()
    expect(records + skipped).toBe(560)
    expect(records).toBeGreaterThan(60 + 20)
    expect(records).toBeLessThan(60 + 100)
    await files.close()
    const lines = await linesOf(directory, first)
    const told = lines.reduce((sum, line) => sum + Number(line['skipped'] ?? 0), 0)
    expect(told).toBe(skipped)
    expect(lines.filter(({ decision }) => decision === 'deny')).toHaveLength(20)
    expect(lines.filter(({ plane }) => plane === 'admin')).toHaveLength(20)
    expect((await verifyAudit(directory)).problems).toEqual([])
  })

  it('never leave out a change, which is about no key', async () => {
    const { open: openFiles } = await createFixture()
    const files = await openFiles({ dataPercent: 0 })
    const { keyId: _, ...about } = decrypted
    for (let i = 0; i < 50; i++) await files.record([{ ...about, plane: 'data', action: 's3:PutBucketPolicy' }])
    expect(files.statistics()).toMatchObject({ records: 50, skipped: 0 })
    await files.close()
  })

  it.each([
    [0, 0],
    [100, 50],
  ])('of %i percent are %i of 50', async (dataPercent, kept) => {
    const { open: openFiles } = await createFixture()
    const files = await openFiles({ dataPercent })
    for (let i = 0; i < 50; i++) await files.record([{ ...decrypted, plane: 'data' }])
    expect(files.statistics().records).toBe(kept)
    await files.close()
  })
})

describe('after a crash', () => {
  it.each([1, 40, 200])('half a line of %i bytes is moved aside and told of', async (bytes) => {
    const { directory, open: openFiles } = await createFixture()
    const files = await openFiles()
    await files.record([decrypted, decrypted])
    await files.close()
    const path = join(directory, first)
    const whole = await readFile(path)
    const lastLine = whole.subarray(whole.lastIndexOf(0x0a, whole.length - 2) + 1)
    await truncate(path, whole.length - lastLine.length + bytes)
    const again = await openFiles()
    await again.record([decrypted])
    await again.close()
    const [, recovered] = await linesOf(directory, second)
    expect(recovered).toMatchObject({ type: 'recovered', bytes })
    expect(await readFile(join(directory, String(recovered?.['file'])))).toEqual(lastLine.subarray(0, bytes))
    expect(await verifyAudit(directory)).toMatchObject({ problems: [], records: 3 })
    await appendFile(join(directory, String(recovered?.['file'])), 'x')
    expect((await verifyAudit(directory)).problems).toMatchObject([{ file: second, line: 2 }])
  })

  it('a file that holds no line is moved aside, and its number used again', async () => {
    const { directory, open: openFiles } = await createFixture()
    for (const content of ['', '{"seq":1,"ch']) {
      const files = await openFiles()
      await files.record([decrypted])
      await files.close()
      const next = `audit-${String((await readdir(directory)).filter((name) => name.endsWith('l')).length + 1).padStart(8, '0')}.jsonl`
      await writeFile(join(directory, next), content)
    }
    const files = await openFiles()
    await files.close()
    expect(await verifyAudit(directory)).toMatchObject({ problems: [], files: 3, records: 2 })
    expect((await readdir(directory)).filter((name) => name.endsWith('.torn'))).toHaveLength(2)
  })
})

/** A disk that is full while `full` is set; what fits before that is still written. */
function createDisk() {
  const disk = { full: false, spare: 0 }
  const noSpace = () => Object.assign(new Error('write'), { code: 'ENOSPC' })
  const openFile: typeof open = async (...args) => {
    if (disk.full) throw noSpace()
    const file = await open(...args)
    const write = file.write.bind(file) as (
      bytes: Buffer,
      offset: number,
      length: number,
    ) => Promise<{ bytesWritten: number }>
    Object.assign(file, {
      async write(bytes: Buffer, offset: number, length: number) {
        if (!disk.full) return write(bytes, offset, length)
        if (disk.spare === 0) throw noSpace()
        const fits = Math.min(length, disk.spare)
        disk.spare = 0
        return write(bytes, offset, fits)
      },
    })
    return file
  }
  return { disk, openFile }
}

describe('a full disk', () => {
  it('blocks: nothing is answered or begun, until it has room; the lines say how many are missing', async () => {
    const { directory, clock, troubles, open: openFiles } = await createFixture()
    const { disk, openFile } = createDisk()
    const files = await openFiles({ openFile })
    await files.record([decrypted])
    files.admit()
    Object.assign(disk, { full: true, spare: 30 })
    const refusal = { code: 'AuditUnavailable', status: 503 }
    await expect(files.record([decrypted, decrypted])).rejects.toMatchObject(refusal)
    expect(() => files.admit()).toThrow(expect.objectContaining(refusal))
    await expect(files.record([decrypted])).rejects.toMatchObject(refusal)
    clock.advance(1000)
    // Behind the attempt that has just begun.
    await files.checkpoint()
    expect(() => files.admit()).toThrow('no space is left')
    expect(files.statistics()).toMatchObject({ records: 1, missed: 3, writing: false })
    disk.full = false
    clock.advance(1000)
    await expect.poll(() => files.statistics().writing).toBe(true)
    files.admit()
    await files.record([decrypted])
    await files.close()
    expect(troubles).toEqual(['no space is left on the device', 3])
    const lines = await linesOf(directory, second)
    expect(lines.map(({ type }) => type)).toEqual(['open', 'recovered', 'missed', 'record', 'checkpoint'])
    expect(lines[2]).toMatchObject({ records: 3, since: '2026-01-01T00:00:00.000Z' })
    expect(await verifyAudit(directory)).toMatchObject({ problems: [], records: 2, missed: 3 })
  })

  it('drops, where that was asked for: answers go out, and the lines say how many are missing', async () => {
    const { directory, clock, open: openFiles } = await createFixture()
    const { disk, openFile } = createDisk()
    const files = await openFiles({ openFile, whenFull: 'drop', sync: 'always' })
    disk.full = true
    for (let i = 0; i < 5; i++) {
      files.admit()
      await files.record([decrypted])
    }
    expect(files.statistics()).toMatchObject({ records: 0, missed: 5, writing: false })
    disk.full = false
    clock.advance(1000)
    await expect.poll(() => files.statistics().writing).toBe(true)
    await files.record([decrypted])
    await files.close()
    expect(await verifyAudit(directory)).toMatchObject({ problems: [], records: 1, missed: 5 })
  })

  it('while a checkpoint is due, or the end comes, is no end of the world', async () => {
    const { directory, clock, open: openFiles, troubles } = await createFixture()
    const { disk, openFile } = createDisk()
    const files = await openFiles({ openFile })
    await files.record([decrypted])
    disk.full = true
    clock.advance(60_000)
    await files.checkpoint()
    expect(troubles).toHaveLength(1)
    await files.close()
    await expect(files.record([decrypted])).rejects.toMatchObject({ code: 'AuditUnavailable' })
    const { problems, sealed } = await verifyAudit(directory)
    expect([problems, sealed]).toEqual([[], false])
  })
})

it('a directory that cannot be had is said at once', async () => {
  const { directory, open: openFiles } = await createFixture()
  await writeFile(join(directory, 'file'), '')
  await expect(openFiles({ directory: join(directory, 'file') })).rejects.toMatchObject({ code: 'EEXIST' })
})
