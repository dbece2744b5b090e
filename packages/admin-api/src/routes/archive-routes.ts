import { z } from '@hono/zod-openapi'
import { type ArchiveSecret, type ConflictPolicy, kmsError, type RestoreReport } from '@kms/core'
import { decodeBase64 } from '@kms/core/internal'
import { objectBody } from '../request/read-json.ts'
import type { Query } from '../request/read-query.ts'
import { message } from './lifecycle-reply.ts'
import { revision, successReply, wireStatus } from './reply-schemas.ts'
import { type Call, defineRoute, type QueryShape, type Route } from './route.ts'

/** Carries the passphrase of an archive: its body is the archive, and queries end up in logs. */
export const PASSPHRASE_HEADER = 'x-kms-archive-passphrase'

/** An archive can be attacked at leisure, by whoever gets hold of a copy. */
const LEAST_CHARACTERS = 12

const backupBody = objectBody(
  z.strictObject({
    passphrase: z
      .string('must be text')
      .min(LEAST_CHARACTERS, `must have at least ${LEAST_CHARACTERS} characters`)
      .max(1024, 'must have at most 1024 characters')
      .nullish()
      .openapi({ description: "What the archive is sealed with; without it, the server's backup key, if it has one." }),
  }),
)

export const backupRoute: Route = defineRoute({
  operation: 'backup',
  summary: 'A sealed archive of all keys of the active key store',
  methods: ['POST'],
  paths: ['/kms/backup'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Backup'],
  body: backupBody,
  reply: z
    .string()
    .openapi({ format: 'binary', description: 'The archive. One that breaks off is not whole, and is refused.' }),
  answersBytes: true,
  indented: true,
  lifecycle: true,
  async handle({ manager, caller, body, archiveKey }) {
    const { passphrase } = body
    const secret = requireSecret(passphrase ?? undefined, archiveKey, 'passphrase')
    const { realm, createdAt, bytes } = await manager.backup(secret, caller)
    const time = new Date(createdAt).toISOString().replace(/[-:]|\.\d+/g, '')
    return { stream: bytes, fileName: `kms-${realm.slice(0, 8)}-${time}.kmsa` }
  },
})

interface RestoreQuery {
  readonly dryRun: boolean
  readonly conflict: ConflictPolicy
}

const POLICIES: readonly ConflictPolicy[] = ['fail', 'skip', 'overwrite']

const restoreQuery: QueryShape<RestoreQuery> = {
  schema: z.strictObject({
    dry_run: z.enum(['true', 'false']).optional().openapi({ description: 'Tell what would be done; change nothing.' }),
    conflict: z.enum(['fail', 'skip', 'overwrite']).optional().openapi({
      description:
        'What is done where archive and store disagree: nothing at all (the default), everything else, or what the archive says where nothing is lost by it.',
    }),
  }),
  read: (query) => ({ dryRun: readDryRun(query), conflict: readConflict(query) }),
}

function readDryRun(query: Query): boolean {
  const given = query.get('dry_run') ?? 'false'
  if (given !== 'true' && given !== 'false') {
    throw kmsError('ValidationError', { path: 'dry_run', reason: 'must be true or false' })
  }
  return given === 'true'
}

function readConflict(query: Query): ConflictPolicy {
  const given = query.get('conflict') ?? 'fail'
  const policy = POLICIES.find((each) => each === given)
  if (policy !== undefined) return policy
  throw kmsError('ValidationError', { path: 'conflict', reason: `must be one of ${POLICIES.join(', ')}` })
}

const count = z.int().min(0)
const few = 'The first 100.'
const names = z.array(z.string()).openapi({ description: few })

export const restoreRoute: Route = defineRoute({
  operation: 'restore',
  summary: 'Restore an archive, all of it or nothing: into the active key store, or the empty place that is configured',
  methods: ['POST'],
  paths: ['/kms/restore'],
  minioPaths: [],
  scope: 'service',
  permission: ['kms:Restore'],
  takesBytes: true,
  query: restoreQuery,
  headers: z.object({
    [PASSPHRASE_HEADER]: z.string().optional().openapi({
      description:
        "The passphrase the archive was made with, its UTF-8 in base64; without it, the server's backup key.",
    }),
  }),
  reply: successReply({
    status: wireStatus,
    revision,
    dry_run: z.boolean(),
    realm: z.string(),
    restored: count.openapi({ description: 'Keys that were not there.' }),
    repaired: count.openapi({ description: 'Keys of which something was missing or damaged, and is back.' }),
    overwritten: count.openapi({
      description: 'Keys that are as the archive has them now, with every version of either.',
    }),
    unchanged: count.openapi({ description: 'Keys that are as the archive has them.' }),
    kept: count.openapi({ description: 'Keys that the archive has otherwise and that stay as they are.' }),
    tombstones: count.openapi({ description: 'Destroyed keys that were not known as such here.' }),
    versions: count.openapi({ description: 'Key versions written.' }),
    conflicts: z.array(z.strictObject({ key_id: z.string(), reason: z.string() })).openapi({ description: few }),
    conflict_count: count,
    lost: names.openapi({
      description: `Keys this server has seen that neither the archive nor the store has. ${few}`,
    }),
    lost_count: count,
    unreadable: names.openapi({ description: `What could not be read when the archive was made. ${few}` }),
    unreadable_count: count,
    dropped_aliases: names.openapi({ description: `Aliases left out because their names are taken. ${few}` }),
    postponed: names.openapi({ description: `Keys whose deletion was near, and is 7 days away now. ${few}` }),
  }),
  indented: true,
  lifecycle: true,
  async handle(call) {
    const { manager, caller, query, upload } = call
    const secret = requireSecret(readPassphrase(call), call.archiveKey, PASSPHRASE_HEADER)
    const report = await manager.restore(upload, { secret, ...query }, caller)
    const { status, realm, restored } = report
    const text = query.dryRun ? 'Nothing was changed: this is what the archive would do.' : 'The archive was restored.'
    return {
      body: {
        success: true,
        message: message(text, report),
        status,
        revision: report.revision,
        dry_run: query.dryRun,
        realm,
        ...wireReport(restored),
      },
    }
  },
})

function requireSecret(passphrase: string | undefined, key: ArchiveSecret | undefined, path: string): ArchiveSecret {
  if (passphrase !== undefined) return { passphrase }
  if (key !== undefined) return key
  throw kmsError('ValidationError', { path, reason: 'is required, because this server has no backup key' })
}

function readPassphrase({ archivePassphrase }: Pick<Call, 'archivePassphrase'>): string | undefined {
  if (archivePassphrase === undefined) return undefined
  const bytes = decodeBase64(archivePassphrase)
  try {
    if (bytes !== undefined && bytes.length > 0)
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // Said below.
  } finally {
    bytes?.fill(0)
  }
  throw kmsError('ValidationError', {
    path: PASSPHRASE_HEADER,
    reason: 'must be the UTF-8 of the passphrase in base64',
  })
}

function wireReport(report: RestoreReport): object {
  return {
    restored: report.restored,
    repaired: report.repaired,
    overwritten: report.overwritten,
    unchanged: report.unchanged,
    kept: report.kept,
    tombstones: report.tombstones,
    versions: report.versions,
    conflicts: report.conflicts.map(({ keyId, reason }) => ({ key_id: keyId, reason })),
    conflict_count: report.conflictCount,
    lost: report.lost,
    lost_count: report.lostCount,
    unreadable: report.unreadable,
    unreadable_count: report.unreadableCount,
    dropped_aliases: report.droppedAliases,
    postponed: report.postponed,
  }
}
