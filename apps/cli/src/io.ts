/** What the program is given by the system it runs on. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  out(text: string): void
  err(text: string): void
  /** Whether standard error is a terminal, where a line can be written over. */
  readonly interactive: boolean
  /** All of standard input. */
  readStdin(): Promise<string>
  wait(milliseconds: number): Promise<void>
  /** Milliseconds since 1970. */
  now(): number
}
