import { expect, it } from 'vitest'
import { effectOf } from './route-effect.ts'
import { routes } from './route-table.ts'

it('tells reading, using a key and changing apart', () => {
  const effects = new Map(routes.map((route) => [route.operation, effectOf(route)]))
  for (const operation of ['getStatus', 'getConfig', 'listKeys', 'describeKey', 'listUsers', 'getOpenApiDocument']) {
    expect(effects.get(operation), operation).toBe('read')
  }
  for (const operation of ['generateDataKey', 'encrypt', 'decrypt']) {
    expect(effects.get(operation), operation).toBe('use')
  }
  for (const operation of ['configure', 'reconfigure', 'start', 'stop', 'createKey', 'addUser', 'removeUser']) {
    expect(effects.get(operation), operation).toBe('change')
  }
})
