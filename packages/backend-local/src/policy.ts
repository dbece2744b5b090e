/** Limits that the operator of the server sets and no configuration can change (contract §0). */
export interface LocalPolicy {
  /**
   * `KMS_ALLOW_KEY_DIRS`: directories under which (or at which) key directories may be. Unset: any absolute path
   * outside `/proc /sys /dev /etc /boot /usr`.
   */
  readonly allowKeyDirs?: readonly string[]
  /** `KMS_ALLOW_SECRET_FILES`: directories under which `master_key_file` may be. Unset: `/run/secrets`, `/var/run/secrets`. */
  readonly allowSecretFiles?: readonly string[]
  /** Directories of the server's own files: never a key directory, nor above or below one. */
  readonly forbiddenDirs: readonly string[]
}
