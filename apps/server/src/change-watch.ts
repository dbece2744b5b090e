import { stat } from 'node:fs/promises'

/** Tells whether a file was touched since it was last looked at. */
export interface ChangeWatch {
  /**
   * Whether the file is another one, has another length or another time of change than at the call before; also when it
   * went or came back. Never rejects.
   */
  changed(): Promise<boolean>
}

/** Watches a file by asking: what the file system tells of its own accord gets lost on mounts and with renames. */
export async function createChangeWatch(path: string): Promise<ChangeWatch> {
  let last = await signatureOf(path)
  return {
    async changed() {
      const before = last
      last = await signatureOf(path)
      return last !== before
    },
  }
}

async function signatureOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join()
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
