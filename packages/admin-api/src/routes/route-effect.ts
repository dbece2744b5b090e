import type { Route } from './route.ts'

/**
 * What an operation is to those who keep logs and books: `read` looks at something, `use` works with a key, `change`
 * leaves something different behind.
 */
export type RouteEffect = 'read' | 'use' | 'change'

const KEY_USE: ReadonlySet<string> = new Set(['kms:GenerateDataKey', 'kms:Encrypt', 'kms:Decrypt'])

/** A route that may be asked with GET is one that reads, whatever other methods it takes. */
export function effectOf(route: Route): RouteEffect {
  if (route.methods.includes('GET')) return 'read'
  return route.scope !== 'public' && KEY_USE.has(route.permission[0]) ? 'use' : 'change'
}
