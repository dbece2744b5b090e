import { z } from '@hono/zod-openapi'
import {
  type BatchItem,
  type BatchResult,
  canonicalContext,
  type EncryptionContext,
  isKmsError,
  type KmsError,
  kmsError,
  parseEncryptionContext,
} from '@kms/core'
import type { Gate, Permission } from '../../access/gate.ts'
import { judgeRefusal } from '../../access/judge-refusal.ts'
import { rememberDecisions } from '../../access/remember-decisions.ts'
import { requireSomeAction } from '../../access/require-some-action.ts'
import { publicError } from '../../error-reply.ts'
import { isJsonObject, objectBody } from '../../request/read-json.ts'
import { fold } from '../fold.ts'
import { successReply } from '../reply-schemas.ts'
import { type Call, defineRoute, type Route } from '../route.ts'
import {
  type DataOperation,
  decryptOperation,
  discard,
  encryptOperation,
  generateDataKeyOperation,
} from './data-operations.ts'

/** Items of one batch (contract §2). */
const MAX_ITEMS = 1000
/** Bytes of one batch. */
const MAX_BODY_BYTES = 8 * 1_048_576

const OPERATIONS: readonly DataOperation[] = [generateDataKeyOperation, encryptOperation, decryptOperation]
const byName: ReadonlyMap<string, DataOperation> = new Map(OPERATIONS.map((each) => [fold(each.name), each]))

const ACTIONS: Permission = ['kms:GenerateDataKey', 'kms:Encrypt', 'kms:Decrypt']

const itemSchema = z.union(
  OPERATIONS.map(({ name, body }) => (body.schema as z.ZodObject).extend({ operation: z.literal(name) })),
)

const resultSchema = z.union([
  ...OPERATIONS.map(({ reply }) => z.strictObject(reply)),
  z.strictObject({ code: z.string(), message: z.string() }),
])

/** Each item is read by itself: one that cannot be read is no reason to refuse the others. */
const batchBody = objectBody(
  z.strictObject({
    items: z
      .array(z.unknown(), 'must be an array of operations')
      .max(MAX_ITEMS, `must have at most ${MAX_ITEMS} operations`),
  }),
)

export const batchRoute: Route = defineRoute({
  operation: 'batch',
  summary: 'Up to 1000 operations at once; each has its own result or error, in order',
  methods: ['POST'],
  paths: ['/kms/batch'],
  minioPaths: [],
  scope: 'items',
  permission: ACTIONS,
  maxBodyBytes: MAX_BODY_BYTES,
  body: { schema: z.strictObject({ items: z.array(itemSchema).max(MAX_ITEMS) }), read: batchBody.read },
  reply: successReply({ results: z.array(resultSchema) }),
  indented: false,
  lifecycle: false,
  async handle(call) {
    const { manager, tell, gateFor, body } = call
    const readItem = createItemReader(call)
    const entries = await Promise.all(body.items.map(readItem))
    const understood = entries.filter((entry) => entry.kind === 'item')
    try {
      const outcomes = await manager.data.batch(understood.map(({ item }) => item))
      const results = new Map<Entry, BatchResult | KmsError>()
      for (const [index, entry] of understood.entries()) {
        const outcome = outcomes[index] as BatchResult | KmsError
        results.set(entry, isKmsError(outcome) ? await entry.judge(outcome) : outcome)
      }
      const shown = entries.map((entry) => {
        const result = entry.kind === 'item' ? (results.get(entry) as BatchResult | KmsError) : entry.error
        if (entry.kind === 'item' && !isKmsError(result)) return entry.operation.show(result as BatchResult, undefined)
        const { code, message } = tell(result)
        return { code, message }
      })
      if (shown.every((result) => 'code' in result && result.code === DENIED)) requireSomeAction(ACTIONS, gateFor)
      const done = shown.filter((result) => !('code' in result)).length
      return { body: { success: true, message: `${done} of ${shown.length} operations done.`, results: shown } }
    } finally {
      for (const { item } of understood) discard(item)
    }
  },
})

/** An item as far as it was understood. */
type Entry =
  | {
      readonly kind: 'item'
      readonly operation: DataOperation
      readonly item: BatchItem
      /** The error to show instead of one core ended it with. */
      judge(error: KmsError): Promise<KmsError>
    }
  | { readonly kind: 'refused'; readonly error: unknown }

/**
 * Reads items, and refuses them as their own requests would be refused: whoever may not do this to the key is told that
 * and nothing else. Each operation is decided on once per key and encryption context.
 */
function createItemReader({ manager, gateFor }: Call): (json: unknown) => Promise<Entry> {
  const gates = new Map<string, Gate>()
  const judgements = new Map<string, Promise<void>>()

  function gateOf({ name, permission }: DataOperation, context: EncryptionContext): readonly [string, Gate] {
    const id = `${name} ${canonicalContext(context).toString('base64')}`
    let gate = gates.get(id)
    if (gate === undefined) {
      const made = gateFor(permission)
      made.learn(context)
      gate = { ...made, authorize: rememberDecisions(made.authorize) }
      gates.set(id, gate)
    }
    return [id, gate]
  }

  /** Judges all refusals of one kind at once. */
  async function judge(
    operation: DataOperation,
    json: unknown,
    context: EncryptionContext,
    error: unknown,
    passed: boolean,
  ): Promise<unknown> {
    const [id, gate] = gateOf(operation, context)
    const claim = operation.key(json, manager)
    const kind = `${id} ${publicError(error).status} ${passed} ${JSON.stringify(claim)}`
    let judgement = judgements.get(kind)
    if (judgement === undefined) {
      judgement = judgeRefusal({ gate, passed, claim, error, keys: manager.keys })
      judgements.set(kind, judgement)
    }
    try {
      await judgement
      return error
    } catch (denial) {
      return denial
    }
  }

  return async (json) => {
    const operation = operationOf(json)
    if (operation === undefined) return { kind: 'refused', error: unknownOperation() }
    const { operation: _, ...rest } = json as Readonly<Record<string, unknown>>
    let context: EncryptionContext = NO_CONTEXT
    try {
      const body = operation.body.read(rest)
      context = parseEncryptionContext(body.encryption_context)
      const [, gate] = gateOf(operation, context)
      let passed = false
      const authorize = (keyId: string): void => {
        gate.authorize(keyId)
        passed = true
      }
      return {
        kind: 'item',
        operation,
        item: operation.read(body, { context, authorize }),
        judge: (error) => judge(operation, rest, context, error, passed) as Promise<KmsError>,
      }
    } catch (error) {
      return { kind: 'refused', error: await judge(operation, rest, context, error, false) }
    }
  }
}

const DENIED: KmsError['code'] = 'AccessDenied'

const NO_CONTEXT: EncryptionContext = new Map()

function operationOf(json: unknown): DataOperation | undefined {
  const name = isJsonObject(json) ? json['operation'] : undefined
  return typeof name === 'string' ? byName.get(fold(name)) : undefined
}

function unknownOperation(): Error {
  const names = OPERATIONS.map(({ name }) => name).join(', ')
  return kmsError('ValidationError', { path: 'operation', reason: `must be one of ${names}` })
}
