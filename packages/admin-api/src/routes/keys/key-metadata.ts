import { z } from '@hono/zod-openapi'
import { type KeyRecord, nextRotationAt } from '@kms/core'
import { time } from '../reply-schemas.ts'

export const keyMetadataSchema: z.ZodType = z
  .strictObject({
    key_id: z.string(),
    aliases: z.array(z.string()),
    description: z.string(),
    enabled: z.boolean(),
    key_state: z.enum(['Enabled', 'Disabled', 'PendingDeletion', 'Unavailable']),
    key_usage: z.literal('ENCRYPT_DECRYPT'),
    key_spec: z.literal('SYMMETRIC_DEFAULT'),
    creation_date: time,
    deletion_date: time.nullable(),
    rotation_enabled: z.boolean(),
    rotation_period_days: z.int().nullable(),
    next_rotation_date: time.nullable().openapi({ description: 'null while the key is not enabled.' }),
    current_version: z.int().openapi({ description: 'The version that wraps.' }),
    versions: z.int().openapi({ description: 'How many versions unwrap.' }),
    rotated_at: time.nullable(),
    origin: z.enum(['KMS', 'EXTERNAL']),
    key_manager: z.literal('CUSTOMER'),
    tags: z.record(z.string(), z.string()),
  })
  .openapi('KeyMetadata')

/** A key as the wire shows it (contract §2, "Keys"). */
export function keyMetadata(record: KeyRecord): object {
  const { createdAt, rotatedAt, deletionAt, rotationPeriodDays, currentVersion, oldestVersion, state } = record
  return {
    key_id: record.keyId,
    aliases: record.aliases,
    description: record.description,
    enabled: state === 'Enabled',
    key_state: state,
    key_usage: 'ENCRYPT_DECRYPT',
    key_spec: 'SYMMETRIC_DEFAULT',
    creation_date: rfc3339(createdAt),
    deletion_date: rfc3339(deletionAt),
    rotation_enabled: rotationPeriodDays !== undefined,
    rotation_period_days: rotationPeriodDays ?? null,
    next_rotation_date: rfc3339(nextRotationAt(record)),
    current_version: currentVersion,
    versions: currentVersion - oldestVersion + 1,
    rotated_at: rfc3339(rotatedAt),
    origin: record.origin,
    key_manager: 'CUSTOMER',
    tags: Object.fromEntries(record.tags),
  }
}

function rfc3339(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString()
}
