import { z } from '@hono/zod-openapi'
import type { Route } from '../route.ts'
import { keyChangeRoute } from './key-change-route.ts'

export const enableKeyRoute: Route = keyChangeRoute({
  operation: 'enableKey',
  summary: 'Let a key wrap again',
  path: '/kms/keys/enable',
  permission: ['kms:EnableKey'],
  fields: {},
  apply: (keys, request) => keys.enable(request),
  done: 'Key enabled.',
  unchanged: 'the key is enabled already.',
})

export const disableKeyRoute: Route = keyChangeRoute({
  operation: 'disableKey',
  summary: 'Keep a key from wrapping; what it wrapped still unwraps',
  path: '/kms/keys/disable',
  permission: ['kms:DisableKey'],
  fields: {},
  apply: (keys, request) => keys.disable(request),
  done: 'Key disabled. What it wrapped can still be decrypted.',
  unchanged: 'the key is disabled already.',
})

export const rotateKeyRoute: Route = keyChangeRoute({
  operation: 'rotateKey',
  summary: 'Give a key a new version, which wraps from now on; the old ones still unwrap',
  path: '/kms/keys/rotate',
  permission: ['kms:RotateKey'],
  fields: {},
  apply: (keys, request) => keys.rotate(request),
  done: 'Key rotated. What earlier versions wrapped can still be decrypted.',
  unchanged: 'the key needs no rotation.',
})

export const rotationPeriodRoute: Route = keyChangeRoute({
  operation: 'setRotationPeriod',
  summary: 'Rotate a key by itself, every so many days; null: no more',
  path: '/kms/keys/rotation-period',
  permission: ['kms:RotateKey'],
  fields: {
    days: z
      .number('must be a whole number of days, or null')
      .nullable()
      .openapi({ type: ['integer', 'null'], minimum: 1, maximum: 3650 }),
  },
  aliases: { rotation_period_days: 'days', rotation_period_in_days: 'days', RotationPeriodInDays: 'days' },
  apply: (keys, request, { days }) => keys.setRotationPeriod({ ...request, days }),
  done: 'Rotation period set.',
  unchanged: 'the key has this rotation period already.',
})

export const cancelDeletionRoute: Route = keyChangeRoute({
  operation: 'cancelKeyDeletion',
  summary: 'Keep a key that was scheduled for deletion; it is what it was before',
  path: '/kms/keys/cancel-deletion',
  permission: ['kms:DeleteKey'],
  fields: {},
  apply: (keys, request) => keys.cancelDeletion(request),
  done: 'Deletion cancelled.',
  unchanged: 'no deletion of the key was scheduled.',
})
