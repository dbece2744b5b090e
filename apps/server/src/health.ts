import type { KmsManager } from '@kms/core'

/** Why the server should get no work, in one word; `undefined` when it should. */
export type Unreadiness = 'draining' | 'NotConfigured' | 'Configured' | 'Error' | 'Unhealthy'

/**
 * Ready means: the service is meant to run, and runs (contract §4). A server that waits to be configured, or was
 * stopped, is live but not ready; its admin plane answers all the same.
 */
export function unreadiness(manager: Pick<KmsManager, 'status'>, draining: boolean): Unreadiness | undefined {
  if (draining) return 'draining'
  const { status, healthy } = manager.status()
  if (typeof status === 'object') return 'Error'
  if (status !== 'Running') return status
  return healthy === false ? 'Unhealthy' : undefined
}

/** What each reason means. The status route tells more, to those who may know it. */
export const unreadinessMessages: Readonly<Record<Unreadiness, string>> = {
  draining: 'The server is stopping.',
  NotConfigured: 'No configuration is stored yet.',
  Configured: 'The service is configured and stopped.',
  Error: 'The service could not be started; it is tried again.',
  Unhealthy: 'The key store does not answer.',
}
