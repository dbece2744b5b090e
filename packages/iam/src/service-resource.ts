/** Where a service's policies look for it; MinIO and RustFS write admin rights on `arn:aws:s3:::*`. */
function serviceArn(action: string): string {
  const service = action.slice(0, Math.max(0, action.indexOf(':'))).toLowerCase()
  return `arn:aws:${service === 'admin' ? 's3' : service}:::`
}

/**
 * The resource of an operation on a service as a whole, such as `kms:Configure`: `arn:aws:kms:::*`, as S3 does with
 * ListAllMyBuckets. Policies on `*` and on `arn:aws:kms:::*` reach it, policies on some keys do not.
 */
export function serviceResource(action: string): string {
  return `${serviceArn(action)}*`
}

/** What the ARNs of all resources of the action's service start with; for `kms:` those of keys. */
export function resourcePrefix(action: string): string {
  const arn = serviceArn(action)
  return arn === 'arn:aws:kms:::' ? `${arn}key/` : arn
}
