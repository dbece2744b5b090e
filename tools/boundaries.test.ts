import { describe, expect, it } from 'vitest'
import {
  backendNamesInCore,
  forbiddenEdges,
  incompletePackages,
  misusedEntries,
  readWorkspace,
  shapelessSources,
  undeclaredImports,
} from './boundaries.ts'
import { root } from './workspace.mjs'

describe('the walls between packages', () => {
  const workspace = readWorkspace(root)

  it('is looking at the workspace', () => {
    expect(workspace.rooms.map(({ id }) => id)).toEqual(expect.arrayContaining(['core', 'sigv4', 'server']))
    expect(workspace.rooms.filter(({ files }) => files.length === 0).map(({ id }) => id)).toEqual([])
  })

  it.each([
    ['every import is inside the package or declared', undeclaredImports],
    ['edges between packages are those of the table', forbiddenEdges],
    ['internal entries are not for apps, testing entries only for tests', misusedEntries],
    ['core names no backend', backendNamesInCore],
    ['sources have a shape', shapelessSources],
    ['every package is complete', incompletePackages],
  ])('%s', (_, check) => {
    expect(check(workspace)).toEqual([])
  })
})
