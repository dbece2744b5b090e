import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { auditFileName, listAuditFiles } from './audit-directory.ts'
import { auditKeyId, checkSignature } from './audit-key.ts'
import { type AuditLine, isHex, lineHash, lineText, NOTHING_BEFORE, parseLine } from './audit-line.ts'

export interface VerifyAuditOptions {
  /** Public keys that may sign, 64 hex digits each; without them the keys the files name themselves are believed. */
  readonly publicKeys?: readonly string[]
  /** A checkpoint's head that was kept elsewhere: it has to be there. */
  readonly expectHead?: string
}

/** Something that is not as a writer left it, and where. */
export interface AuditProblem {
  readonly file: string
  /** From 1 on; absent where it is about the file as a whole. */
  readonly line?: number
  readonly reason: string
}

export interface AuditReport {
  readonly problems: readonly AuditProblem[]
  readonly files: number
  readonly lines: number
  readonly records: number
  readonly checkpoints: number
  /** Whether the first file is the first one ever written: what came before it cannot be judged. */
  readonly fromTheBeginning: boolean
  /** Whether the last line is a checkpoint. What follows the last one is chained, but its last line could be another. */
  readonly sealed: boolean
  /** Of the last checkpoint. */
  readonly head: string | undefined
  /** Ids of the keys checkpoints were signed with. */
  readonly keyIds: readonly string[]
  /** Records of which lines say that they could not be written. */
  readonly missed: number
}

/** Where the next line has to be. */
interface Expected {
  prev: string | undefined
  chain: string | undefined
  seq: number
}

/**
 * Reads all audit files of a directory, and says what was changed, removed, moved or forged in them. Throws the errors of
 * the file system, and `RangeError` for options that are no keys or heads.
 */
export async function verifyAudit(directory: string, options: VerifyAuditOptions = {}): Promise<AuditReport> {
  const { publicKeys, expectHead } = options
  if (publicKeys?.some((key) => !isHex(key, 64))) throw new RangeError('publicKeys: expected 64 hex digits each')
  if (expectHead !== undefined && !isHex(expectHead, 64)) throw new RangeError('expectHead: expected 64 hex digits')
  const trusted = publicKeys && new Map(publicKeys.map((key) => [auditKeyId(key), key]))
  const files = await listAuditFiles(directory)
  const problems: AuditProblem[] = []
  const heads = new Set<string>()
  const keyIds = new Set<string>()
  const counts = { lines: 0, records: 0, checkpoints: 0, missed: 0 }
  const fromTheBeginning = files[0]?.index === 1
  const expected: Expected = { prev: fromTheBeginning ? NOTHING_BEFORE : undefined, chain: undefined, seq: 0 }
  let sealed = true
  let head: string | undefined

  for (const [position, { name, index }] of files.entries()) {
    const before = files[position - 1]?.index
    for (let absent = (before ?? index) + 1; absent < index; absent++) {
      problems.push({ file: auditFileName(absent), reason: 'is missing' })
    }
    const { texts, torn } = splitLines(await readFile(join(directory, name)))
    if (torn) problems.push({ file: name, line: texts.length + 1, reason: 'does not end as a line' })
    if (texts.length === 0) problems.push({ file: name, reason: 'holds no line' })
    let fileKey: string | undefined
    for (const [i, bytes] of texts.entries()) {
      const number = i + 1
      const blame = (reason: string): void => void problems.push({ file: name, line: number, reason })
      counts.lines++
      const line = parseLine(bytes.toString('utf8'))
      if ('problem' in line) {
        blame(line.problem as string)
        expected.prev = lineHash(bytes)
        expected.seq++
        continue
      }
      checkPlace(line, number, expected, blame)
      expected.prev = lineHash(bytes)
      expected.chain = line.chain
      expected.seq = line.seq
      sealed = line.type === 'checkpoint'
      if ((line.type === 'open') !== (number === 1)) blame('an opening line stands first in its file, and nowhere else')
      if (line.type === 'open') fileKey = checkOpening(line, name, trusted, blame)
      else if (line.type === 'checkpoint') {
        counts.checkpoints++
        head = checkCheckpoint(line, fileKey, blame) ?? head
        if (head !== undefined) heads.add(head)
        keyIds.add(String(line['key_id']))
      } else if (line.type === 'recovered') await checkTorn(directory, line, blame)
      else if (line.type === 'missed') counts.missed += Number(line['records'])
      else if (line.type === 'record') counts.records++
      else blame(`has the unknown type "${line.type}"`)
    }
  }
  if (expectHead !== undefined && !heads.has(expectHead)) {
    const file = files.at(-1)?.name ?? directory
    problems.push({ file, reason: 'the expected head is not there: what it belonged to was cut off or replaced' })
  }
  return { problems, files: files.length, ...counts, fromTheBeginning, sealed, head, keyIds: [...keyIds] }
}

function splitLines(bytes: Buffer): { readonly texts: readonly Buffer[]; readonly torn: boolean } {
  const texts: Buffer[] = []
  let start = 0
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
    texts.push(bytes.subarray(start, end))
    start = end + 1
  }
  return { texts, torn: start < bytes.length }
}

function checkPlace(line: AuditLine, number: number, expected: Expected, blame: (reason: string) => void): void {
  // Where the files before are gone, a chain may be met in the middle.
  const known = expected.prev !== undefined
  if (known && line.prev !== expected.prev) {
    blame('does not follow the line before it: that one was changed, or lines between them were removed or moved')
  }
  const sameChain = line.chain === expected.chain
  if (sameChain ? line.seq !== expected.seq + 1 : known && line.seq !== 1) {
    blame(`has the number ${line.seq} where ${sameChain ? expected.seq + 1 : 1} belongs`)
  }
  if (!sameChain && number > 1) blame('belongs to another chain than the line before it')
}

/** Returns the key whose signatures the file may hold. */
function checkOpening(
  line: AuditLine,
  name: string,
  trusted: ReadonlyMap<string, string> | undefined,
  blame: (reason: string) => void,
): string | undefined {
  const { file, public_key: publicKey, key_id: keyId } = line
  if (file !== name) blame(`was written as ${String(file)}: the file was renamed or moved`)
  if (!isHex(publicKey, 64) || auditKeyId(publicKey) !== keyId) {
    blame('names a key that does not have its id')
    return undefined
  }
  if (trusted === undefined || trusted.has(keyId)) return publicKey
  blame(`names the key ${keyId}, which is none of those given`)
  return undefined
}

/** Returns the head, if it is one. */
function checkCheckpoint(
  line: AuditLine,
  publicKey: string | undefined,
  blame: (reason: string) => void,
): string | undefined {
  const { seq, chain, prev, type, time, head, signature, ...said } = line
  if (head !== lineHash(lineText({ seq, chain, prev }, type, time, said))) {
    blame('is a checkpoint of something else')
    return undefined
  }
  if (publicKey === undefined) blame('is a checkpoint without a key to check it with')
  else if (auditKeyId(publicKey) !== said['key_id']) blame('is a checkpoint of another key than the file names')
  else if (!isHex(signature, 128) || !checkSignature(publicKey, { chain, seq, head }, signature)) {
    blame('is a checkpoint whose signature is not right')
  }
  return head
}

async function checkTorn(directory: string, line: AuditLine, blame: (reason: string) => void): Promise<void> {
  const { file, sha256, bytes } = line
  if (typeof file !== 'string' || !/^audit-\d+\.jsonl\.[0-9a-f]{16}\.torn$/.test(file)) {
    blame('names a piece that no writer moves aside')
    return
  }
  const piece = await readFile(join(directory, file)).catch(() => undefined)
  if (piece === undefined) blame(`${file}, which it speaks of, is missing`)
  else if (piece.length !== bytes || lineHash(piece) !== sha256) blame(`${file}, which it speaks of, was changed`)
}
