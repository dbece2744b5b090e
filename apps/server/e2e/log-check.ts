import { eventCatalogue } from '../src/log/event-catalogue.ts'

/** Secrets the suites sent or received: canaries, none of which may be in what a server says. */
const planted = new Set<string>()
const problems: string[] = []

/** `admin` is no secret, and what is shorter than this may stand anywhere. */
const LEAST_LENGTH = 8

const SECRET_FIELD = /secret|token|pass|master_key|plaintext|authorization|private|server_key/i

/** Remembers secrets. */
export function plant(...secrets: readonly string[]): void {
  for (const secret of secrets) if (secret.length >= LEAST_LENGTH) planted.add(secret)
}

/** Remembers the text of fields that are called like secrets, at any depth. */
export function plantFields(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    if (typeof inner !== 'string') plantFields(inner)
    // A path says where a secret is, not what it is.
    else if (SECRET_FIELD.test(name) && !/file|path/i.test(name)) plant(inner.replace(/^AWS4-.*Signature=/, ''))
  }
}

export function plantEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) {
    if (/(?:SECRET_KEY|SERVER_KEY|BACKUP_KEY|SERVER_KEY_PREVIOUS|TOKEN|MASTER_KEY|SECRET_ID)$/.test(name)) plant(value)
  }
}

/** Looks at everything a server said: no canary, and no line but those `docs/events.md` describes. */
export function checkOutput({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): void {
  for (const secret of planted) {
    if (stdout.includes(secret) || stderr.includes(secret)) problems.push(`a secret was said: ${secret}`)
  }
  for (const line of stderr.split('\n')) if (line.startsWith('{')) checkLine(line)
}

/** What is wrong so far; forgets it. */
export function takeProblems(): string[] {
  return problems.splice(0)
}

function checkLine(line: string): void {
  let record: Record<string, unknown>
  try {
    record = JSON.parse(line) as Record<string, unknown>
  } catch {
    // Cut off by a signal.
    return
  }
  const { level, time, target, event, msg, ...fields } = record
  const spec = new Map(Object.entries(eventCatalogue)).get(String(event))
  if (spec === undefined) {
    problems.push(`not in the catalogue of events: ${line}`)
    return
  }
  const prefix = `rustfs::kms::${spec.part}`
  const targets = spec.part === 'backend' ? String(target).startsWith(`${prefix}::`) : target === prefix
  const known = Object.keys(fields).every((name) => Object.hasOwn(spec.fields, name))
  const timed = !Number.isNaN(Date.parse(String(time)))
  if (!targets || !known || !timed || level !== spec.level || typeof msg !== 'string') {
    problems.push(`not as the catalogue of events has it: ${line}`)
  }
}
