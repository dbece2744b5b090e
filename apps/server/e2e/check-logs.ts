import { afterAll } from 'vitest'
import { takeProblems } from './log-check.ts'

afterAll(() => {
  const problems = takeProblems()
  if (problems.length > 0) throw new Error(`The servers of this suite said what they must not:\n${problems.join('\n')}`)
})
