import type { KeyUse } from '@kms/core'
import { lookForProcess, ownIdentity, type ProcessIdentity, systemClock } from '@kms/core'
import { isObjectStoreError, type ObjectStore } from '@kms/s3-api'
import { openFsObjectStore } from '@kms/store-fs'
import { describeError } from './log/describe-error.ts'
import type { Log } from './log/log.ts'
import { exitCodes, startupError } from './startup-error.ts'

/** Opens the objects of the data directory. Throws a `StartupError` for a newer format, damage, and storage that fails. */
export async function openObjectStorage(directory: string, log: Log): Promise<ObjectStore> {
  try {
    return await openFsObjectStore({
      directory,
      clock: systemClock,
      owner: {
        identity: JSON.stringify(await ownIdentity()),
        isGone: async (identity) => {
          const found = await lookForProcess(JSON.parse(identity) as ProcessIdentity)
          return found === 'gone' || found === 'other-boot'
        },
      },
      onProblem: (error) => log.event('object_sweep_failed', { error: describeError(error) }),
    })
  } catch (error) {
    if (!isObjectStoreError(error)) throw error
    throw startupError(exitCodes.state, `The objects at ${directory} cannot be opened: ${error.message}`, error)
  }
}

/** What of the objects needs a key, for those who would remove it. Offline copies are the manager's to remove. */
export function objectKeyUse(store: Pick<ObjectStore, 'countKeyUse'>): KeyUse {
  return {
    async count(realm, keyId) {
      const { objects, uploads } = await store.countKeyUse({ realm, ...(keyId === undefined ? {} : { keyId }) })
      return objects + uploads
    },
    beforeDestroy: async () => {},
  }
}
