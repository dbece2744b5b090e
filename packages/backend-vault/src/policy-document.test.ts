import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { policy } from '../../../tools/openbao/prepare.ts'

it('the policy in docs/operations.md is policies/kms.hcl, which the tests run under', () => {
  const text = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
  expect(/```hcl\n(.*?)```/s.exec(text)?.[1]).toBe(policy)
})
