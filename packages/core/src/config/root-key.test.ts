import { describe, expect, it } from 'vitest'
import { memoryDriver } from '../testing/index.ts'
import { createConfigSchema } from './config-schema.ts'
import type { ConfigDocument } from './driver.ts'
import { namesSameRootKey, rootKeyOf, withRootKey } from './root-key.ts'

const driver = memoryDriver()
const schema = createConfigSchema([driver])
const parse = (fields: object): ConfigDocument => schema.parse({ backend_type: 'memory', name: 'a', ...fields })

describe('namesSameRootKey', () => {
  it.each<[object, object, boolean]>([
    [{ root_key: 'x' }, { root_key: 'x', timeout_seconds: 5 }, true],
    [{ root_key: 'x' }, { root_key: 'y' }, false],
    [{ root_key: 'x' }, {}, false],
    [{}, { token: 'x' }, true],
  ])('of %j and %j is %s', (a, b, same) => {
    expect(namesSameRootKey(parse(a), parse(b), driver)).toBe(same)
  })
})

describe('withRootKey', () => {
  it('changes what names the root key, and nothing else', () => {
    const [from, to] = [parse({ root_key: 'x', timeout_seconds: 7 }), parse({ root_key: 'y', token: 't' })]
    const changed = withRootKey(from, driver, rootKeyOf(to, driver))
    expect(namesSameRootKey(changed, to, driver)).toBe(true)
    expect(withRootKey(changed, driver, rootKeyOf(from, driver))).toEqual(from)
    expect(withRootKey(from, driver, {})).toEqual(parse({ timeout_seconds: 7 }))
  })

  it('leaves configurations alone of drivers whose stores have no root key', () => {
    const { rootKeyFields: _, ...keyless } = memoryDriver()
    const config = parse({ root_key: 'x' })
    expect(withRootKey(config, keyless, rootKeyOf(config, keyless))).toEqual(config)
  })
})
