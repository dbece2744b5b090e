import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type CatalogueEntry, errorCatalogue } from './catalogue.ts'
import { isKmsError, kmsError } from './kms-error.ts'

const entries: [string, CatalogueEntry][] = Object.entries(errorCatalogue)

describe('the catalogue', () => {
  it('is exactly what docs/errors.md says, row by row', () => {
    const text = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8')
    const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \| `([\w.]+)`(?: \((\d{3})\))? \| (.+) \|$/gm)].map(
      ([, code, status, s3, s3Status, template]) => [code, status, s3, s3Status ?? status, template],
    )
    expect(rows).toEqual(
      entries.map(([code, { status, s3, s3Status, template }]) => [
        code,
        String(status),
        s3,
        String(s3Status ?? status),
        template,
      ]),
    )
  })
})

describe('KmsError', () => {
  it('fills its template and keeps the cause to itself', () => {
    const error = kmsError('KeyNotFound', { key: 'a' }, { cause: new Error('s3cret') })
    expect(error.message).toContain('"a"')
    expect(error.status).toBe(404)
    expect(JSON.stringify(error)).toBe(JSON.stringify({ code: 'KeyNotFound', message: error.message }))
    expect(JSON.stringify(Object.assign({}, error))).not.toContain('s3cret')
    expect((error.cause as Error).message).toBe('s3cret')
  })

  it('does not read placeholders in parameters', () => {
    expect(kmsError('ValidationError', { path: '{reason}', reason: '{path}' }).message).toBe('{reason}: {path}')
  })

  it('is recognised by its code, also when another copy of the package made it', () => {
    const error = kmsError('KeyDisabled', { key: 'a' })
    const foreign = { name: 'KmsError', code: 'KeyDisabled', message: 'm' }
    expect(isKmsError(error)).toBe(true)
    expect(isKmsError(foreign, 'KeyDisabled')).toBe(true)
    expect(isKmsError(error, 'KeyNotFound')).toBe(false)
    for (const other of [null, undefined, 'KmsError', new Error('x'), { name: 'KmsError', code: 'toString' }]) {
      expect(isKmsError(other)).toBe(false)
    }
  })

  it('shows no secret of its cause when it is inspected with the depth loggers use', () => {
    const error = kmsError('InternalError', undefined, { cause: { nested: { token: 's3cret' } } })
    expect(inspect(error, { depth: 0 })).not.toContain('s3cret')
  })
})
