import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { isS3Error, s3Error, s3ErrorCatalogue } from './s3-error.ts'

it('the catalogue is exactly what docs/errors.md says, row by row', () => {
  const text = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \| ([^|`]+) \|$/gm)].map(([, ...row]) => row)
  expect(rows).toEqual(
    Object.entries(s3ErrorCatalogue).map(([code, { status, message }]) => [code, String(status), message]),
  )
})

it('an error says what the catalogue does, unless it says more', () => {
  expect(s3Error('NoSuchKey')).toMatchObject({ code: 'NoSuchKey', status: 404, details: {} })
  const cause = new Error('private')
  const error = s3Error('InvalidPart', { message: 'part 3', details: { PartNumber: '3' }, cause })
  expect(error).toMatchObject({ status: 400, message: 'part 3', details: { PartNumber: '3' }, cause })
  expect([isS3Error(error), isS3Error(error, 'InvalidPart'), isS3Error(error, 'NoSuchKey'), isS3Error(cause)]).toEqual([
    true,
    true,
    false,
    false,
  ])
})
