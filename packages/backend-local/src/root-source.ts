import { type ConfigDocument, isKmsError, type Random } from '@kms/core'
import { openWithRootKey, type UseRootKey } from './root-key.ts'
import { type RootSecretOptions, readRootSecret } from './root-secret.ts'
import type { StoreFile } from './store-file.ts'

export interface RootSourceOptions extends RootSecretOptions {
  readonly rootKeyDir: string
  readonly random: Random
}

/**
 * Where the root key of a store is found. Asked again whenever it is needed, so that nothing of the root key stays in
 * memory, and a file or variable that a configuration names counts as it is then.
 */
export interface RootSource extends RootSourceOptions {
  /**
   * Opens a store with the root key of the first configuration that names it, which `use` is told. Throws why the first
   * one does not, as `openWithRootKey` and `readRootSecret`.
   */
  open<T>(file: StoreFile, use: (...args: [...Parameters<UseRootKey<T>>, config: ConfigDocument]) => T): Promise<T>
  /** `config` may name the root key too from now on: a change to it is under way. The result takes that back. */
  consider(config: ConfigDocument): () => void
  /** `config` alone names it. */
  settle(config: ConfigDocument): void
}

export function createRootSource(configs: readonly ConfigDocument[], options: RootSourceOptions): RootSource {
  let candidates = configs
  return {
    ...options,

    async open(file, use) {
      let first: unknown
      for (const config of candidates) {
        try {
          const secret = await readRootSecret(config, options)
          return await openWithRootKey(file, secret, options.rootKeyDir, (opened, key) => use(opened, key, config))
        } catch (error) {
          // What is wrong with the store itself is wrong for every root key.
          if (!isKmsError(error) || error.code === 'StoreDamaged') throw error
          first ??= error
        }
      }
      throw first
    },

    consider(config) {
      const before = candidates
      candidates = [...candidates, config]
      return () => {
        candidates = before
      }
    },

    settle(config) {
      candidates = [config]
    },
  }
}
