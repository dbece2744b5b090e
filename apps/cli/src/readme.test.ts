import { readdirSync, readFileSync } from 'node:fs'
import { operations } from '@kms/client'
import type { Command } from 'commander'
import { expect, it } from 'vitest'
import { createTestIo } from '../test/test-io.ts'
import { commandTable } from './command-table.ts'
import { exitCodes } from './exit-codes.ts'
import { createProgram } from './kmsctl.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it('every operation of the API is a command, and knows its fields', () => {
  expect(commandTable.map(({ operation }) => operation).toSorted()).toEqual(Object.keys(operations).toSorted())
  for (const { operation, args, options, document } of commandTable) {
    const { path, query, body } = operations[operation]
    for (const { field, place } of [...args, ...options]) {
      const known =
        place === 'path' ? path.includes(`{${field}}`) : (place === 'query' ? query : (body ?? [])).includes(field)
      expect(known, `${operation} ${place} ${field}`).toBe(true)
    }
    expect(document === true, `${operation} takes a document`).toBe(body === 'any' || operation === 'batch')
  }
})

it('every command says what it is for', () => {
  const silent = (commands: readonly Command[]): string[] =>
    commands.flatMap((command) => [
      ...(command.description() === '' ? [command.name()] : []),
      ...silent(command.commands),
    ])
  expect(silent(createProgram(createTestIo().io).commands)).toEqual([])
})

it('the README has every exit code, and every command', () => {
  const codes = [...readme.matchAll(/^\| (\d) \|/gm)].map((match) => Number(match[1]))
  expect(codes).toEqual(Object.values(exitCodes))
  for (const { words } of commandTable) expect(readme, words.join(' ')).toContain(words.join(' '))
  for (const command of createProgram(createTestIo().io).commands) expect(readme).toContain(`kmsctl ${command.name()}`)
})

it('the documents name no command that is not there', () => {
  const root = new URL('../../../', import.meta.url)
  const paths = ['README.md', ...readdirSync(new URL('docs', root)).map((name) => `docs/${name}`), 'apps/cli/README.md']
  const commands = new Map(createProgram(createTestIo().io).commands.map((command) => [command.name(), command]))
  const seen = new Set<string>()
  const unknown = paths.flatMap((path) =>
    [
      ...readFileSync(new URL(path, root), 'utf8').matchAll(/(?:`|^)kmsctl ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?/gm),
    ].flatMap(([line, first = '', second]) => {
      seen.add(first)
      const found = commands.get(first)
      const inner = found?.commands.map((command) => command.name()) ?? []
      const known = found !== undefined && (inner.length === 0 || second === undefined || inner.includes(second))
      return known ? [] : [`${path}: ${line}`]
    }),
  )
  expect(unknown).toEqual([])
  expect(seen.size).toBeGreaterThan(10)
})
