import type { Reply } from './reply/answer.ts'
import type { Query } from './request/query.ts'
import type { S3Call } from './s3-call.ts'
import { invalidArgument, s3Error } from './s3-error.ts'

/** One operation of S3. */
export interface Operation {
  /** As AWS calls it. */
  readonly name: string
  /** What the caller needs on the bucket or object; absent where the operation asks itself, by what it is told. */
  readonly action?: string
  /** Facts of this operation policies may ask for. */
  facts?(
    call: S3Call,
  ): Iterable<readonly [string, readonly string[]]> | Promise<Iterable<readonly [string, readonly string[]]>>
  /** Query parameters it reads beside its subresource, where it changes something. */
  readonly parameters?: readonly string[]
  /** Another operation, when the request says more than its method and subresource do. */
  variant?(request: Pick<S3Call, 'header' | 'query'>): Operation | undefined
  /** Checksums among the headers are of the object it makes, not of its body. */
  readonly checksumsOfObject?: true
  /** It makes, changes or removes a bucket, which is recorded. */
  readonly changesBucket?: true
  /** The bucket is about to be made. */
  readonly makesBucket?: true
  handle(call: S3Call): Promise<Reply> | Reply
}

/** Operations of one scope by method, then by subresource; an empty name for none. */
export type OperationTable = ReadonlyMap<string, ReadonlyMap<string, Operation>>

/**
 * Query parameters that name a subresource or an operation of S3, implemented here or not. One of them is never ignored: a request for an
 * operation we do not know must not become another one.
 */
const SUBRESOURCES: ReadonlySet<string> = new Set([
  'abac',
  'accelerate',
  'acl',
  'analytics',
  'annotation',
  'append',
  'attributes',
  'cors',
  'delete',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'location',
  'logging',
  'metadataConfiguration',
  'metadataInventoryTable',
  'metadataJournalTable',
  'metadataTable',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'renameObject',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'session',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versioning',
  'versions',
  'website',
])

/** The SDKs' name of the operation. */
const OPERATION_HINT = 'x-id'

/**
 * Finds the operation of a request. Throws `NotImplemented` for subresources that are not here and for parameters of changes nobody
 * reads, `InvalidArgument` for several subresources, `MethodNotAllowed`.
 */
export function findOperation(
  table: OperationTable,
  method: string,
  request: Pick<S3Call, 'header' | 'query'>,
): Operation {
  const { query } = request
  const named = [...query.keys()].filter((name) => SUBRESOURCES.has(name))
  const [subresource = '', another] = named
  if (another !== undefined) {
    const names = named.slice(0, 4).join(', ')
    throw invalidArgument('ResourceType', `Conflicting query string parameters: ${names}`, subresource)
  }
  const operations = table.get(method)
  const found = operations?.get(subresource)
  if (found === undefined) {
    if (subresource !== '') throw notImplemented(`?${subresource}`)
    throw s3Error('MethodNotAllowed', {
      details: { Method: method.slice(0, 32), AllowedMethods: [...table.keys()].join(', ') },
    })
  }
  const operation = found.variant?.(request) ?? found
  if (method !== 'GET' && method !== 'HEAD') refuseStrays(operation, subresource, query)
  return operation
}

/** A parameter nobody reads may be one that meant "don't", or another operation. */
function refuseStrays({ parameters = [] }: Operation, subresource: string, query: Query): void {
  const stray = [...query.keys()].find((name) => {
    const known = name === subresource || name === OPERATION_HINT || parameters.includes(name)
    return !known && !name.toLowerCase().startsWith('x-amz-')
  })
  if (stray !== undefined) throw notImplemented(`?${stray.slice(0, 64)}`)
}

/** `NotImplemented`, naming what is not. */
export function notImplemented(what: string): Error {
  return s3Error('NotImplemented', {
    message: `${what} is not implemented here; nothing was changed.`,
    details: { Header: what.slice(0, 128) },
  })
}
