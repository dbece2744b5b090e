import { parseEncryptionContext } from '@kms/core'
import { successReply } from '../reply-schemas.ts'
import { defineRoute, type Route } from '../route.ts'
import {
  type DataOperation,
  decryptOperation,
  discard,
  encryptOperation,
  generateDataKeyOperation,
  perform,
} from './data-operations.ts'

export const generateDataKeyRoute: Route = dataRoute(generateDataKeyOperation, {
  operation: 'generateDataKey',
  summary: 'A fresh data key, in plaintext and wrapped',
  path: '/kms/generate-data-key',
  done: 'Data key generated.',
})

export const encryptRoute: Route = dataRoute(encryptOperation, {
  operation: 'encrypt',
  summary: 'Wrap 1 to 4096 bytes',
  path: '/kms/encrypt',
  done: 'Encrypted.',
})

export const decryptRoute: Route = dataRoute(decryptOperation, {
  operation: 'decrypt',
  summary: 'Unwrap what a key of this server wrapped',
  path: '/kms/decrypt',
  done: 'Decrypted.',
})

interface DataRouteFacts {
  readonly operation: string
  readonly summary: string
  readonly path: string
  /** What happened, for people. */
  readonly done: string
}

function dataRoute<B extends { readonly encryption_context?: unknown }>(
  dataOperation: DataOperation<B>,
  { operation, summary, path, done }: DataRouteFacts,
): Route {
  const { permission, body: shape } = dataOperation
  return defineRoute({
    operation,
    summary,
    methods: ['POST'],
    paths: [path],
    minioPaths: [],
    scope: 'key',
    permission,
    key: ({ json }, manager) => dataOperation.key(json, manager),
    body: shape,
    reply: successReply(dataOperation.reply),
    indented: false,
    lifecycle: false,
    async handle({ manager, body, learn, authorize }) {
      const context = parseEncryptionContext(body.encryption_context)
      learn(context)
      const item = dataOperation.read(body, { context, authorize })
      try {
        return { body: dataOperation.show(await perform(manager.data, item), done) }
      } finally {
        discard(item)
      }
    },
  })
}
