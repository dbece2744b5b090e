import type { IamStore } from '../src/directory/iam-directory.ts'
import type { IamDocument } from '../src/directory/iam-document.ts'

/** An IamStore in memory, as text, as a real one would keep it. */
export interface MemoryStore extends IamStore {
  document: IamDocument | undefined
  saves: number
  /** Rejects the next saves, one for each entry that is true. */
  failures: boolean[]
  /** Whether two saves ever ran at once. */
  overlapped: boolean
}

export function memoryStore(document?: IamDocument): MemoryStore {
  let text = document && JSON.stringify(document)
  let running = 0
  const store: MemoryStore = {
    get document() {
      return text === undefined ? undefined : (JSON.parse(text) as IamDocument)
    },
    set document(value) {
      text = value && JSON.stringify(value)
    },
    saves: 0,
    failures: [],
    overlapped: false,
    load: async () => store.document,
    save: async (next) => {
      const fails = store.failures.shift() === true
      running += 1
      store.overlapped ||= running > 1
      await Promise.resolve()
      running -= 1
      if (fails) throw Object.assign(new Error('The disk is full.'), { code: 'ENOSPC' })
      store.saves += 1
      store.document = next
    },
  }
  return store
}
