import { describe, expect, it } from 'vitest'
import type { Facts } from './facts.ts'
import { matchGlob } from './glob.ts'
import { expandTemplate, parseTemplate } from './template.ts'

const known = new Map([
  ['aws:username', ['ann']],
  ['aws:principaltag/team', ['red*']],
  ['s3:prefix', ['a', 'b']],
  ['aws:broken', ['\uDC00']],
  ['aws:empty', ['']],
])
const facts: Facts = (key) => known.get(key)

function expand(source: string, variables = true): string | undefined {
  return expandTemplate(parseTemplate(source, { path: 'x', variables, wildcards: false }), facts)
}

describe('policy variables', () => {
  it.each([
    ['plain', 'plain'],
    ['', ''],
    ['home/${aws:username}/x', 'home/ann/x'],
    ['${AWS:UserName}', 'ann'],
    ['${aws:username}${aws:username}', 'annann'],
    ['${aws:PrincipalTag/team}', 'red*'],
    ['${aws:empty}', ''],
    ["${aws:empty, 'x'}", ''],
    ["${aws:missing, 'none'}", 'none'],
    ["${aws:missing,'a, {b}'}", 'a, {b}'],
    ["${aws:missing, ''}", ''],
    ["${aws:username, 'none'}", 'ann'],
    ['${*}${?}${$}', '*?$'],
    ['${$}{aws:username}', '${aws:username}'],
    ['a$b{c}', 'a$b{c}'],
    ['${aws:missing}', undefined],
    ['x${aws:missing}${aws:username}', undefined],
    ['${s3:prefix}', undefined],
    ["${s3:prefix, 'x'}", undefined],
    ['${aws:broken}', undefined],
  ])('%s becomes %j', (source, expected) => {
    expect(expand(source)).toBe(expected)
  })

  it.each([
    '${',
    '${}',
    '${aws:username',
    '${username}',
    '${ aws:username}',
    '${aws:x, y}',
    "${aws:x, 'y}",
    '${aws:${*}}',
  ])('refuses %s', (source) => {
    expect(() => expand(source)).toThrow(/^x holds an unfinished or unknown policy variable/)
  })

  it('leaves ${…} alone in old documents', () => {
    expect(expand('${aws:username} ${', false)).toBe('${aws:username} ${')
  })

  it('never reads a wildcard in a value or in an escape', () => {
    const match = (source: string, text: string) => {
      const glob = expandTemplate(parseTemplate(source, { path: 'x', variables: true, wildcards: true }), facts)
      return glob !== undefined && matchGlob(glob, text)
    }
    expect(match('${aws:PrincipalTag/team}/*', 'red*/x')).toBe(true)
    expect(match('${aws:PrincipalTag/team}/*', 'redder/x')).toBe(false)
    expect(match('${*}?', '*x')).toBe(true)
    expect(match('${*}?', 'xx')).toBe(false)
    expect(match('${?}', 'x')).toBe(false)
    expect(match("${aws:missing, '*'}", 'x')).toBe(false)
  })
})
